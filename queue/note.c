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
#include <unistd.h>

#include "queue/folder.h"

enum { NOTE_SIZE = 4096, NOTE_READING = 512 };

#define NOTE_MAGIC "PSTNOTE1"

struct note {
	int fd;
	unsigned char *map;
};

struct head {
	char magic[sizeof(NOTE_MAGIC)];
	int32_t is_clean, pid;
};

static int open_file(const char *folder, int flags)
{
	char path[FOLDER_MAX + 8];

	snprintf(path, sizeof(path), "%s/note", folder);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void read_found(int fd, struct note_found *found)
{
	struct head head;
	char id[MESSAGE_ID_LEN];

	memset(found, 0, sizeof(*found));
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.magic, NOTE_MAGIC, sizeof(head.magic)) != 0)
		return;
	found->is_there = true;
	found->is_clean = head.is_clean == 1;
	found->pid = head.pid;
	if (pread(fd, id, sizeof(id), NOTE_READING) == sizeof(id) && id[0] &&
	    !memchr(id, '\0', sizeof(id)))
		memcpy(found->reading, id, sizeof(id));
}

void note_look(const char *folder, struct note_found *found)
{
	int fd = open_file(folder, O_RDONLY);

	memset(found, 0, sizeof(*found));
	if (fd < 0)
		return;
	read_found(fd, found);
	close(fd);
}

static int write_head(int fd, bool is_clean)
{
	struct head head;

	memset(&head, 0, sizeof(head));
	memcpy(head.magic, NOTE_MAGIC, sizeof(head.magic));
	head.is_clean = is_clean;
	head.pid = (int32_t)getpid();
	if (pwrite(fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	return fdatasync(fd);
}

/* Its pages are there before they are touched through the map. */
static int prepare(struct note *note)
{
	int rc = posix_fallocate(note->fd, 0, NOTE_SIZE);

	if (rc && rc != EOPNOTSUPP && rc != EINVAL) {
		errno = rc;
		return -1;
	}
	if (ftruncate(note->fd, NOTE_SIZE) || write_head(note->fd, false))
		return -1;
	note->map = mmap(NULL, NOTE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 note->fd, 0);
	return note->map == MAP_FAILED ? -1 : 0;
}

struct note *note_open(const char *folder, struct note_found *found,
		       struct error *error)
{
	struct note *note = must_alloc(sizeof(*note));

	note->fd = open_file(folder, O_RDWR | O_CREAT);
	if (note->fd >= 0)
		read_found(note->fd, found);
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
		write_head(note->fd, true);
	close(note->fd);
	free(note);
}
