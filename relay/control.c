/*
 * Listening on the control socket and obeying.  See control.h.  A request
 * is answered before the next one of its connection is read; a connection
 * that goes stops what it began after the step that is under way.
 */
#include "relay/control.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/log.h"
#include "relay/queue_file.h"

enum { READ_PIECE = 16 * 1024, PROGRESS_EVERY = 1 };

struct caller {
	struct caller *next;
	struct control *control;
	ev_io reading, writing;
	struct buffer in, out;
	struct sweep *sweep;   /* under way */
	struct intake *intake; /* a message that is imported, or ... */
	bool is_importing;     /* ... its envelope is still to come */
	bool is_storing;       /* it is whole: the queue will say */
	size_t envelope_left;
	uint64_t body_left;
	double told;           /* when progress was last said */
	bool is_over;          /* goes when all is written */
};

struct control {
	struct control_settings set;
	ev_io listening;
	char *folder;          /* of the socket; NULL: none */
	struct caller *callers;
	size_t count;
};

/* --- a connection ---------------------------------------------------- */

static void caller_free(struct caller *c)
{
	struct control *control = c->control;
	struct caller **at = &control->callers;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	control->count--;
	if (c->sweep)
		sweep_cancel(c->sweep);
	if (c->intake)
		intake_abort(c->intake);
	ev_io_stop(control->set.loop, &c->reading);
	ev_io_stop(control->set.loop, &c->writing);
	close(c->reading.fd);
	buffer_clear(&c->in);
	buffer_clear(&c->out);
	free(c);
	if (!control->count && control->set.idle)
		control->set.idle(control->set.arg);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct caller *c = watcher->data;
	struct view text = buffer_view(&c->out);
	ssize_t n = text.len ? send(watcher->fd, text.at, text.len,
				    MSG_NOSIGNAL) : 0;

	(void)events;
	if (n > 0)
		buffer_consume(&c->out, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		caller_free(c);
		return;
	}
	if (buffer_len(&c->out))
		return;
	ev_io_stop(loop, watcher);
	if (c->is_over)
		caller_free(c);
}

static void flush(struct caller *c)
{
	if (buffer_len(&c->out))
		ev_io_start(c->control->set.loop, &c->writing);
}

static void say_failed(struct caller *c, const char *why)
{
	buffer_append(&c->out, VIEW("failed"));
	control_put(&c->out, why);
	buffer_append(&c->out, VIEW("\n"));
	flush(c);
}

/* Nothing that it says can be understood any more. */
static void turn_away(struct caller *c, const char *why)
{
	c->is_over = true;
	say_failed(c, why);
	ev_io_stop(c->control->set.loop, &c->reading);
}

/* --- requests -------------------------------------------------------- */

static void put_counts(struct caller *c, const char *word,
		       const struct sweep_counts *n)
{
	buffer_printf(&c->out, "%s %llu %llu %llu %llu %d\n", word,
		      (unsigned long long)n->jobs,
		      (unsigned long long)n->recipients,
		      (unsigned long long)n->busy,
		      (unsigned long long)n->on_hold, n->has_rule);
	flush(c);
}

static void read_requests(struct caller *c);

static void on_sweep(void *arg, const struct sweep_counts *counts,
		     bool is_over)
{
	struct caller *c = arg;
	double now = ev_now(c->control->set.loop);

	if (!is_over) {
		if (now - c->told >= PROGRESS_EVERY)
			put_counts(c, "working", counts);
		if (now - c->told >= PROGRESS_EVERY)
			c->told = now;
		return;
	}
	c->sweep = NULL;
	if (counts->is_broken)
		say_failed(c, "the spool could not be changed; see the log");
	else
		put_counts(c, "done", counts);
	read_requests(c);
}

static void log_order(const char *verb, const struct selector *selector)
{
	struct log_line line;

	log_begin(&line, LOG_NOTICE, "ordered");
	log_str(&line, "command", verb);
	log_str(&line, selector_kind_word(selector->kind), selector->value);
	log_end(&line);
}

