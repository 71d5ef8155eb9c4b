/*
 * Comes in: judgements, on the loop.  Goes out: the file, and lines of the
 * log, from a thread that owns what it was given.  The loop never waits for
 * the disk or for another worker's lock, but at its end.
 */
#include "relay/certwatch.h"

#include "conf/log.h"
#include "queue/proof.h"
#include "relay/smtp/proof.h"
#include "tls/chain.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define SOON	  1.0    /* s, until news is written */
#define SELDOM	  60.0   /* s, until the rest is */
#define EVEN_IDLE 3600.0 /* s; certificates end while nobody looks */

enum { FILE_MAX = 16 * 1024 * 1024 };

/* What one thread does. */
struct writing {
	char *spool;
	struct certbook sightings;
	atomic_bool is_done;
};

struct certwatch {
	struct ev_loop *loop;
	char *spool;
	struct certbook seen;    /* all that this process met, so far */
	struct certbook noted;   /* what of it is not written yet */
	ev_timer timer;
	struct writing *writing; /* NULL: no thread */
	pthread_t thread;
};

/* --- the file, beside the loop --------------------------------------- */

static char *in_spool(const char *spool, const char *name)
{
	struct buffer text = { 0 };
	char *path;

	buffer_printf(&text, "%s/%s", spool, name);
	path = view_string(buffer_view(&text));
	buffer_clear(&text);
	return path;
}

static int read_all(int fd, struct buffer *out)
{
	ssize_t n;

	do {
		n = read(fd, buffer_reserve(out, 65536), 65536);
		if (n > 0)
			buffer_added(out, (size_t)n);
	} while ((n > 0 && buffer_len(out) <= FILE_MAX) ||
		 (n < 0 && errno == EINTR));
	return n < 0 ? -1 : 0;
}

int certwatch_load(const char *spool, struct certbook *book,
		   struct error *error)
{
	char *path = in_spool(spool, "certificates");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct buffer text = { 0 };
	int status = 0;

	*book = (struct certbook){ NULL, 0 };
	if (fd < 0 && errno != ENOENT)
		status = error_errno(error, "%s", path);
	if (fd >= 0 && read_all(fd, &text))
		status = error_errno(error, "%s", path);
	if (!status)
		(void)certbook_read(book, buffer_view(&text));
	if (fd >= 0)
		close(fd);
	buffer_clear(&text);
	free(path);
	return status;
}

static int write_all(int fd, struct view bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		bytes = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return fsync(fd);
}

/* Under its name only when it is whole; the lock keeps the draft ours. */
static int save(const char *spool, const struct certbook *book,
		struct error *error)
{
	char *path = in_spool(spool, "certificates");
	char *draft = in_spool(spool, "certificates.new");
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
			     O_NOFOLLOW, 0600);
	struct buffer text = { 0 };
	int status = 0;

	certbook_write(book, &text);
	if (fd < 0 || write_all(fd, buffer_view(&text)) || rename(draft, path))
		status = error_errno(error, "%s", path);
	if (fd >= 0)
		close(fd);
	buffer_clear(&text);
	free(draft);
	free(path);
	return status;
}

static void tell(void *arg, enum certbook_news news,
		 const struct certbook_entry *old,
		 const struct certbook_entry *now)
{
	int64_t *when = arg;
	struct log_line line;
	char date[16], text[CERTBOOK_TEXT_MAX];

	chain_date(now->not_after, date);
	if (news == CERTBOOK_CHANGED)
		log_begin(&line, LOG_NOTICE, "certificate-changed");
	else
		log_begin(&line, LOG_WARNING, "certificate-ends");
	log_str(&line, "host", now->host);
	log_str(&line, "policy", now->policy);
	if (news == CERTBOOK_CHANGED) {
		certbook_change_text(old, now, text);
		log_str(&line, "reason", text);
		log_str(&line, "from", old->sha256);
		log_str(&line, "to", now->sha256);
		log_str(&line, "pin", now->pin);
		log_str(&line, "issuer", now->issuer);
	} else {
		log_num(&line, "days", certbook_days_left(now, *when));
	}
	log_str(&line, "names", now->names);
	log_str(&line, "ends", date);
	log_end(&line);
}

static void merge(const struct writing *writing)
{
	char *path = in_spool(writing->spool, "certificates.lock");
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int64_t now = (int64_t)time(NULL);
	struct certbook book = { NULL, 0 };
	struct error error = { "" };

	if (lock < 0 || flock(lock, LOCK_EX))
		error_errno(&error, "%s", path);
	else if (certwatch_load(writing->spool, &book, &error) == 0) {
		certbook_merge(&book, &writing->sightings, now, tell, &now);
		save(writing->spool, &book, &error);
	}
	if (error.text[0])
		log_say(LOG_WARNING, "warning", "partners' certificates are "
			"not noted: %s", error.text);
	if (lock >= 0)
		close(lock);
	certbook_clear(&book);
	free(path);
}

