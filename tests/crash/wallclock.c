/*
 * Preloaded into a relay: the wall clock is off by as many seconds as the
 * file WALLCLOCK says, which may change at any time.  Clocks that count
 * from the start of the machine stay as they are.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t offset(void)
{
	static volatile const int64_t *mapped;
	const char *path = getenv("WALLCLOCK");
	int fd;

	if (!mapped && path) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		mapped = mmap(NULL, sizeof(*mapped), PROT_READ, MAP_SHARED, fd,
			      0);
		if ((void *)(uintptr_t)mapped == MAP_FAILED)
			abort();
		close(fd);
	}
	return mapped ? *mapped : 0;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	static int (*call)(clockid_t, struct timespec *);
	int rc;

	if (!call)
		call = (int (*)(clockid_t, struct timespec *))dlsym(
			RTLD_NEXT, "clock_gettime");
	rc = call(id, out);
	if (!rc && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += offset();
	return rc;
}

time_t time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

int gettimeofday(struct timeval *out, void *zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	out->tv_sec = t.tv_sec;
	out->tv_usec = t.tv_nsec / 1000;
	return 0;
}
