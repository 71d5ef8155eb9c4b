/*
 * The lab's store.  The body is collected in a nameless file; at the end a
 * file in tmp/ gets the label and the body behind it, is
 * synced, and appears in new/.  It waits for the disk: a lab may.
 */
#include "relay/lab/maildir.h"

#include "queue/envelope.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The store may be looked into, for what the lab makes; mail may not. */
enum { STORE_MODE = 0755, FOLDER_MODE = 0700, FILE_MODE = 0600 };

/* Of a message, where fields that look like ours are counted. */
enum { HEADER_MAX = 256 * 1024 };

struct maildir {
	struct ev_loop *loop;
	char *folder;
	char *gateway;
};

struct message {
	const struct maildir_visitor *visitor;
	struct maildir *maildir;
	intake_callback *call;
	void *arg;
	char id[MESSAGE_ID_LEN + 1];
	struct timespec came;
	int body;    /* -1: could not be made */
	int failure; /* errno of the first thing that failed */
	enum intake_event end;
	ev_timer report; /* the end, said on the loop's next turn */
};

static void name_message(char id[MESSAGE_ID_LEN + 1])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned char chance[MESSAGE_ID_LEN] = { 0 };

	if (getrandom(chance, sizeof(chance), 0) < 0)
		abort();
	for (size_t i = 0; i < MESSAGE_ID_LEN; i++)
		id[i] = digits[chance[i] % 32];
	id[MESSAGE_ID_LEN] = '\0';
}

static void path_of(const struct message *m, const char *part,
		    char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s/%lld.M%06ldQ%s.%s", m->maildir->folder,
		 part, (long long)m->came.tv_sec, m->came.tv_nsec / 1000,
		 m->id, m->maildir->gateway);
}

static int write_all(int fd, struct view bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		bytes = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static int copy_body(int from, int to)
{
	unsigned char bytes[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, bytes, sizeof(bytes), at)) > 0) {
		if (write_all(to, view_make(bytes, (size_t)n)))
			return -1;
		at += n;
	}
	return n < 0 ? -1 : 0;
}

static bool has_room(void *store, uint64_t size)
{
	(void)store;
	(void)size;
	return true;
}

static void on_report(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct message *m = watcher->data;
	intake_callback *call = m->call;
	void *arg = m->arg;
	enum intake_event end = m->end;

	(void)loop;
	(void)events;
	free(m);
	call(arg, end);
}

static void *begin(void *store, intake_callback *call, void *arg)
{
	struct message *m = must_alloc(sizeof(*m));
	char path[PATH_MAX];

	m->visitor = store;
	m->maildir = m->visitor->maildir;
	clock_gettime(CLOCK_REALTIME, &m->came);
	m->call = call;
	m->arg = arg;
	name_message(m->id);
	path_of(m, "tmp", path);
	m->body = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->body >= 0)
		unlink(path);
	else
		m->failure = errno;
	ev_timer_init(&m->report, on_report, 0., 0.);
	m->report.data = m;
	return m;
}

static const char *id(void *message)
{
	const struct message *m = message;

	return m->id;
}

static void append(void *message, struct view bytes)
{
	struct message *m = message;

	if (!m->failure && write_all(m->body, bytes))
		m->failure = errno;
}

static bool is_full(void *message)
{
	(void)message;
	return false;
}

/* Fields of the client's that are called as the label's are. */
static unsigned count_foreign(const struct message *m)
{
	unsigned char *head = must_alloc(HEADER_MAX);
	ssize_t n = m->body < 0 ? 0 : pread(m->body, head, HEADER_MAX, 0);
	unsigned count = label_foreign(view_make(head, n > 0 ? (size_t)n : 0));

	free(head);
	return count;
}