static void begin_sweep(struct caller *c, struct view words)
{
	char verb[16], kind[16], value[SELECTOR_MAX];
	struct selector selector;

	if (control_word(&words, verb, sizeof(verb)) ||
	    control_word(&words, kind, sizeof(kind)) ||
	    control_word(&words, value, sizeof(value)) ||
	    selector_from_words(kind, value, &selector)) {
		say_failed(c, "this is no order that I know");
		return;
	}
	for (int i = SWEEP_COUNT; i <= SWEEP_BOUNCE; i++) {
		if (strcmp(control_verb((enum sweep_verb)i), verb) != 0)
			continue;
		if (i == SWEEP_HOLD && !hold_is_possible(&selector))
			break;
		if (i != SWEEP_COUNT)
			log_order(verb, &selector);
		c->sweep = sweep_new(c->control->set.queue,
				     (enum sweep_verb)i, &selector, on_sweep,
				     c);
		return;
	}
	say_failed(c, "this is no order that I know");
}

/* --- importing ------------------------------------------------------- */

static void on_intake(void *arg, enum intake_event event)
{
	struct caller *c = arg;

	if (event == INTAKE_ROOM) {
		ev_io_start(c->control->set.loop, &c->reading);
		read_requests(c);
		return;
	}
	c->intake = NULL;
	c->is_storing = false;
	if (event == INTAKE_STORED) {
		buffer_append(&c->out, VIEW("done\n"));
		flush(c);
		ev_io_start(c->control->set.loop, &c->reading);
		read_requests(c);
	} else {
		/* What of it is still on its way would be read as orders. */
		turn_away(c, event == INTAKE_NO_ROOM ?
				     "there is no room in the spool" :
				     "the spool could not be changed; see "
				     "the log");
	}
}

static void begin_import(struct caller *c, struct view words)
{
	char envelope[24], body[24];
	uint64_t len;

	if (control_word(&words, envelope, sizeof(envelope)) ||
	    control_word(&words, body, sizeof(body)) ||
	    view_number(view_of(envelope), CONTROL_ENVELOPE_MAX, &len) ||
	    view_number(view_of(body), INT64_MAX, &c->body_left)) {
		turn_away(c, "an envelope or a body that is too large");
		return;
	}
	if (!queue_has_room(c->control->set.queue, c->body_left)) {
		turn_away(c, "there is no room in the spool");
		return;
	}
	c->envelope_left = (size_t)len;
	c->is_importing = true;
}

/* The envelope once it is all there; false: not yet, or no good. */
static bool import_envelope(struct caller *c)
{
	struct view all = buffer_view(&c->in);
	struct restored restored;
	struct error error;

	if (all.len < c->envelope_left)
		return false;
	if (queue_file_read(view_first(all, c->envelope_left), &restored,
			    &error)) {
		turn_away(c, error.text);
		return false;
	}
	buffer_consume(&c->in, c->envelope_left);
	c->envelope_left = 0;
	c->is_importing = false;
	c->intake = intake_restore(c->control->set.queue, &restored, on_intake,
				   c);
	return true;
}

/* False: more of it has to come. */
static bool import_body(struct caller *c)
{
	struct view piece = buffer_view(&c->in);

	if (!piece.len && c->body_left)
		return false;
	if (piece.len > c->body_left)
		piece.len = (size_t)c->body_left;
	c->body_left -= piece.len;
	intake_append(c->intake, piece);
	buffer_consume(&c->in, piece.len);
	if (!c->body_left) {
		c->is_storing = true;
		intake_commit(c->intake, NULL);
	} else if (intake_is_full(c->intake)) {
		ev_io_stop(c->control->set.loop, &c->reading);
	}
	return true;
}

/* --- orders ----------------------------------------------------------- */

static void answer_status(struct caller *c)
{
	const struct control_settings *set = &c->control->set;

	if (set->status)
		set->status(set->arg, &c->out);
	buffer_append(&c->out, VIEW("done\n"));
	flush(c);
}

static void obey(struct caller *c, struct view line)
{
	const struct control_settings *set = &c->control->set;
	char word[16];

	if (control_word(&line, word, sizeof(word)) ||
	    strcmp(word, "postern/1") != 0)
		turn_away(c, "another version of postern has this folder");
	else if (control_word(&line, word, sizeof(word)))
		say_failed(c, "an order is missing");
	else if (set->queue && !strcmp(word, "sweep"))
		begin_sweep(c, line);
	else if (set->queue && !strcmp(word, "import"))
		begin_import(c, line);
	else if (!strcmp(word, "status"))
		answer_status(c);
	else if (set->order && set->order(set->arg, word, line, &c->out))
		flush(c);
	else
		say_failed(c, "this is no order that I know");
}

