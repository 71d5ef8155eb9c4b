/*
 * The list of a salvage.  See salvage_list.h.
 */
#include "queue/salvage_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/folder.h"

#define DRAFT SALVAGE_LIST ".new"

struct salvage_list {
	FILE *file;
	char folder[FOLDER_MAX];
};

void salvage_line(struct buffer *out, const struct salvage_news *news)
{
	static const char *const words[] = {
		[SALVAGE_SAVED] = "saved",
		[SALVAGE_LOST] = "lost ",
		[SALVAGE_NOTED] = "note ",
	};

	buffer_printf(out, "%s %s\n", words[news->fate], news->text);
}

static void path_of(char path[FOLDER_MAX + 32], const char *folder,
		    const char *name)
{
	snprintf(path, FOLDER_MAX + 32, "%s/%s", folder, name);
}

bool salvage_list_is_there(const char *folder)
{
	char path[FOLDER_MAX + 32];

	path_of(path, folder, SALVAGE_LIST);
	return !access(path, F_OK);
}

struct salvage_list *salvage_list_new(const char *folder, struct error *error)
{
	struct salvage_list *list = must_alloc(sizeof(*list));
	char path[FOLDER_MAX + 32];

	snprintf(list->folder, sizeof(list->folder), "%s", folder);
	path_of(path, folder, DRAFT);
	list->file = fopen(path, "we");
	if (list->file)
		return list;
	error_errno(error, "%s", path);
	free(list);
	return NULL;
}

void salvage_list_add(struct salvage_list *list,
		      const struct salvage_news *news)
{
	struct buffer line = { NULL, 0, 0, 0 };
	struct view text;

	salvage_line(&line, news);
	text = buffer_view(&line);
	fwrite(text.at, 1, text.len, list->file);
	buffer_clear(&line);
}

int salvage_list_end(struct salvage_list *list, bool is_well)
{
	char draft[FOLDER_MAX + 32], path[FOLDER_MAX + 32];
	struct error ignored;

	path_of(draft, list->folder, DRAFT);
	path_of(path, list->folder, SALVAGE_LIST);
	if (fflush(list->file) || ferror(list->file) ||
	    fsync(fileno(list->file)))
		is_well = false;
	fclose(list->file);
	free(list);
	if (is_well && !folder_rename(draft, path, &ignored))
		return 0;
	unlink(draft);
	return -1;
}
