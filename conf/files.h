/*
 * Where the bytes of configuration files come from: the disk (which also
 * remembers each file read), or a sealed bundle made of what was
 * remembered, handed to a child as a descriptor.
 */
#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "conf/bytes.h"
#include "conf/error.h"

struct conf_files;

/* From the disk; every file read is remembered for files_seal(). */
struct conf_files *files_disk(void);
/* From a bundle; the descriptor is borrowed and mapped. */
struct conf_files *files_bundle(int fd, struct error *error);
void files_free(struct conf_files *files);

/* The whole file; stays valid until files_free().  -1 with `path: reason`. */
int files_get(struct conf_files *files, const char *path, struct view *bytes,
	      struct error *error);
/* Text that lies on no disk, as if it had been read at that absolute path,
 * where nothing was read so far.  Copied. */
void files_put(struct conf_files *files, const char *path, struct view bytes);
/* Permission bits of a file that was read, in a bundle as on the disk; 0 when
 * it was not read. */
unsigned files_mode(const struct conf_files *files, const char *path);
/* The path as seen from the folder of the file that says it, without "." and
 * doubled slashes; to be freed. */
char *files_beside(const char *file, const char *path);
/* The path as seen from the current folder; to be freed. */
char *files_absolute(const char *path);
/* A sealed memfd with all that was read, path of the configuration (as given
 * to conf_read()) first; -1 with the reason. */
int files_seal(struct conf_files *files, const char *conf_path,
	       struct error *error);
/* The configuration's path in a bundle. */
const char *files_conf_path(const struct conf_files *files);

#endif
