/*
 * Comes in: what is said in a session.  Goes out: lines of its file, each
 * written at once, so that the file can be read while the session lasts.
 * The names of the files are kept as a ring; a new one takes the place of
 * the oldest, whose file is removed.
 */
#include "relay/lab/transcript.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/log.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	ID_MAX = 32, /* "20261125T024512-0001" */
	TRIES = 1000, /* other names, where one is taken */
};

#define SUFFIX ".txt"

struct name {
	char id[ID_MAX];
};

struct transcripts {
	char *folder;
	struct name *names; /* ring of `kept` */
	size_t kept, count, first;
	unsigned number;    /* of the last session */
	bool is_broken;     /* the disk failed, and that was logged */
};

struct transcript {
	struct transcripts *all;
	char id[ID_MAX];
	int fd;             /* -1: not to be written */
	double began;
	size_t size;
};

static void trouble(struct transcripts *all, const char *what)
{
	if (!all->is_broken)
		log_say(LOG_ERROR, "warning", "%s: %s: %s", all->folder, what,
			strerror(errno));
	all->is_broken = true;
}

/* --- the folder ------------------------------------------------------ */

static void path_of(const struct transcripts *all, const char *id,
		    char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s" SUFFIX, all->folder, id);
}

static void remove_oldest(struct transcripts *all)
{
	char path[PATH_MAX];

	path_of(all, all->names[all->first].id, path);
	(void)unlink(path);
	all->first = (all->first + 1) % all->kept;
	all->count--;
}

static void keep(struct transcripts *all, const char *id)
{
	struct name *name;

	if (all->count == all->kept)
		remove_oldest(all);
	name = &all->names[(all->first + all->count++) % all->kept];
	snprintf(name->id, sizeof(name->id), "%s", id);
}

/* "20261125T024512-0001.txt" and nothing else: whatever the operator put
 * there stays. */
static bool is_ours(const char *file, char id[ID_MAX])
{
	size_t digits = strspn(file, "0123456789"), len = strlen(file);

	if (digits != 8 || file[8] != 'T' || len < 20 || len >= ID_MAX ||
	    strspn(file + 9, "0123456789") != 6 || file[15] != '-' ||
	    16 + strspn(file + 16, "0123456789") + strlen(SUFFIX) != len ||
	    strcmp(file + len - strlen(SUFFIX), SUFFIX) != 0)
		return false;
	snprintf(id, ID_MAX, "%.*s", (int)(len - strlen(SUFFIX)), file);
	return true;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->id,
		      ((const struct name *)b)->id);
}

/* The files of earlier runs count as well. */
static int find_earlier(struct transcripts *all)
{
	DIR *folder = opendir(all->folder);
	struct name *found = NULL, name;
	const struct dirent *entry;
	size_t count = 0, i;

	if (!folder)
		return -1;
	while ((entry = readdir(folder))) {
		if (!is_ours(entry->d_name, name.id))
			continue;
		if ((count & (count - 1)) == 0)
			found = must_realloc(found, (count ? 2 * count : 1) *
							    sizeof(*found));
		found[count++] = name;
	}
	closedir(folder);
	if (count > 0)
		qsort(found, count, sizeof(*found), by_id);
	for (i = 0; i < count; i++)
		keep(all, found[i].id);
	free(found);
	return 0;
}

struct transcripts *transcripts_open(const char *store, unsigned kept,
				     struct error *error)
{
	struct transcripts *all = must_alloc(sizeof(*all));
	struct buffer path = { 0 };

	buffer_printf(&path, "%s/" TRANSCRIPTS_FOLDER, store);
	all->folder = view_string(buffer_view(&path));
	buffer_clear(&path);
	all->kept = kept > 0 ? kept : 1;
	all->names = must_alloc(all->kept * sizeof(*all->names));
	if ((mkdir(all->folder, FOLDER_MODE) && errno != EEXIST) ||
	    find_earlier(all)) {
		error_errno(error, "store \"%s\"", all->folder);
		transcripts_close(all);
		return NULL;
	}
	return all;
}

void transcripts_close(struct transcripts *transcripts)
{
	if (!transcripts)
		return;
	free(transcripts->folder);
	free(transcripts->names);
	free(transcripts);
}

/* --- lines ----------------------------------------------------------- */

static void put(struct transcript *t, struct view text)
{
	while (t->fd >= 0 && text.len > 0) {
		ssize_t n = write(t->fd, text.at, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			trouble(t->all, t->id);
			close(t->fd);
			t->fd = -1;
			return;
		}
		t->size += (size_t)n;
		text = view_from(text, (size_t)n);
	}
}

static void put_line(struct transcript *t, double now, const char *mark,
		     struct view line)
{
	struct buffer text = { 0 };

	if (t->fd < 0)
		return;
	buffer_printf(&text, "%9.3f %s ", now - t->began, mark);
	bytes_escape(&text, line, TRANSCRIPT_LINE_MAX);
	buffer_append_byte(&text, '\n');
	if (t->size + buffer_len(&text) > TRANSCRIPT_MAX) {
		put(t, VIEW("(the rest is left out)\n"));
		if (t->fd >= 0)
			close(t->fd);
		t->fd = -1;
	} else {
		put(t, buffer_view(&text));
	}
	buffer_clear(&text);
}

void transcript_heard(struct transcript *t, struct view line, double now)
{
	put_line(t, now, "C:", line);
}

void transcript_said(struct transcript *t, struct view lines, double now)
{
	while (lines.len > 0) {
		struct view line = view_cut(&lines, '\n');

		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		put_line(t, now, "S:", line);
	}
}

void transcript_note(struct transcript *t, double now, const char *format, ...)
{
	char text[TRANSCRIPT_LINE_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	put_line(t, now, "--", view_of(text));
}

/* --- life ------------------------------------------------------------ */

static int create(struct transcript *t)
{
	char stamp[20], path[PATH_MAX];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	for (unsigned i = 0; i < TRIES; i++) {
		int fd;

		t->all->number = t->all->number % 9999 + 1;
		snprintf(t->id, sizeof(t->id), "%s-%04u", stamp,
			 t->all->number);
		path_of(t->all, t->id, path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  FILE_MODE);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

struct transcript *transcript_new(struct transcripts *transcripts, double now)
{
	struct transcript *t = must_alloc(sizeof(*t));

	t->all = transcripts;
	t->began = now;
	t->fd = create(t);
	if (t->fd >= 0)
		keep(transcripts, t->id);
	else
		trouble(transcripts, t->id);
	return t;
}

void transcript_free(struct transcript *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

const char *transcript_id(const struct transcript *t)
{
	return t->id;
}
