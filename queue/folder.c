/*
 * Folders and locks of the spool.  See folder.h.
 */
#include "queue/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int folder_sync(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return error_errno(error, "%s", path);
	rc = fsync(fd);
	/* Some file systems cannot sync a folder and say so. */
	if (rc && errno == EINVAL)
		rc = 0;
	if (rc)
		error_errno(error, "%s: fsync", path);
	close(fd);
	return rc;
}

static int sync_parent(const char *path, struct error *error)
{
	char parent[FOLDER_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return folder_sync(".", error);
	snprintf(parent, sizeof(parent), "%.*s",
		 slash == path ? 1 : (int)(slash - path), path);
	return folder_sync(parent, error);
}

static int check(const char *path, struct error *error)
{
	struct stat st;

	if (lstat(path, &st))
		return error_errno(error, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(error, "%s is not a folder", path);
	if (st.st_uid != geteuid())
		return error_set(error, "%s belongs to user %u, not to us "
				 "(user %u)", path, st.st_uid, geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(error, "%s can be written to by others "
				 "(mode %03o); chmod 700 would be right",
				 path, st.st_mode & 0777u);
	if (access(path, R_OK | W_OK | X_OK))
		return error_errno(error, "%s", path);
	return 0;
}

int folder_make(const char *path, struct error *error)
{
	if (!mkdir(path, 0700))
		return sync_parent(path, error);
	if (errno != EEXIST)
		return error_errno(error, "%s", path);
	return check(path, error);
}

int folder_rename(const char *from, const char *to, struct error *error)
{
	if (rename(from, to))
		return error_errno(error, "%s", to);
	return sync_parent(to, error);
}

/* 1 locked (*fd), 0 held by somebody else, -1 failed. */
static int try_lock(const char *path, bool makes, int *fd,
		    struct error *error)
{
	*fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (makes ? O_CREAT : 0),
		   0600);
	if (*fd < 0)
		return error_errno(error, "%s", path);
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return 1;
	if (errno == EWOULDBLOCK) {
		close(*fd);
		return 0;
	}
	error_errno(error, "%s: flock", path);
	close(*fd);
	return -1;
}

static int try_folder(const char *spool, unsigned number, bool makes,
		      struct folder *out, struct error *error)
{
	char lock[FOLDER_MAX];
	int len = snprintf(out->path, sizeof(out->path), "%s/worker-%u", spool,
			   number);

	if ((size_t)len + sizeof("/fresh/data.mdb") > sizeof(lock))
		return error_set(error, "%s: too long", spool);
	if (makes && folder_make(out->path, error))
		return -1;
	snprintf(lock, sizeof(lock), "%.*s/lock", len, out->path);
	out->number = number;
	return try_lock(lock, makes, &out->lock, error);
}

static const char *const names[] = { "fresh", "held" };

static bool has_stores(const struct folder *folder)
{
	char path[FOLDER_MAX + 8];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder->path, names[i]);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

static int take(const char *spool, bool is_empty, struct folder *out,
		struct error *error)
{
	if (folder_make(spool, error))
		return -1;
	for (unsigned k = 0; k < FOLDER_WORKERS_MAX; k++) {
		int got = try_folder(spool, k, true, out, error);

		if (got < 0)
			return -1;
		if (got && (!is_empty || !has_stores(out)))
			return 0;
		if (got)
			folder_release(out);
	}
	return error_set(error, "%s: every worker folder is locked", spool);
}

int folder_take(const char *spool, struct folder *out, struct error *error)
{
	return take(spool, false, out, error);
}

int folder_take_empty(const char *spool, struct folder *out,
		      struct error *error)
{
	return take(spool, true, out, error);
}

enum folder_state folder_try(const char *spool, unsigned number,
			     struct folder *out)
{
	struct error ignored;
	int got = try_folder(spool, number, false, out, &ignored);

	if (got < 1)
		return got ? FOLDER_NONE : FOLDER_HELD;
	if (has_stores(out))
		return FOLDER_TAKEN;
	folder_release(out);
	return FOLDER_EMPTY;
}

int folder_set_aside(const char *path, char out[FOLDER_MAX],
		     struct error *error)
{
	for (unsigned n = 1; n < 1000; n++) {
		int len = snprintf(out, FOLDER_MAX, "%s" FOLDER_DAMAGED "%u",
				   path, n);

		if (len >= FOLDER_MAX)
			break;
		if (access(out, F_OK))
			return folder_rename(path, out, error);
	}
	return error_set(error, "%s: no name is free to set it aside", path);
}

void folder_clear_store(const char *path)
{
	/* The journal before what it belongs to: of what was cleared nothing
	 * must come back. */
	static const char *const files[] = { "journal", "journal.new",
					     "journal.damaged", "data.mdb",
					     "lock.mdb" };
	char file[FOLDER_MAX + 32];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		unlink(file);
	}
}

void folder_empty(const struct folder *folder)
{
	char path[FOLDER_MAX + 8];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder->path, names[i]);
		folder_clear_store(path);
		rmdir(path);
	}
}

void folder_release(struct folder *folder)
{
	if (folder->lock >= 0)
		close(folder->lock);
	folder->lock = -1;
}

bool folder_has_room(const char *path, const char *file)
{
	struct statvfs fs;
	struct stat st;

	return stat(file, &st) || statvfs(path, &fs) ||
	       (uint64_t)fs.f_bavail * fs.f_frsize > (uint64_t)st.st_size;
}

off_t folder_data_size(const char *folder)
{
	char path[FOLDER_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	if (!stat(path, &st))
		return st.st_size;
	return errno == ENOENT ? -1 : 1;
}

int folder_reserve(const char *file, off_t len)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return errno;
	rc = posix_fallocate(fd, 0, len);
	close(fd);
	return rc == EOPNOTSUPP || rc == EINVAL ? 0 : rc;
}

int folder_why_short(int fd)
{
	static const unsigned char nothing[512];
	struct stat st;
	ssize_t n = -1;

	if (!fstat(fd, &st))
		n = pwrite(fd, nothing, sizeof(nothing), st.st_size);
	if (n < 0)
		return errno;
	return n < (ssize_t)sizeof(nothing) ? ENOSPC : EIO;
}
