/*
 * Times, sizes and foreign text for people.  See queue_print.h.
 */
#include "relay/queue_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SHOWN_MAX = 400 };

void print_shown(struct buffer *out, const char *text)
{
	bytes_escape(out, view_of(text), SHOWN_MAX);
}

void print_told(struct buffer *out, const char *text)
{
	for (; *text; text++)
		buffer_append_byte(out, (unsigned char)*text < 32 ||
						*text == 127 ?
					(unsigned char)'?' :
					(unsigned char)*text);
}

void print_span(struct buffer *out, int64_t seconds)
{
	static const struct {
		int64_t length;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" },
		      { 1, "s" } };
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].length)
		i++;
	buffer_printf(out, "%" PRId64 " %s", seconds / units[i].length,
		      units[i].name);
	seconds %= units[i].length;
	/* Minutes and their seconds are more than anybody wants. */
	if (i < 2 && seconds >= units[i + 1].length)
		buffer_printf(out, " %" PRId64 " %s",
			      seconds / units[i + 1].length, units[i + 1].name);
}

void print_size(struct buffer *out, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		buffer_printf(out, "%" PRIu64 " B", bytes);
		return;
	}
	for (; size >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		size /= 1024;
	buffer_printf(out, "%.1f %s", size, units[i]);
}

void print_stamp(struct buffer *out, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		      tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		      tm.tm_sec);
}

void print_next(struct buffer *out, int64_t now, int64_t when)
{
	if (when == BROWSE_NEVER) {
		buffer_printf(out, "on hold");
	} else if (when <= now) {
		buffer_printf(out, "now");
	} else {
		buffer_printf(out, "in ");
		print_span(out, when - now);
	}
}

void print_count(struct buffer *out, uint64_t count, const char *what)
{
	buffer_printf(out, "%" PRIu64 " %s%s", count, what,
		      count == 1 ? "" : "s");
}

void print_json_time(struct json *json, const char *key, int64_t when)
{
	struct buffer text = { NULL, 0, 0, 0 };

	if (when == BROWSE_NEVER || when <= 0) {
		json_null(json, key);
		return;
	}
	print_stamp(&text, when);
	buffer_append_byte(&text, '\0');
	json_text(json, key, (const char *)buffer_view(&text).at);
	buffer_clear(&text);
}

void print_json_recipients(struct json *json, const struct picked *picked)
{
	const struct envelope *envelope = picked->message.envelope;

	json_open_list(json, "recipients");
	for (size_t i = 0; i < picked->progress.open_count; i++) {
		const struct open_recipient *o = &picked->progress.open[i];

		json_open_object(json, NULL);
		json_text(json, "address",
			  envelope->recipients[o->index].address);
		json_text_or_null(json, "reason", o->reason);
		json_close_object(json);
	}
	json_close_list(json);
}

bool print_flush(struct buffer *out)
{
	struct view text = buffer_view(out);
	/* An empty buffer may have no address at all. */
	bool is_read = (text.len == 0 ||
			fwrite(text.at, 1, text.len, stdout) == text.len) &&
		       fflush(stdout) == 0;

	buffer_reset(out);
	return is_read;
}
