/*
 * The spool folder itself.  Two relays on one spool would deliver twice:
 * the lock, an flock() that dies with its holder, keeps the second out.
 * The self-signed certificate lives here so that it survives restarts:
 * peers that remember a key meet the same one again.
 */
#include "relay/spool.h"

#include "tls/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700, KEY_MODE = 0600 };

static char *in_spool(const char *spool, const char *name)
{
	struct buffer text = { 0 };
	char *path;

	buffer_printf(&text, "%s/%s", spool, name);
	path = view_string(buffer_view(&text));
	buffer_clear(&text);
	return path;
}

/* Until its parent is on the disk a new folder may vanish with the power,
 * and with it all that was accepted into it. */
static int sync_parent(const char *path)
{
	char *parent = must_strdup(path);
	char *slash = strrchr(parent, '/');
	int fd, status = -1;

	if (slash)
		slash[slash == parent] = '\0';
	fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		status = fsync(fd);
		close(fd);
	}
	free(parent);
	return status;
}

static int make_folder(const char *path, const struct privs *privs,
		       struct error *error)
{
	if (mkdir(path, FOLDER_MODE) == 0) {
		if ((privs->drops && chown(path, privs->uid, privs->gid)) ||
		    sync_parent(path))
			return error_errno(error, "spool \"%s\"", path);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno == ENOENT)
		return error_set(error,
				 "spool \"%s\": the folder above it "
				 "does not exist",
				 path);
	return error_errno(error, "spool \"%s\"", path);
}

int spool_prepare(const struct conf *conf, const struct privs *privs,
		  struct error *error)
{
	const char *path = conf->spool;
	struct stat at;

	if (make_folder(path, privs, error))
		return -1;
	if (stat(path, &at))
		return error_errno(error, "spool \"%s\"", path);
	if (!S_ISDIR(at.st_mode))
		return error_set(error, "spool \"%s\" is no folder", path);
	if (at.st_uid != privs->uid)
		return error_set(error,
				 "spool \"%s\" belongs to user %lu, not "
				 "to user %lu, as whom the relay runs",
				 path, (unsigned long)at.st_uid,
				 (unsigned long)privs->uid);
	if (at.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(error,
				 "spool \"%s\" may be written to by "
				 "others; chmod 700 it",
				 path);
	return 0;
}

int spool_lock(const struct conf *conf, struct error *error)
{
	char *path = in_spool(conf->spool, "lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      KEY_MODE);

	if (fd < 0) {
		error_errno(error, "%s", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB)) {
		error_set(error, "spool \"%s\" is in use by another postern",
			  conf->spool);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

char *spool_certificate_path(const char *spool)
{
	return in_spool(spool, "self-signed.pem");
}

bool spool_needs_certificate(const struct conf *conf)
{
	if (conf->certificate_count > 0)
		return false;
	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].tls != LISTEN_NONE)
			return true;
	return false;
}

static int write_out(int fd, struct view bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		bytes = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return fsync(fd);
}

/* Under its name only when it is whole. */
static int write_file(const char *path, struct view bytes,
		      const struct privs *privs, struct error *error)
{
	struct buffer text = { 0 };
	char *draft;
	int fd, status = 0;

	buffer_printf(&text, "%s.%ld", path, (long)getpid());
	draft = view_string(buffer_view(&text));
	buffer_clear(&text);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_MODE);
	if (fd < 0 || write_out(fd, bytes) ||
	    (privs->drops && fchown(fd, privs->uid, privs->gid)) ||
	    rename(draft, path)) {
		status = error_errno(error, "%s", path);
		unlink(draft);
	}
	if (fd >= 0)
		close(fd);
	free(draft);
	return status;
}

int spool_make_certificate(const struct conf *conf, const struct privs *privs,
			   struct error *error)
{
	struct buffer chain = { 0 }, key = { 0 };
	char *path = spool_certificate_path(conf->spool);
	int status = 0;

	if (access(path, F_OK) != 0) {
		status = tls_self_signed(conf->hostname, &chain, &key, error);
		if (status == 0) {
			buffer_append(&chain, buffer_view(&key));
			status = write_file(path, buffer_view(&chain), privs,
					    error);
		}
	}
	buffer_wipe(&chain);
	buffer_wipe(&key);
	free(path);
	return status;
}