static void *run(void *arg)
{
	struct writing *writing = arg;

	merge(writing);
	atomic_store(&writing->is_done, true);
	return NULL;
}

/* --- on the loop ----------------------------------------------------- */

static void free_writing(struct writing *writing)
{
	certbook_clear(&writing->sightings);
	free(writing->spool);
	free(writing);
}

static struct writing *new_writing(struct certwatch *watch)
{
	struct writing *writing = must_alloc(sizeof(*writing));

	writing->spool = must_strdup(watch->spool);
	writing->sightings = watch->noted;
	watch->noted = (struct certbook){ NULL, 0 };
	return writing;
}

static void join(struct certwatch *watch)
{
	if (watch->writing == NULL)
		return;
	pthread_join(watch->thread, NULL);
	free_writing(watch->writing);
	watch->writing = NULL;
}

static void wake_within(struct certwatch *watch, double seconds)
{
	if (ev_is_active(&watch->timer) &&
	    ev_timer_remaining(watch->loop, &watch->timer) <= seconds)
		return;
	ev_timer_stop(watch->loop, &watch->timer);
	ev_timer_set(&watch->timer, seconds, 0.);
	ev_timer_start(watch->loop, &watch->timer);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct certwatch *watch = timer->data;

	(void)loop;
	(void)events;
	if (watch->writing != NULL && !atomic_load(&watch->writing->is_done)) {
		wake_within(watch, SOON);
		return;
	}
	join(watch);
	watch->writing = new_writing(watch);
	if (pthread_create(&watch->thread, NULL, run, watch->writing)) {
		/* It is noted again when it is seen again. */
		free_writing(watch->writing);
		watch->writing = NULL;
	}
	wake_within(watch, EVEN_IDLE);
}

static void join_names(const struct tls_facts *facts, char *out, size_t room)
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < facts->name_count; i++) {
		size_t len = strlen(facts->names[i]);

		if (used + len + 2 > room)
			return;
		used += (size_t)snprintf(out + used, room - used, "%s%s",
					 i ? " " : "", facts->names[i]);
	}
}

#define SET(field, text) proof_field(field, sizeof(field), text)

static void note_certificate(struct certbook_entry *entry,
			     const struct tls_facts *facts)
{
	const struct facts_certificate *leaf = &facts->leaf;

	if (facts->presented == 0)
		return;
	proof_pin(leaf->sha256, entry->sha256);
	proof_pin(leaf->spki_sha256, entry->pin);
	SET(entry->issuer, leaf->issuer);
	join_names(facts, entry->names, sizeof(entry->names));
	entry->not_before = leaf->not_before;
	entry->not_after = leaf->not_after;
}

static bool is_judging(const struct policy *policy)
{
	return policy->tls == TLS_VERIFY || policy->would == TLS_VERIFY;
}

void certwatch_judged(struct certwatch *watch, const struct policy *policy,
		      const char *host, const struct tls_facts *facts,
		      const struct judgement *judgement)
{
	struct certbook_entry *entry, *known;
	bool is_news;

	if (watch == NULL || !is_judging(policy))
		return;
	entry = certbook_get(&watch->noted, policy->title, host);
	note_certificate(entry, facts);
	SET(entry->verdict, judgement->verdict == JUDGE_DELIVER
				    ? "deliver"
				    : judgement->reason_code);
	entry->last_seen = (int64_t)time(NULL);
	if (entry->first_seen == 0)
		entry->first_seen = entry->last_seen;
	known = certbook_get(&watch->seen, policy->title, host);
	is_news = known->last_seen == 0 ||
		  strcmp(known->sha256, entry->sha256) != 0;
	*known = *entry;
	wake_within(watch, is_news ? SOON : SELDOM);
}

void certwatch_would_fail(struct certwatch *watch, const struct policy *policy,
			  const char *host, const char *reason_code)
{
	struct certbook_entry *entry;

	if (watch == NULL || !is_judging(policy))
		return;
	entry = certbook_get(&watch->noted, policy->title, host);
	entry->would_failed++;
	entry->last_seen = (int64_t)time(NULL);
	SET(entry->would, reason_code);
	wake_within(watch, SELDOM);
}

struct certwatch *certwatch_new(struct ev_loop *loop, const char *spool)
{
	struct certwatch *watch = must_alloc(sizeof(*watch));

	watch->loop = loop;
	watch->spool = must_strdup(spool);
	ev_init(&watch->timer, on_time);
	watch->timer.data = watch;
	wake_within(watch, SOON);
	return watch;
}

void certwatch_free(struct certwatch *watch)
{
	struct writing *last;

	if (watch == NULL)
		return;
	ev_timer_stop(watch->loop, &watch->timer);
	join(watch);
	if (watch->noted.count > 0) {
		last = new_writing(watch);
		merge(last);
		free_writing(last);
	}
	certbook_clear(&watch->seen);
	free(watch->spool);
	free(watch);
}
