/*
 * The log.  A line is built on the caller's stack, then copied into a ring
 * under a mutex; one thread of its own writes out as much as lies there in
 * one piece.  So the caller waits for no disk, pipe or terminal.  What does
 * not fit is dropped and counted; the count is written once a write
 * succeeds again.  The one mutable global of the house.
 */
#include "conf/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	RING_SIZE = 256 * 1024,
	BATCH_MAX = 64 * 1024,
	CLOSE_SECONDS = 1,
	GATHER_MS = 5,
	TAIL_ROOM = 24, /* for ` truncated=yes`, the brace, the newline */
	EVENT_MAX = 64,
};

static const char *const level_names[] = { "debug", "info", "notice",
					   "warning", "error" };

/* Belongs to the writer thread once the log has given it up. */
struct ring {
	size_t head, used;
	bool is_closing, is_abandoned, is_idle, last_failed;
	int fd;
	pthread_t writer;
	unsigned char bytes[RING_SIZE];
};

/* All but the settings is guarded by the lock; the settings are fixed
 * before there is a second thread. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, drained;
	struct ring *ring; /* NULL: not open */
	uint64_t dropped;
	enum log_format format;
	enum log_level least;
	char process[32];
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.least = LOG_INFO,
};

/* Appends if the line keeps room for its tail; false when it does not. */
static bool line_add(struct log_line *line, struct view text)
{
	if (text.len > LOG_LINE_MAX - TAIL_ROOM - line->len)
		return false;
	memcpy(line->text + line->len, text.at, text.len);
	line->len += text.len;
	return true;
}

static void line_finish(struct log_line *line)
{
	if (state.format == LOG_JSON)
		line->text[line->len++] = '}';
	line->text[line->len++] = '\n';
}

/* The date is written once a second by each thread. */
static void add_time(struct log_line *line)
{
	static _Thread_local struct {
		time_t second;
		char text[32];
	} last;
	struct timespec now;
	unsigned ms;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != last.second || !last.text[0]) {
		struct tm utc;

		gmtime_r(&now.tv_sec, &utc);
		strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S.",
			 &utc);
		last.second = now.tv_sec;
	}
	ms = (unsigned)(now.tv_nsec / 1000000);
	line_add(line, view_of(last.text));
	line_add(line, view_make((char[]){ (char)('0' + ms / 100),
					   (char)('0' + ms / 10 % 10),
					   (char)('0' + ms % 10), 'Z' }, 4));
}

/* In quotes, with what would end or mislead them escaped; false when the
 * line has no room for all of it. */
static bool add_quoted(struct log_line *line, struct view value)
{
	bool json = state.format == LOG_JSON;
	bool fits = line_add(line, VIEW("\""));
	size_t from = 0;

	for (size_t i = 0; i < value.len && fits; i++) {
		if (value.at[i] != '"' && !(json && value.at[i] == '\\'))
			continue;
		fits = line_add(line, view_make(value.at + from, i - from)) &&
		       line_add(line, json ? VIEW("\\") : VIEW("\\x22"));
		/* in JSON the character follows its backslash */
		from = json ? i : i + 1;
	}
	return fits && line_add(line, view_from(value, from)) &&
	       line_add(line, VIEW("\""));
}

/* What the bytes of a value ask for: quotes where a reader could not tell
 * where it ends, escaping where it could mislead. */
enum { ASKS_QUOTES = 1, ASKS_ESCAPING = 2 };

static unsigned asks(struct view value)
{
#define EIGHT ASKS_ESCAPING, ASKS_ESCAPING, ASKS_ESCAPING, ASKS_ESCAPING, \
	      ASKS_ESCAPING, ASKS_ESCAPING, ASKS_ESCAPING, ASKS_ESCAPING
	static const unsigned char table[128] = {
		EIGHT, EIGHT, EIGHT, EIGHT,
		[' '] = ASKS_QUOTES,
		['"'] = ASKS_QUOTES,
		['='] = ASKS_QUOTES,
		['\\'] = ASKS_ESCAPING,
		[0x7f] = ASKS_ESCAPING,
	};
#undef EIGHT
	unsigned all = value.len ? 0 : ASKS_QUOTES;

	for (size_t i = 0; i < value.len; i++)
		all |= value.at[i] < sizeof(table) ? table[value.at[i]] :
						     ASKS_ESCAPING;
	return all;
}

