/*
 * Folders and locks of the spool.  See folder.h.
 */
#include "queue/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

int folder_take(const char *spool, unsigned from, struct folder *out,
		struct error *error)
{
	if (folder_make(spool, error))
		return -1;
	for (unsigned k = from; k < FOLDER_WORKERS_MAX; k++) {
		int got = try_folder(spool, k, true, out, error);

		if (got)
			return got == 1 ? 0 : -1;
	}
	return error_set(error, "%s: every worker folder is locked", spool);
}

int folder_take_left(const char *spool, struct folder *out)
{
	struct error ignored;

	for (unsigned k = 0; k < FOLDER_WORKERS_MAX; k++)
		if (try_folder(spool, k, false, out, &ignored) == 1)
			return 1;
	return 0;
}

void folder_release(struct folder *folder)
{
	if (folder->lock >= 0)
		close(folder->lock);
	folder->lock = -1;
}
