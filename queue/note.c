/*
 * The note is a file of one page: in its first sector who works here, which
 * is written and synced, in the second what is being read, which is mapped.
 * See note.h.
 */
#include "queue/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/folder.h"

enum { NOTE_SIZE = 4096, NOTE_READING = 512 };

#define NOTE_MAGIC "PSTNOTE2"

static const char *const stores[] = { "fresh", "held" };

enum {
	STORES = sizeof(stores) / sizeof(stores[0]),
	/* Of each file so much is summed: the pages that all is found by,
	 * and all of a small one. */
	SUMMED = 4 * 1024 * 1024,
};

struct note {
	int fd;
	unsigned char *map;
	char folder[FOLDER_MAX];
};

/* A file as it is left, and should be found. */
struct state {
	uint64_t size;
	uint32_t sum, is_there;
};

struct head {
	char magic[sizeof(NOTE_MAGIC)];
	int32_t is_clean, pid;
	struct state states[STORES];
};

static void sum_up(int fd, struct state *state)
{
	unsigned char *bytes = must_alloc(SUMMED);
	size_t len = 0;
	ssize_t got;

	while (len < SUMMED &&
	       (got = pread(fd, bytes + len, SUMMED - len, (off_t)len)) > 0)
		len += (size_t)got;
	state->sum = bytes_crc32c(0, bytes, len);
	free(bytes);
}

static void look(const char *folder, struct state states[STORES])
{
	char path[FOLDER_MAX + 16];
	struct stat st;

	memset(states, 0, STORES * sizeof(*states));
	for (size_t i = 0; i < STORES; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s/data.mdb", folder,
			 stores[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		states[i].is_there = 1;
		if (!fstat(fd, &st))
			states[i].size = (uint64_t)st.st_size;
		sum_up(fd, &states[i]);
		close(fd);
	}
}

static int open_file(const char *folder, int flags)
{
	char path[FOLDER_MAX + 8];

	snprintf(path, sizeof(path), "%s/note", folder);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static bool is_as_left(const char *folder, const struct head *head)
{
	struct state states[STORES];

	if (head->is_clean != 1)
		return false;
	look(folder, states);
	return !memcmp(states, head->states, sizeof(states));
}

static void read_found(int fd, const char *folder, struct note_found *found)
{
	struct head head;
	char id[MESSAGE_ID_LEN];

	memset(found, 0, sizeof(*found));
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.magic, NOTE_MAGIC, sizeof(head.magic)) != 0)
		return;
	found->is_there = true;
	found->is_clean = is_as_left(folder, &head);
	found->pid = head.pid;
	if (pread(fd, id, sizeof(id), NOTE_READING) == sizeof(id) && id[0] &&
	    !memchr(id, '\0', sizeof(id)))
		memcpy(found->reading, id, sizeof(id));
}

static int write_head(const struct note *note, bool is_clean)
{
	struct head head;

	memset(&head, 0, sizeof(head));
	memcpy(head.magic, NOTE_MAGIC, sizeof(head.magic));
	head.is_clean = is_clean;
	head.pid = (int32_t)getpid();
	if (is_clean)
		look(note->folder, head.states);
	if (pwrite(note->fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	return fdatasync(note->fd);
}

/* Its pages are there before they are touched through the map. */
static int prepare(struct note *note)
{
	int rc = posix_fallocate(note->fd, 0, NOTE_SIZE);

	if (rc && rc != EOPNOTSUPP && rc != EINVAL) {
		errno = rc;
		return -1;
	}
	if (ftruncate(note->fd, NOTE_SIZE) || write_head(note, false))
		return -1;
	note->map = mmap(NULL, NOTE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 note->fd, 0);
	return note->map == MAP_FAILED ? -1 : 0;
}

struct note *note_open(const char *folder, struct note_found *found,
		       struct error *error)
{
	struct note *note = must_alloc(sizeof(*note));

	snprintf(note->folder, sizeof(note->folder), "%s", folder);
	note->fd = open_file(folder, O_RDWR | O_CREAT);
	if (note->fd >= 0)
		read_found(note->fd, folder, found);
	if (note->fd < 0 || prepare(note)) {
		error_errno(error, "%s/note", folder);
		if (note->fd >= 0)
			close(note->fd);
		free(note);
		return NULL;
	}
	note_reading(note, NULL);
	if (!folder_sync(folder, error))
		return note;
	note_close(note, false);
	return NULL;
}

void note_reading(struct note *note, const char *id)
{
	if (!note)
		return;
	if (id)
		memcpy(note->map + NOTE_READING, id, MESSAGE_ID_LEN);
	else
		note->map[NOTE_READING] = 0;
}

void note_close(struct note *note, bool is_clean)
{
	if (!note)
		return;
	munmap(note->map, NOTE_SIZE);
	/* When this cannot be said the next start looks by itself. */
	if (is_clean)
		write_head(note, true);
	close(note->fd);
	free(note);
}
