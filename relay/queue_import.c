/*
 * `postern queue import`: exported messages, through the control socket of
 * a worker or a workshop.  Each is durable before it is counted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/door.h"
#include "relay/owner.h"
#include "relay/queue_file.h"
#include "relay/queue_order.h"
#include "relay/queue_verbs.h"

enum { PIECE = 64 * 1024 };

struct import {
	struct queue_order order;
	struct door *doors;
	unsigned door_count, next; /* next: whose turn it is */
	int folder;                /* of the files */
	uint64_t done, known, failed;
	bool is_full;
};

/* --- doors ------------------------------------------------------------ */

static int open_doors(struct import *m, struct error *error)
{
	const struct conf *conf = m->order.conf;
	unsigned open = 0;
	int rc = 0;

	m->door_count = door_folders(conf->spool);
	m->doors = must_alloc((m->door_count + 1) * sizeof(*m->doors));
	for (unsigned i = 0; i < m->door_count && !rc; i++) {
		m->doors[i].fd = -1;
		rc = door_open(&m->doors[i], conf, i, error);
		open += m->doors[i].fd >= 0;
	}
	if (rc || open)
		return rc;
	return door_open_new(&m->doors[m->door_count++], conf, error);
}

static void close_doors(struct import *m)
{
	for (unsigned i = 0; i < m->door_count; i++)
		door_close(&m->doors[i]);
	free(m->doors);
}

/* Waits for "done"; what else comes says why not. *met: the jobs that an
 * order met. */
static int hear_end(struct door *door, uint64_t *met, struct error *error)
{
	char word[16], text[ERROR_TEXT_MAX], recipients[24], busy[24];
	struct view line;
	uint64_t being_delivered;

	do {
		if (door_hear(door, &line, error))
			return -1;
		if (control_word(&line, word, sizeof(word)))
			return error_set(error, "an answer that is not "
					 "understood");
	} while (!strcmp(word, "working"));
	*text = '\0';
	control_word(&line, text, sizeof(text));
	if (strcmp(word, "done") != 0)
		return error_set(error, "%s", text);
	if (!met)
		return 0;
	if (control_word(&line, recipients, sizeof(recipients)) ||
	    control_word(&line, busy, sizeof(busy)) ||
	    view_number(view_of(text), UINT64_MAX / 2, met) ||
	    view_number(view_of(busy), UINT64_MAX / 2, &being_delivered))
		return error_set(error, "an answer that is not understood");
	*met += being_delivered;
	return 0;
}

static int order_all(struct import *m, const char *verb, const char *kind,
		     const char *value, uint64_t *sum, struct error *error)
{
	struct buffer line = { NULL, 0, 0, 0 };
	int rc = 0;

	*sum = 0;
	buffer_printf(&line, "postern/1 sweep %s %s", verb, kind);
	control_put(&line, value);
	buffer_append(&line, VIEW("\n"));
	for (unsigned i = 0; i < m->door_count && !rc; i++) {
		uint64_t count = 0;

		if (m->doors[i].fd < 0)
			continue;
		rc = door_say(&m->doors[i], buffer_view(&line), error);
		if (!rc)
			rc = hear_end(&m->doors[i], &count, error);
		*sum += count;
	}
	buffer_clear(&line);
	return rc;
}

static struct door *next_door(struct import *m)
{
	for (unsigned i = 0; i < m->door_count; i++) {
		struct door *door = &m->doors[m->next++ % m->door_count];

		if (door->fd >= 0)
			return door;
	}
	return NULL;
}

/* After a refusal the rest of a body would be read as orders, so that the
 * other side hangs up. */
static int reopen(struct import *m, struct door *door, struct error *error)
{
	unsigned number = door->folder;
	int rc;

	door_close(door);
	if (owner_enter(m->order.conf->spool, error))
		return -1;
	rc = door_open(door, m->order.conf, number, error);
	owner_leave();
	return rc;
}

/* --- one message ------------------------------------------------------ */

static int read_file(const struct import *m, const char *name,
		     struct buffer *out, struct error *error)
{
	int fd = openat(m->folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return error_errno(error, "%s", name);
	while (n > 0 && buffer_len(out) <= CONTROL_ENVELOPE_MAX) {
		n = read(fd, buffer_reserve(out, PIECE), PIECE);
		if (n > 0)
			buffer_added(out, (size_t)n);
	}
	if (n < 0)
		error_errno(error, "%s", name);
	close(fd);
	if (n > 0)
		return error_set(error, "%s: too large", name);
	return n < 0 ? -1 : 0;
}

static int send_body(struct door *door, int fd, uint64_t left,
		     struct error *error)
{
	unsigned char *piece = must_alloc(PIECE);
	int rc = 0;

	while (left && !rc) {
		size_t want = left < PIECE ? (size_t)left : PIECE;
		ssize_t n = read(fd, piece, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = error_set(error, "the body became shorter");
			break;
		}
		rc = door_say(door, view_make(piece, (size_t)n), error);
		left -= (uint64_t)n;
	}
	free(piece);
	return rc;
}

static int send_message(struct import *m, struct view envelope, int body,
			struct error *error)
{
	struct door *door = next_door(m);
	struct buffer line = { NULL, 0, 0, 0 };
	struct error ignored = { .text = "" };
	struct stat at;
	int rc;