static void compose_head(struct buffer *out, const struct message *m,
			 const struct envelope *envelope,
			 const struct tls_facts *facts)
{
	struct label label = {
		.gateway = m->maildir->gateway,
		.session = "",
		.client = "",
		.helo = "",
		.protocol = "",
		.received = m->came.tv_sec,
		.facts = facts && facts->is_tls ? facts : NULL,
		.from = { .address = envelope->sender },
		.to_count = envelope->recipient_count,
		.foreign = count_foreign(m),
	};

	label.to = must_alloc(label.to_count * sizeof(*label.to));
	for (size_t i = 0; i < label.to_count; i++)
		label.to[i].address = envelope->recipients[i].address;
	m->visitor->describe(m->visitor->arg, &label);
	label_write(out, &label);
	free(label.to);
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status = -1;

	if (fd >= 0) {
		status = fsync(fd);
		close(fd);
	}
	return status;
}

static int publish(const struct message *m, struct view head)
{
	char draft[PATH_MAX], final[PATH_MAX], folder[PATH_MAX];
	int fd, status;

	path_of(m, "tmp", draft);
	path_of(m, "new", final);
	snprintf(folder, sizeof(folder), "%s/new", m->maildir->folder);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -1;
	status = write_all(fd, head) || copy_body(m->body, fd) || fsync(fd);
	if (close(fd) || status || rename(draft, final) ||
	    sync_folder(folder)) {
		int saved = errno;

		unlink(draft);
		errno = saved;
		return -1;
	}
	return 0;
}

static void say_stored(const struct message *m)
{
	struct log_line line;
	char path[PATH_MAX];

	path_of(m, "new", path);
	log_begin(&line, LOG_INFO, "stored");
	log_str(&line, "id", m->id);
	log_str(&line, "name", m->maildir->gateway);
	log_str(&line, "file", path);
	log_end(&line);
}

static void commit(void *message, struct envelope *envelope,
		   const struct tls_facts *facts)
{
	struct message *m = message;
	struct buffer head = { 0 };

	compose_head(&head, m, envelope, facts);
	if (!m->failure && publish(m, buffer_view(&head)))
		m->failure = errno;
	m->end = INTAKE_STORED;
	if (m->failure) {
		m->end = m->failure == ENOSPC ? INTAKE_NO_ROOM : INTAKE_FAILED;
		log_say(LOG_ERROR, "warning", "%s: %s", m->maildir->folder,
			strerror(m->failure));
	} else {
		say_stored(m);
		m->visitor->stored(m->visitor->arg, m->id);
	}
	buffer_clear(&head);
	envelope_free(envelope);
	if (m->body >= 0)
		close(m->body);
	ev_timer_start(m->maildir->loop, &m->report);
}

static void forget(void *message)
{
	struct message *m = message;

	/* After commit() only the report was open. */
	if (ev_is_active(&m->report))
		ev_timer_stop(m->maildir->loop, &m->report);
	else if (m->body >= 0)
		close(m->body);
	free(m);
}

const struct store_verbs maildir_verbs = {
	.has_room = has_room,
	.begin = begin,
	.id = id,
	.append = append,
	.is_full = is_full,
	.commit = commit,
	.abort = forget,
};

static int make_folder(const char *folder, const char *part,
		       struct error *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", folder, part);
	if (mkdir(path, *part ? FOLDER_MODE : STORE_MODE) && errno != EEXIST)
		return error_errno(error, "store \"%s\"", path);
	return 0;
}

struct maildir *maildir_new(struct ev_loop *loop, const char *folder,
			    const char *gateway, struct error *error)
{
	struct maildir *maildir;

	if (make_folder(folder, "", error) ||
	    make_folder(folder, "/tmp", error) ||
	    make_folder(folder, "/new", error) ||
	    make_folder(folder, "/cur", error))
		return NULL;
	maildir = must_alloc(sizeof(*maildir));
	maildir->loop = loop;
	maildir->folder = must_strdup(folder);
	maildir->gateway = must_strdup(gateway);
	return maildir;
}

void maildir_free(struct maildir *maildir)
{
	if (!maildir)
		return;
	free(maildir->folder);
	free(maildir->gateway);
	free(maildir);
}
