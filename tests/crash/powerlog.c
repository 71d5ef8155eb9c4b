/*
 * Preloaded into a relay: writes down every change of files below POWERROOT,
 * and every sync, in the order in which they came true, so that the disk can
 * be rebuilt as a power cut at any moment would have left it.  One record is
 * appended to the file POWERLOG after each call that succeeded:
 *
 *   u32 length of path  u32 length of data  u64 offset  u32 kind  u32 durable
 *   path  data
 *
 * The call and its record are made under a lock on POWERLOG.  Whoever takes it
 * before killing the relay leaves no change without its record.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct event {
	uint32_t path_len, data_len;
	uint64_t offset;
	uint32_t kind;
	uint32_t is_durable; /* written through O_DSYNC */
};

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void fail(void)
{
	static const char text[] = "powerlog: cannot write\n";

	syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* Opened each time: some processes close all that they do not know. */
static int open_log(const char *log)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, log,
			      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		fail();
	return fd;
}

static int lock(void)
{
	const char *log = getenv("POWERLOG");
	int saved = errno, fd;

	if (!log)
		return -1;
	fd = open_log(log);
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	errno = saved;
	return fd;
}

static void unlock(int fd)
{
	int saved = errno;

	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
}

static void put(int kind, const char *path, uint64_t offset, int is_durable,
		struct iovec data)
{
	struct event event = {
		.path_len = (uint32_t)strlen(path),
		.data_len = (uint32_t)data.iov_len,
		.offset = offset,
		.kind = (uint32_t)kind,
		.is_durable = (uint32_t)is_durable,
	};
	struct iovec parts[3] = {
		{ &event, sizeof(event) },
		{ (void *)(uintptr_t)path, event.path_len },
		data,
	};
	const char *root = getenv("POWERROOT"), *log = getenv("POWERLOG");
	int fd, saved = errno;

	if (!root || !log || strncmp(path, root, strlen(root)))
		return;
	fd = open_log(log);
	if (syscall(SYS_writev, fd, parts, 3) !=
	    (long)(sizeof(event) + event.path_len + event.data_len))
		fail();
	syscall(SYS_close, fd);
	errno = saved;
}

static void put_fd(int kind, int fd, uint64_t offset, struct iovec data)
{
	char link[64], path[PATH_MAX];
	int saved = errno, flags = fcntl(fd, F_GETFL);
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	errno = saved;
	if (len <= 0 || path[0] != '/')
		return;
	path[len] = '\0';
	put(kind, path, offset, (flags & O_DSYNC) != 0, data);
}

static struct iovec bytes(const void *at, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)at, len };
}

static const struct iovec nothing;

/* --- names ------------------------------------------------------------ */

static int opened(int fd, int flags)
{
	if (fd >= 0 && flags & O_CREAT)
		put_fd('C', fd, 0, nothing);
	if (fd >= 0 && flags & O_TRUNC)
		put_fd('T', fd, 0, nothing);
	return fd;
}

#define OPEN(name)                                                       \
	int name(const char *path, int flags, ...);                      \
	int name(const char *path, int flags, ...)                       \
	{                                                                \
		int (*call)(const char *, int, ...) =                    \
			(int (*)(const char *, int, ...))next(#name);    \
		va_list arguments;                                       \
		mode_t mode;                                             \
		int held = flags & (O_CREAT | O_TRUNC) ? lock() : -1;    \
		int fd;                                                  \
                                                                         \
		va_start(arguments, flags);                              \
		mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;  \
		va_end(arguments);                                       \
		fd = opened(call(path, flags, mode), flags);             \
		unlock(held);                                            \
		return fd;                                               \
	}
OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode)
{
	int (*call)(const char *, mode_t) =
		(int (*)(const char *, mode_t))next("mkdir");
	int held = lock(), rc = call(path, mode);

	if (!rc)
		put('M', path, 0, 0, nothing);
	unlock(held);
	return rc;
}

int unlink(const char *path)
{
	int (*call)(const char *) = (int (*)(const char *))next("unlink");
	int held = lock(), rc = call(path);

	if (!rc)
		put('U', path, 0, 0, nothing);
	unlock(held);
	return rc;
}

int rmdir(const char *path)
{
	int (*call)(const char *) = (int (*)(const char *))next("rmdir");
	int held = lock(), rc = call(path);

	if (!rc)
		put('U', path, 0, 0, nothing);
	unlock(held);
	return rc;
}

int rename(const char *from, const char *to)
{
	int (*call)(const char *, const char *) =
		(int (*)(const char *, const char *))next("rename");
	int held = lock(), rc = call(from, to);

	if (!rc)
		put('N', from, 0, 0, bytes(to, strlen(to)));
	unlock(held);
	return rc;
}

