/*
 * Salvage by hand.  See rescue.h.
 */
#include "queue/rescue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/note.h"
#include "queue/pages.h"

enum { MAP_LEAST = 64 * 1024 * 1024 };

bool rescue_is_in_use(const char *spool, const char *file)
{
	char *there = realpath(spool, NULL), *path = realpath(file, NULL);
	size_t len = there ? strlen(there) : 0;
	unsigned number;
	int end[2] = { 0, 0 };
	bool is_in_use = false;

	if (there && path && !strncmp(path, there, len)) {
		sscanf(path + len, "/worker-%u/fresh/data.mdb%n", &number,
		       &end[0]);
		sscanf(path + len, "/worker-%u/held/data.mdb%n", &number,
		       &end[1]);
		for (int i = 0; i < 2; i++)
			is_in_use |= end[i] && !path[len + (size_t)end[i]];
	}
	free(there);
	free(path);
	return is_in_use;
}

static enum rescue_end look_at_files(const struct rescue *r, uint64_t *map,
				     struct error *error)
{
	struct pages pages;
	struct stat st;

	*map = MAP_LEAST;
	for (size_t i = 0; i < r->file_count; i++) {
		if (pages_open(&pages, r->files[i], error))
			return RESCUE_UNREADABLE;
		if (!fstat(pages.fd, &st))
			*map += 2 * (uint64_t)st.st_size;
		pages_close(&pages);
		if (folder_has_room(r->spool, r->files[i]))
			continue;
		error_set(error, "%s: the disk has no room for another file "
			  "like that", r->spool);
		return RESCUE_NO_ROOM;
	}
	return RESCUE_DONE;
}

static int save_into(struct rescue *r, const struct folder *folder,
		     uint64_t map, struct error *error)
{
	struct salvage_settings settings = {
		.files = r->files,
		.file_count = r->file_count,
		.takes_aside = true,
		.say = r->say,
		.arg = r->arg,
	};
	char path[FOLDER_MAX + 8];
	int rc;

	snprintf(path, sizeof(path), "%s/held", folder->path);
	settings.into = store_open(path, map, error);
	if (!settings.into)
		return -1;
	rc = salvage(&settings, &r->counts, error);
	store_close(settings.into);
	return rc;
}

/* A folder that nobody looks at. */
static int take_apart(const struct rescue *r, struct folder *folder,
		      struct error *error)
{
	folder->lock = -1;
	snprintf(folder->path, sizeof(folder->path), "%s/salvage-XXXXXX",
		 r->spool);
	return mkdtemp(folder->path) ? 0 : error_errno(error, "%s", r->spool);
}

static int try_only(struct rescue *r, uint64_t map, struct error *error)
{
	struct folder folder;
	int rc = take_apart(r, &folder, error);

	if (rc)
		return rc;
	rc = save_into(r, &folder, map, error);
	folder_empty(&folder);
	rmdir(folder.path);
	return rc;
}

/* When the note says that all was in order it is; before that whoever
 * finds the folder checks it. */
static int save(struct rescue *r, uint64_t map, struct error *error)
{
	struct folder folder;
	struct note_found ignored;
	struct note *note;
	int rc = folder_take_empty(r->spool, &folder, error);

	if (rc)
		return rc;
	note = note_open(folder.path, &ignored, error);
	rc = note ? save_into(r, &folder, map, error) : -1;
	if (rc || !r->counts.messages)
		folder_empty(&folder);
	else
		memcpy(r->folder, folder.path, sizeof(r->folder));
	note_close(note, !rc);
	folder_release(&folder);
	return rc;
}

enum rescue_end rescue(struct rescue *r, struct error *error)
{
	uint64_t map;
	enum rescue_end end = look_at_files(r, &map, error);

	*r->folder = '\0';
	if (end)
		return end;
	if (r->is_dry ? try_only(r, map, error) : save(r, map, error))
		return RESCUE_FAILED;
	return RESCUE_DONE;
}