	if (!door)
		return error_set(error, "no folder of the spool answers");
	if (fstat(body, &at) || !S_ISREG(at.st_mode))
		return error_set(error, "the body is no file");
	buffer_printf(&line, "postern/1 import %zu %lld\n", envelope.len,
		      (long long)at.st_size);
	rc = door_say(door, buffer_view(&line), error);
	buffer_clear(&line);
	if (!rc)
		rc = door_say(door, envelope, error);
	if (!rc)
		rc = send_body(door, body, (uint64_t)at.st_size, error);
	/* A refusal says why, also in the middle. */
	if (hear_end(door, NULL, rc ? &ignored : error) || rc) {
		if (rc && *ignored.text && !strstr(ignored.text, "hung up"))
			*error = ignored;
		reopen(m, door, &ignored);
		return -1;
	}
	return 0;
}

static int import_body(struct import *m, const char *name,
		       struct view envelope, struct error *error)
{
	size_t len = strlen(name) - strlen(".envelope");
	char body[NAME_MAX + 1];
	int fd, rc;

	snprintf(body, sizeof(body), "%.*s.eml", (int)len, name);
	fd = openat(m->folder, body, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, "%s", body);
	rc = send_message(m, envelope, fd, error);
	close(fd);
	return rc;
}

/* 1: it is here already. */
static int import_one(struct import *m, const char *name, struct error *error)
{
	struct buffer text = { NULL, 0, 0, 0 };
	struct restored restored = { NULL, NULL, 0 };
	uint64_t known;
	int rc = read_file(m, name, &text, error);

	if (!rc)
		rc = queue_file_read(buffer_view(&text), &restored, error);
	if (!rc)
		rc = order_all(m, "count", "id", restored.envelope->id, &known,
			       error);
	if (!rc && known)
		rc = 1;
	if (!rc)
		rc = import_body(m, name, buffer_view(&text), error);
	restored_clear(&restored);
	buffer_clear(&text);
	return rc;
}

static void import_file(struct import *m, const char *name)
{
	struct error error;
	int rc = import_one(m, name, &error);

	m->done += rc == 0;
	m->known += rc > 0;
	if (rc >= 0)
		return;
	m->failed++;
	m->is_full |= strstr(error.text, "no room") != NULL;
	fprintf(stderr, "postern: %s: %s\n", name, error.text);
}

/* --- all of a folder --------------------------------------------------- */

static int import_holds(struct import *m, struct error *error)
{
	struct buffer text = { NULL, 0, 0, 0 };
	struct view rest;
	int rc = 0;

	if (faccessat(m->folder, "holds", F_OK, 0))
		return 0;
	rc = read_file(m, "holds", &text, error);
	for (rest = buffer_view(&text); rest.len && !rc;) {
		struct view line = view_cut(&rest, '\n');
		char kind[16], value[SELECTOR_MAX];
		struct selector rule;
		uint64_t ignored;

		if (control_word(&line, kind, sizeof(kind)) ||
		    control_word(&line, value, sizeof(value)) ||
		    selector_from_words(kind, value, &rule))
			rc = error_set(error, "holds: that is no rule");
		/* What is on hold by its id says so itself. */
		else if (rule.kind != SELECT_ID)
			rc = order_all(m, "hold", kind, value, &ignored,
				       error);
	}
	buffer_clear(&text);
	return rc;
}

static int is_envelope(const struct dirent *at)
{
	size_t len = strlen(at->d_name), end = strlen(".envelope");

	return len > end && !strcmp(at->d_name + len - end, ".envelope");
}

static int import_folder(struct import *m, struct error *error)
{
	struct dirent **names;
	int count, rc;

	m->folder = open(m->order.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->folder < 0)
		return error_errno(error, "%s", m->order.path);
	rc = import_holds(m, error);
	if (rc)
		return rc;
	count = scandirat(m->folder, ".", &names, is_envelope, alphasort);
	if (count < 0)
		return error_errno(error, "%s", m->order.path);
	for (int i = 0; i < count; i++) {
		if (!m->is_full)
			import_file(m, names[i]->d_name);
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r%d of %d ...", i + 1, count);
		free(names[i]);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	free(names);
	return 0;
}

/* "dir/NAME.envelope" */
static int import_path(struct import *m, struct error *error)
{
	const char *path = m->order.path, *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct dirent at;
	char *folder;
	struct stat what;

	if (stat(path, &what))
		return error_errno(error, "%s", path);
	if (S_ISDIR(what.st_mode))
		return import_folder(m, error);
	snprintf(at.d_name, sizeof(at.d_name), "%s", name);
	if (!is_envelope(&at))
		return error_set(error, "%s: a folder or an .envelope file is "
				 "wanted", path);
	folder = slash ? view_string(view_make(path,
					       (size_t)(slash - path) + 1)) :
			 must_strdup(".");
	m->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (m->folder < 0)
		return error_errno(error, "%s", path);
	import_file(m, name);
	return 0;
}

static int run(struct import *m, struct error *error)
{
	int rc;

	if (owner_enter(m->order.conf->spool, error))
		return -1;
	rc = open_doors(m, error);
	owner_leave();
	return rc ? rc : import_path(m, error);
}

int verb_queue_import(const char *conf_path, int argc, char **argv)
{
	struct import m = { .folder = -1 };
	struct error error = { .text = "" };
	int status = queue_order_parse(&m.order, "queue import", TAKES_PATH,
				       argc, argv);

	if (!status)
		status = queue_order_begin(&m.order, conf_path);
	if (status)
		return status;
	if (run(&m, &error))
		status = queue_order_fail(&error, EX_NOINPUT);
	else if (m.failed)
		status = m.is_full ? EX_TEMPFAIL : EX_DATAERR;
	printf("%" PRIu64 " message%s imported", m.done,
	       m.done == 1 ? "" : "s");
	if (m.known)
		printf(", %" PRIu64 " here already", m.known);
	if (m.failed)
		printf(", %" PRIu64 " failed", m.failed);
	printf("\n");
	close_doors(&m);
	if (m.folder >= 0)
		close(m.folder);
	queue_order_end(&m.order);
	return status;
}
