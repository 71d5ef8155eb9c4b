/*
 * Files of the configuration.  From the disk each is read once, kept, and
 * can be put into one sealed memfd; from such a bundle nothing is opened
 * at all.  A bundle is:
 *
 *	magic, then for each file: path length, size, mode (64-bit each, as
 *	this machine writes them), path, bytes
 *
 * Files hold keys and passwords: what was read is wiped when freed.
 */
#include "conf/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 16 * 1024 * 1024 };

static const char magic[8] = "PSTNCNF1";

struct file {
	char *path;
	struct view bytes;
	unsigned mode;
};

struct conf_files {
	struct file *at;
	size_t count;
	bool is_bundle;
	void *map; /* of a bundle; the bytes of its files lie in it */
	size_t map_len;
};

struct entry {
	uint64_t path_len, size, mode;
};

/* Without "." and doubled slashes; ".." stays, for links may lie before it. */
static void tidy_path(char *path)
{
	char *to = path;

	for (char *from = path; *from;) {
		size_t len = strcspn(from + 1, "/") + 1;

		if (*from != '/')
			len--;
		if (!(len == 1 && *from == '/') &&
		    !(len == 2 && !strncmp(from, "/.", 2))) {
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	*to = '\0';
}

char *files_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	struct buffer joined = { 0 };
	char *result;

	if (path[0] != '/' && slash)
		buffer_append(&joined, view_make(file, (size_t)(slash - file)));
	if (path[0] != '/')
		buffer_append_byte(&joined, '/');
	buffer_append(&joined, view_of(path));
	result = view_string(buffer_view(&joined));
	buffer_clear(&joined);
	tidy_path(result);
	return result;
}

char *files_absolute(const char *path)
{
	char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	struct buffer file = { 0 };
	char *result;

	/* As if some file in this folder had said it. */
	buffer_printf(&file, "%s/.%c", here ? here : "", '\0');
	result = files_beside((const char *)file.data, path);
	buffer_clear(&file);
	free(here);
	return result;
}

static struct file *find(const struct conf_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (!strcmp(files->at[i].path, path))
			return &files->at[i];
	return NULL;
}

static struct file *add(struct conf_files *files, char *path,
			struct view bytes, unsigned mode)
{
	files->at = must_realloc(files->at,
				 (files->count + 1) * sizeof(*files->at));
	files->at[files->count] = (struct file){ path, bytes, mode };
	return &files->at[files->count++];
}

/* The bytes are the caller's to wipe and free. */
static int read_all(int fd, size_t size, struct view *bytes,
		    struct error *error)
{
	struct buffer all = { 0 };
	ssize_t got = 0;

	/* Once and for all: growing would leave a copy of a key behind. */
	buffer_reserve(&all, size + 1);
	while (buffer_len(&all) <= size) {
		got = read(fd, all.data + all.end, size + 1 - all.end);
		if (got > 0)
			buffer_added(&all, (size_t)got);
		else if (got == 0 || errno != EINTR)
			break;
	}
	if (got == 0) {
		*bytes = buffer_view(&all);
		return 0;
	}
	if (got < 0)
		error_errno(error, "cannot read it");
	else
		error_set(error, "it grew while it was read; try again");
	buffer_wipe(&all);
	return -1;
}

static int read_disk(const char *path, struct view *bytes, unsigned *mode,
		     struct error *error)
{
	struct stat st;
	/* Non-blocking: a FIFO must not hold the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc = -1;

	if (fd < 0)
		return error_errno(error, "cannot open it");
	if (fstat(fd, &st))
		error_errno(error, "cannot read it");
	else if (!S_ISREG(st.st_mode))
		error_set(error, "it is no regular file");
	else if (st.st_size > FILE_SIZE_MAX)
		error_set(error, "it is larger than %d MiB",
			  FILE_SIZE_MAX >> 20);
	else
		rc = read_all(fd, (size_t)st.st_size, bytes, error);
	close(fd);
	if (!rc)
		*mode = (unsigned)(st.st_mode & 0777);
	return rc;
}

int files_get(struct conf_files *files, const char *path, struct view *bytes,
	      struct error *error)
{
	struct file *file = find(files, path);
	unsigned mode = 0;

	if (!file && files->is_bundle) {
		error_set(error, "it is not in the bundle");
		return error_prefix(error, "%s", path);
	}
	if (!file) {
		if (read_disk(path, bytes, &mode, error))
			return error_prefix(error, "%s", path);
		file = add(files, must_strdup(path), *bytes, mode);
	}
	*bytes = file->bytes;
	return 0;
}

void files_put(struct conf_files *files, const char *path, struct view bytes)
{
	struct buffer copy = { 0 };

	buffer_append(&copy, bytes);
	add(files, must_strdup(path), buffer_view(&copy), 0600);
}

unsigned files_mode(const struct conf_files *files, const char *path)
{
	const struct file *file = find(files, path);

	return file ? file->mode : 0;
}

struct conf_files *files_disk(void)
{
	return must_alloc(sizeof(struct conf_files));
}

static int read_bundle(struct conf_files *files, struct view rest,
		       struct error *error)
{
	struct entry entry;

	if (rest.len < sizeof(magic) || memcmp(rest.at, magic, sizeof(magic)))
		return error_set(error, "this is no bundle of configuration "
				 "files");
	rest = view_from(rest, sizeof(magic));
	while (rest.len) {
		struct view path;

		if (rest.len < sizeof(entry))
			return error_set(error, "the bundle is cut");
		memcpy(&entry, rest.at, sizeof(entry));
		rest = view_from(rest, sizeof(entry));
		if (entry.path_len > rest.len ||
		    entry.size > rest.len - entry.path_len)
			return error_set(error, "the bundle is cut");
		path = view_first(rest, entry.path_len);
		rest = view_from(rest, entry.path_len);
		add(files, view_string(path), view_first(rest, entry.size),
		    (unsigned)entry.mode);
		rest = view_from(rest, entry.size);
	}
	if (!files->count)
		return error_set(error, "the bundle is empty");
	return 0;
}

struct conf_files *files_bundle(int fd, struct error *error)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_GROW;
	struct conf_files *files;
	struct stat st;
	void *map;

	/* Unsealed, whoever holds it could cut it under our reading. */
	if ((fcntl(fd, F_GET_SEALS) & wanted) != wanted || fstat(fd, &st)) {
		error_set(error, "the bundle is not sealed");
		return NULL;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		error_errno(error, "cannot map the bundle");
		return NULL;
	}
	files = files_disk();
	files->is_bundle = true;
	files->map = map;
	files->map_len = (size_t)st.st_size;
	if (read_bundle(files, view_make(map, files->map_len), error)) {
		files_free(files);
		return NULL;
	}
	return files;
}

void files_free(struct conf_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->count; i++) {
		struct file *file = &files->at[i];

		free(file->path);
		if (files->is_bundle)
			continue;
		bytes_wipe((void *)(uintptr_t)file->bytes.at, file->bytes.len);
		free((void *)(uintptr_t)file->bytes.at);
	}
	if (files->map)
		munmap(files->map, files->map_len);
	free(files->at);
	free(files);
}