/* A whole field or nothing; what is left out is told by a last field. */
static void line_field(struct log_line *line, const char *key,
		       struct view value, bool is_quoted)
{
	bool json = state.format == LOG_JSON;
	size_t before = line->len;

	if (!line->len || line->is_truncated)
		return;
	if (line_add(line, json ? VIEW(",\"") : VIEW(" ")) &&
	    line_add(line, view_of(key)) &&
	    line_add(line, json ? VIEW("\":") : VIEW("=")) &&
	    (is_quoted ? add_quoted(line, value) : line_add(line, value)))
		return;
	line->is_truncated = true;
	line->len = before;
	line->len += (size_t)snprintf(
		line->text + line->len, TAIL_ROOM, "%s",
		json ? ",\"truncated\":true" : " truncated=yes");
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
	bool json = state.format == LOG_JSON;

	line->level = level;
	line->len = 0;
	line->is_truncated = false;
	if (level < state.least)
		return;
	if (json)
		line_add(line, VIEW("{\"time\":\""));
	add_time(line);
	line_add(line, json ? VIEW("\",\"level\":\"") : VIEW(" "));
	line_add(line, view_of(level_names[level]));
	line_add(line, json ? VIEW("\",\"event\":\"") : VIEW(" "));
	line_add(line, view_first(view_of(event), EVENT_MAX));
	if (json)
		line_add(line, VIEW("\""));
	if (state.process[0])
		log_str(line, "process", state.process);
}

void log_view(struct log_line *line, const char *key, struct view value)
{
	struct buffer escaped = { 0 };
	bool json = state.format == LOG_JSON;
	unsigned needs;

	if (!line->len)
		return;
	needs = asks(value);
	if (needs & ASKS_ESCAPING || value.len > LOG_VALUE_MAX) {
		bytes_escape(&escaped, value, LOG_VALUE_MAX);
		value = buffer_view(&escaped);
		needs = asks(value);
	}
	/* JSON quotes all text (RFC 8259 7; no control byte is left). */
	line_field(line, key, value, json || needs & ASKS_QUOTES);
	buffer_clear(&escaped);
}

void log_str(struct log_line *line, const char *key, const char *value)
{
	log_view(line, key, view_of(value ? value : ""));
}

void log_num(struct log_line *line, const char *key, int64_t value)
{
	char digits[1 + BYTES_DECIMAL_MAX] = "-";
	bool is_below = value < 0;
	uint64_t size = is_below ? -(uint64_t)value : (uint64_t)value;
	size_t len = bytes_decimal(size, digits + is_below);

	line_field(line, key, view_make(digits, is_below + len), false);
}

static bool ring_put(struct ring *ring, const char *text, size_t len)
{
	size_t tail = (ring->head + ring->used) % RING_SIZE;
	size_t first = RING_SIZE - tail;

	if (len > RING_SIZE - ring->used)
		return false;
	if (first > len)
		first = len;
	memcpy(ring->bytes + tail, text, first);
	memcpy(ring->bytes, text + first, len - first);
	ring->used += len;
	return true;
}