/* --- content ---------------------------------------------------------- */

#define PWRITE(name, offset_type)                                        \
	ssize_t name(int fd, const void *at, size_t len, offset_type off); \
	ssize_t name(int fd, const void *at, size_t len, offset_type off) \
	{                                                                \
		ssize_t (*call)(int, const void *, size_t, offset_type) = \
			(ssize_t (*)(int, const void *, size_t,          \
				     offset_type))next(#name);           \
		int held = lock();                                       \
		ssize_t n = call(fd, at, len, off);                      \
                                                                         \
		if (n > 0)                                               \
			put_fd('W', fd, (uint64_t)off,                   \
			       bytes(at, (size_t)n));                    \
		unlock(held);                                            \
		return n;                                                \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(name, offset_type)                                       \
	ssize_t name(int fd, const struct iovec *parts, int count,       \
		     offset_type off);                                   \
	ssize_t name(int fd, const struct iovec *parts, int count,       \
		     offset_type off)                                    \
	{                                                                \
		ssize_t (*call)(int, const struct iovec *, int,          \
				offset_type) =                           \
			(ssize_t (*)(int, const struct iovec *, int,     \
				     offset_type))next(#name);           \
		int held = lock();                                       \
		ssize_t n = call(fd, parts, count, off);                 \
                                                                         \
		put_parts(fd, parts, n, (uint64_t)off);                  \
		unlock(held);                                            \
		return n;                                                \
	}

/* One record: a cut may fall anywhere in it. */
static void put_parts(int fd, const struct iovec *parts, ssize_t written,
		      uint64_t offset)
{
	size_t left = written > 0 ? (size_t)written : 0, filled = 0;
	char *all = left ? malloc(left) : NULL;

	for (int i = 0; filled < left && all; i++) {
		size_t len = parts[i].iov_len;

		if (len > left - filled)
			len = left - filled;
		memcpy(all + filled, parts[i].iov_base, len);
		filled += len;
	}
	if (filled)
		put_fd('W', fd, offset, bytes(all, filled));
	free(all);
}

PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

ssize_t write(int fd, const void *at, size_t len)
{
	ssize_t (*call)(int, const void *, size_t) =
		(ssize_t (*)(int, const void *, size_t))next("write");
	int saved = errno;
	off_t offset = lseek(fd, 0, SEEK_CUR);
	int held = offset >= 0 ? lock() : -1;
	ssize_t n;

	errno = saved;
	n = call(fd, at, len);
	if (n > 0 && offset >= 0)
		put_fd('W', fd, (uint64_t)offset, bytes(at, (size_t)n));
	unlock(held);
	return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	ssize_t (*call)(int, const struct iovec *, int) =
		(ssize_t (*)(int, const struct iovec *, int))next("writev");
	int saved = errno;
	off_t offset = lseek(fd, 0, SEEK_CUR);
	int held = offset >= 0 ? lock() : -1;
	ssize_t n;

	errno = saved;
	n = call(fd, parts, count);
	if (n > 0 && offset >= 0)
		put_parts(fd, parts, n, (uint64_t)offset);
	unlock(held);
	return n;
}

#define TRUNCATE(name, offset_type)                                      \
	int name(int fd, offset_type size)                               \
	{                                                                \
		int (*call)(int, offset_type) =                          \
			(int (*)(int, offset_type))next(#name);          \
		int held = lock(), rc = call(fd, size);                  \
                                                                         \
		if (!rc)                                                 \
			put_fd('T', fd, (uint64_t)size, nothing);        \
		unlock(held);                                            \
		return rc;                                               \
	}
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define ALLOCATE(name, offset_type)                                      \
	int name(int fd, offset_type from, offset_type len);             \
	int name(int fd, offset_type from, offset_type len)              \
	{                                                                \
		int (*call)(int, offset_type, offset_type) =             \
			(int (*)(int, offset_type, offset_type))         \
				next(#name);                             \
		int held = lock(), rc = call(fd, from, len);             \
                                                                         \
		if (!rc)                                                 \
			put_fd('A', fd, (uint64_t)(from + len), nothing); \
		unlock(held);                                            \
		return rc;                                               \
	}
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define SYNC(name)                                                       \
	int name(int fd)                                                 \
	{                                                                \
		int (*call)(int) = (int (*)(int))next(#name);            \
		int held = lock(), rc = call(fd);                        \
                                                                         \
		if (!rc)                                                 \
			put_fd('S', fd, 0, nothing);                     \
		unlock(held);                                            \
		return rc;                                               \
	}
SYNC(fsync)
SYNC(fdatasync)
