/*
 * Checks, sets aside, saves.  See repair.h.  Runs in a process of its own,
 * with nothing open but the pipe to its parent.  A crash at any point is
 * met again: a store is set aside by one rename, and what was set aside is
 * saved until its list is there.
 */
#include "queue/repair.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/check.h"
#include "queue/checkup.h"
#include "queue/folder.h"
#include "queue/salvage_list.h"

enum {
	PATH_ROOM = FOLDER_MAX + 300,
	SAID_MAX = 100, /* of what is not saved; all of it is listed */
};

struct repair {
	const char *folder;
	uint64_t map;
	int out;
	struct salvage_list *list;
	unsigned said;
};

__attribute__((format(printf, 3, 4))) static void tell(const struct repair *r,
						       enum repair_word word,
						       const char *format, ...)
{
	char line[1200];
	va_list arguments;
	int len;

	line[0] = (char)word;
	va_start(arguments, format);
	len = vsnprintf(line + 1, sizeof(line) - 2, format, arguments);
	va_end(arguments);
	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 3)
		len = sizeof(line) - 3;
	line[1 + len] = '\n';
	/* A parent that is gone takes us along. */
	if (write(r->out, line, (size_t)len + 2) < 0)
		_exit(1);
}

/* --- checking --------------------------------------------------------- */

static void check_store(const struct repair *r, const char *name)
{
	char path[PATH_ROOM], file[PATH_ROOM + 16], aside[FOLDER_MAX];
	struct check_result check;
	struct error error;

	snprintf(path, sizeof(path), "%s/%s", r->folder, name);
	snprintf(file, sizeof(file), "%s/data.mdb", path);
	if (access(file, F_OK))
		return;
	if (check_file(file, !strcmp(name, "held"), &check)) {
		tell(r, REPAIR_WARNING, "cannot be checked: %s",
		     check.why.text);
		return;
	}
	if (check.is_sound) {
		if (check.bad)
			tell(r, REPAIR_WARNING,
			     "%llu of %llu records in %s do not check out",
			     (unsigned long long)check.bad,
			     (unsigned long long)check.records, path);
		return;
	}
	if (folder_set_aside(path, aside, &error))
		tell(r, REPAIR_WARNING,
		     "%s is damaged (%s) and cannot be set "
		     "aside: %s",
		     path, check.why.text, error.text);
	else
		tell(r, REPAIR_WARNING,
		     "%s is damaged and set aside as %s: "
		     "%s",
		     path, aside, check.why.text);
}

/* --- what is set aside ------------------------------------------------ */

static bool is_owed(const char *folder, const char *name)
{
	char path[PATH_ROOM];

	if (!strstr(name, FOLDER_DAMAGED))
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return !salvage_list_is_there(path);
}

bool checkup_is_owed(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	bool owed = false;

	while (dir && !owed && (entry = readdir(dir)))
		owed = is_owed(folder, entry->d_name);
	if (dir)
		closedir(dir);
	return owed;
}

static void on_news(void *arg, const struct salvage_news *news)
{
	struct repair *r = arg;

	salvage_list_add(r->list, news);
	if (news->fate != SALVAGE_SAVED && r->said++ < SAID_MAX)
		tell(r, REPAIR_WARNING, "%s%s",
		     news->fate == SALVAGE_LOST ? "lost: " : "", news->text);
}

static int save_into(struct repair *r, const char *file, struct store *held)
{
	struct salvage_settings set = { .files = &file,
					.file_count = 1,
					.into = held,
					.say = on_news,
					.arg = r };
	struct salvage_counts counts;
	struct error error;

	if (salvage(&set, &counts, &error)) {
		tell(r, REPAIR_WARNING,
		     "%s cannot be salvaged now, and stays "
		     "where it is: %s",
		     file, error.text);
		return -1;
	}
	tell(r, REPAIR_WARNING,
	     "salvaged from %s: %llu messages; %llu are or may be lost; the "
	     "list is " SALVAGE_LIST " beside it",
	     file, (unsigned long long)counts.messages,
	     (unsigned long long)counts.lost);
	return 0;
}

static int save(struct repair *r, const char *name, struct store *held)
{
	char folder[PATH_ROOM], file[PATH_ROOM + 16];
	struct error error;
	int rc;

	snprintf(folder, sizeof(folder), "%s/%s", r->folder, name);
	snprintf(file, sizeof(file), "%s/data.mdb", folder);
	/* Half of it, and all of it again later, would come twice. */
	if (!folder_has_room(r->folder, file)) {
		tell(r, REPAIR_WARNING,
		     "%s is salvaged at a start when the disk has room for it",
		     file);
		return -1;
	}
	r->list = salvage_list_new(folder, &error);
	if (!r->list) {
		tell(r, REPAIR_WARNING, "%s", error.text);
		return -1;
	}
	r->said = 0;
	rc = save_into(r, file, held);
	return salvage_list_end(r->list, !rc);
}

/* Held's come first: messages of fresh have their bodies there. */
static int save_named(struct repair *r, const char *prefix, struct store *held)
{
	DIR *dir = opendir(r->folder);
	const struct dirent *entry;
	int rc = dir ? 0 : -1;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)) &&
		    is_owed(r->folder, entry->d_name) &&
		    save(r, entry->d_name, held))
			rc = -1;
	if (dir)
		closedir(dir);
	return rc;
}

static int save_all(struct repair *r)
{
	char path[PATH_ROOM];
	struct error error;
	struct store *held;
	int rc;

	snprintf(path, sizeof(path), "%s/held", r->folder);
	held = store_open(path, r->map, &error);
	if (!held) {
		tell(r, REPAIR_WARNING, "%s", error.text);
		return -1;
	}
	rc = save_named(r, "held" FOLDER_DAMAGED, held);
	if (save_named(r, "fresh" FOLDER_DAMAGED, held))
		rc = -1;
	store_close(held);
	return rc;
}

void repair_folder(const char *folder, uint64_t map, int out)
{
	struct repair r = { .folder = folder, .map = map, .out = out };

	check_store(&r, "fresh");
	tell(&r, REPAIR_FRESH, "%s", "");
	/* Service goes first from now on. */
	if (nice(10) < 0)
		(void)0;
	check_store(&r, "held");
	tell(&r, REPAIR_HELD, "%s", "");
	if (!checkup_is_owed(folder) || !save_all(&r))
		tell(&r, REPAIR_SAVED, "%s", "");
	tell(&r, REPAIR_OVER, "%s", "");
}