static bool is_busy(const struct caller *c)
{
	return c->sweep || c->is_storing || c->is_over;
}

/* False: there is no whole line. */
static bool take_line(struct caller *c)
{
	struct view all = buffer_view(&c->in);
	size_t len = view_index(all, '\n');

	if (len > CONTROL_LINE_MAX)
		turn_away(c, "a line is too long");
	if (len > CONTROL_LINE_MAX || len == all.len)
		return false;
	obey(c, view_first(all, len));
	buffer_consume(&c->in, len + 1);
	return true;
}

static void read_requests(struct caller *c)
{
	while (!is_busy(c)) {
		bool goes_on = c->is_importing ? import_envelope(c) :
			       c->intake       ? import_body(c) :
						 take_line(c);

		if (!goes_on)
			return;
	}
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct caller *c = watcher->data;
	ssize_t n;

	(void)loop, (void)events;
	/* What is sent while an order is carried out waits, but not much. */
	if (buffer_len(&c->in) > 2 * READ_PIECE + c->envelope_left) {
		turn_away(c, "too much at once");
		return;
	}
	n = recv(watcher->fd, buffer_reserve(&c->in, READ_PIECE), READ_PIECE,
		 0);
	if (n > 0) {
		buffer_added(&c->in, (size_t)n);
		read_requests(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		caller_free(c);
	}
}

/* --- listening ------------------------------------------------------- */

void control_adopt(struct control *control, int fd)
{
	struct caller *c = must_alloc(sizeof(*c));

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	c->control = control;
	c->next = control->callers;
	control->callers = c;
	control->count++;
	ev_io_init(&c->reading, on_readable, fd, EV_READ);
	ev_io_init(&c->writing, on_writable, fd, EV_WRITE);
	c->reading.data = c->writing.data = c;
	ev_io_start(control->set.loop, &c->reading);
}

/* The folder's mode keeps others out; this is the second lock. */
static bool is_allowed(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void on_caller(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control *control = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)loop, (void)events;
	if (fd < 0)
		return;
	if (control->count < CONTROL_CONNECTIONS && is_allowed(fd))
		control_adopt(control, fd);
	else
		close(fd);
}

/* The name goes through the folder's descriptor: however long its path is,
 * it fits. */
static int name_socket(const char *folder, struct sockaddr_un *name,
		       struct error *error)
{
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(error, "%s", folder);
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	snprintf(name->sun_path, sizeof(name->sun_path),
		 "/proc/self/fd/%d/control", fd);
	return fd;
}

int control_listen(struct control *control, const char *folder,
		   struct error *error)
{
	struct sockaddr_un name;
	int where = name_socket(folder, &name, error);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(077);
	int status = 0;

	/* We have the folder's lock: what is there is a dead one's. */
	if (where >= 0)
		unlink(name.sun_path);
	if (where < 0)
		status = -1;
	else if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) ||
		 chmod(name.sun_path, 0600) || listen(fd, 8))
		status = error_errno(error, "%s/control", folder);
	umask(mask);
	if (where >= 0)
		close(where);
	if (status) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	control->folder = must_strdup(folder);
	ev_io_init(&control->listening, on_caller, fd, EV_READ);
	control->listening.data = control;
	ev_io_start(control->set.loop, &control->listening);
	return 0;
}

struct control *control_new(const struct control_settings *settings)
{
	struct control *control = must_alloc(sizeof(*control));

	control->set = *settings;
	return control;
}

static void stop_listening(struct control *control)
{
	struct sockaddr_un name;
	struct error ignored;
	int where = name_socket(control->folder, &name, &ignored);

	ev_io_stop(control->set.loop, &control->listening);
	close(control->listening.fd);
	if (where >= 0) {
		unlink(name.sun_path);
		close(where);
	}
	free(control->folder);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	if (control->folder)
		stop_listening(control);
	control->set.idle = NULL;
	while (control->callers)
		caller_free(control->callers);
	free(control);
}