/* Writes all of it; -1 when the log's target refuses. */
static int write_all(int fd, const unsigned char *at, size_t len)
{
	while (len) {
		ssize_t put = write(fd, at, len);

		if (put >= 0) {
			at += put;
			len -= (size_t)put;
		} else if (errno == EAGAIN) {
			/* A descriptor shared with one who made it
			 * non-blocking. */
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT },
			     1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static uint64_t count_lines(const unsigned char *at, size_t len)
{
	uint64_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += at[i] == '\n';
	return count;
}

/* With the lock held: says how many lines were lost, when it can be said. */
static void report_dropped(struct ring *ring)
{
	struct log_line line;

	if (!state.dropped || ring->last_failed)
		return;
	log_begin(&line, LOG_WARNING, "log-dropped");
	log_num(&line, "count", (int64_t)state.dropped);
	line_finish(&line);
	if (ring_put(ring, line.text, line.len))
		state.dropped = 0;
}

/* One batch, with the lock given up while it is written. */
static void write_batch(struct ring *ring)
{
	size_t len = RING_SIZE - ring->head;
	const unsigned char *at = ring->bytes + ring->head;
	int failed;

	if (len > ring->used)
		len = ring->used;
	if (len > BATCH_MAX)
		len = BATCH_MAX;
	pthread_mutex_unlock(&state.lock);
	failed = write_all(ring->fd, at, len);
	pthread_mutex_lock(&state.lock);
	ring->head = (ring->head + len) % RING_SIZE;
	ring->used -= len;
	ring->last_failed = failed != 0;
	if (failed)
		state.dropped += count_lines(at, len);
	else if (!ring->is_abandoned)
		report_dropped(ring);
}

/* With the lock held: lets more lines join the first one, for each write
 * costs a wake-up, and more than the line. */
static void gather(const struct ring *ring)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += GATHER_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (!ring->is_closing && ring->used < RING_SIZE / 2)
		if (pthread_cond_timedwait(&state.filled, &state.lock, &until))
			return;
}

static void *writer_run(void *arg)
{
	struct ring *ring = arg;
	bool is_ours;

	pthread_mutex_lock(&state.lock);
	while (!ring->is_abandoned && (ring->used || !ring->is_closing)) {
		if (ring->used) {
			write_batch(ring);
			continue;
		}
		ring->is_idle = true;
		pthread_cond_wait(&state.filled, &state.lock);
		ring->is_idle = false;
		gather(ring);
	}
	is_ours = ring->is_abandoned;
	ring->is_idle = true;
	if (!is_ours)
		pthread_cond_broadcast(&state.drained);
	pthread_mutex_unlock(&state.lock);
	if (is_ours)
		free(ring);
	return NULL;
}

void log_open(int fd, enum log_format format, enum log_level least,
	      const char *process)
{
	struct ring *ring = must_alloc(sizeof(*ring));
	pthread_condattr_t monotonic;
	sigset_t all, old;

	log_close();
	ring->fd = fd;
	state.format = format;
	state.least = least;
	snprintf(state.process, sizeof(state.process), "%s", process);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&state.drained, &monotonic);
	pthread_cond_init(&state.filled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Signals are for the loop; SIGPIPE comes back as EPIPE. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&ring->writer, NULL, writer_run, ring))
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_mutex_lock(&state.lock);
	state.ring = ring;
	pthread_mutex_unlock(&state.lock);
}

/* The writer's thread is not here, and whoever held the lock is not. */
void log_forked(void)
{
	pthread_mutex_init(&state.lock, NULL);
	state.ring = NULL;
}

void log_close(void)
{
	struct ring *ring;
	struct timespec limit;
	bool is_stuck;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += CLOSE_SECONDS;
	pthread_mutex_lock(&state.lock);
	ring = state.ring;
	if (!ring) {
		pthread_mutex_unlock(&state.lock);
		return;
	}
	state.ring = NULL;
	ring->is_closing = true;
	pthread_cond_signal(&state.filled);
	while (!(ring->is_idle && !ring->used))
		if (pthread_cond_timedwait(&state.drained, &state.lock, &limit))
			break;
	is_stuck = !ring->is_idle || ring->used;
	/* In write(): the thread keeps the ring and ends when it can. */
	ring->is_abandoned = is_stuck;
	pthread_mutex_unlock(&state.lock);
	if (is_stuck) {
		pthread_detach(ring->writer);
	} else {
		pthread_join(ring->writer, NULL);
		free(ring);
	}
}

/* Since these last bytes. */
static bool is_half_full(const struct ring *ring, size_t last)
{
	return ring->used >= RING_SIZE / 2 &&
	       ring->used - last < RING_SIZE / 2;
}

void log_end(struct log_line *line)
{
	struct ring *ring;
	bool wakes = false;

	if (!line->len)
		return;
	line_finish(line);
	pthread_mutex_lock(&state.lock);
	ring = state.ring;
	if (!ring)
		write_all(STDERR_FILENO, (unsigned char *)line->text,
			  line->len);
	else if (!ring_put(ring, line->text, line->len))
		state.dropped++;
	else
		wakes = ring->is_idle || is_half_full(ring, line->len);
	pthread_mutex_unlock(&state.lock);
	/* It would only meet the lock. */
	if (wakes)
		pthread_cond_signal(&state.filled);
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
	char text[LOG_VALUE_MAX + 1];
	struct log_line line;
	va_list args;

	log_begin(&line, level, event);
	if (!line.len)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_str(&line, "reason", text);
	log_end(&line);
}