static void put_file(struct buffer *out, const struct file *file)
{
	struct view path = view_of(file->path);
	struct entry entry = { path.len, file->bytes.len, file->mode };

	buffer_append(out, view_make(&entry, sizeof(entry)));
	buffer_append(out, path);
	buffer_append(out, file->bytes);
}

static int write_all(int fd, struct view bytes)
{
	while (bytes.len) {
		ssize_t put = write(fd, bytes.at, bytes.len);

		if (put > 0)
			bytes = view_from(bytes, (size_t)put);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int files_seal(struct conf_files *files, const char *conf_path,
	       struct error *error)
{
	char *path = files_absolute(conf_path);
	const struct file *first = find(files, path);
	struct buffer all = { 0 };
	int fd;

	free(path);
	if (!first)
		return error_set(error, "%s was not read", conf_path);
	buffer_append(&all, view_make(magic, sizeof(magic)));
	put_file(&all, first);
	for (size_t i = 0; i < files->count; i++)
		if (&files->at[i] != first)
			put_file(&all, &files->at[i]);
	fd = memfd_create("postern-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write_all(fd, buffer_view(&all)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_WRITE)) {
		error_errno(error, "cannot make the bundle of configuration "
			    "files");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	buffer_wipe(&all);
	return fd;
}

const char *files_conf_path(const struct conf_files *files)
{
	return files->count ? files->at[0].path : NULL;
}
