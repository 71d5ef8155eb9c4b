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

enum {
	PATH_ROOM = FOLDER_MAX + 300,
	LOST_SAID = 100, /* of these single lines are logged; all are listed */
};

struct repair {
	const char *folder;
	uint64_t map;
	int out;
	FILE *list;
	unsigned lost;
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

	if (!strstr(name, ".damaged-"))
		return false;
	snprintf(path, sizeof(path), "%s/%s/" REPAIR_LIST, folder, name);
	return access(path, F_OK) != 0;
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

static void on_line(void *arg, enum salvage_fate fate, const char *text)
{
	static const char *const words[] = {
		[SALVAGE_SAVED] = "saved",
		[SALVAGE_LOST] = "lost ",
		[SALVAGE_NOTED] = "note ",
	};
	struct repair *r = arg;

	fprintf(r->list, "%s %s\n", words[fate], text);
	if (fate == SALVAGE_LOST && r->lost++ < LOST_SAID)
		tell(r, REPAIR_WARNING, "lost: %s", text);
}

static int save_into(struct repair *r, const char *file, struct store *held)
{
	struct salvage_settings set = {
		.file = file, .into = held, .say = on_line, .arg = r
	};
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
	     "salvaged from %s: %llu messages, %llu of "
	     "their bodies' pieces; %llu records are lost; the list is " REPAIR_LIST
	     " beside it",
	     file, (unsigned long long)counts.messages,
	     (unsigned long long)counts.chunks,
	     (unsigned long long)counts.lost);
	return 0;
}

/* The list gets its name when all of it is true. */
static int save(struct repair *r, const char *name, struct store *held)
{
	char file[PATH_ROOM], draft[PATH_ROOM], list[PATH_ROOM];
	int rc;

	snprintf(file, sizeof(file), "%s/%s/data.mdb", r->folder, name);
	snprintf(draft, sizeof(draft), "%s/%s/" REPAIR_LIST ".new", r->folder,
		 name);
	snprintf(list, sizeof(list), "%s/%s/" REPAIR_LIST, r->folder, name);
	r->list = fopen(draft, "we");
	if (!r->list) {
		tell(r, REPAIR_WARNING, "%s cannot be written", draft);
		return -1;
	}
	r->lost = 0;
	rc = save_into(r, file, held);
	if (fflush(r->list) || fsync(fileno(r->list)))
		rc = -1;
	fclose(r->list);
	return rc || rename(draft, list) ? -1 : 0;
}

static int save_all(struct repair *r)
{
	char path[PATH_ROOM];
	struct error error;
	struct store *held;
	DIR *dir = opendir(r->folder);
	const struct dirent *entry;
	int rc = dir ? 0 : -1;

	snprintf(path, sizeof(path), "%s/held", r->folder);
	held = store_open(path, r->map, &error);
	if (!held)
		tell(r, REPAIR_WARNING, "%s", error.text);
	while (dir && held && (entry = readdir(dir)))
		if (is_owed(r->folder, entry->d_name) &&
		    save(r, entry->d_name, held))
			rc = -1;
	if (dir)
		closedir(dir);
	store_close(held);
	return held ? rc : -1;
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
