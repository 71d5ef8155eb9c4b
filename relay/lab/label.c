/*
 * One function writes the block, one reads a line of it; they agree on
 * "X-Lab-Name: value" CRLF and on nothing else.
 */
#include "relay/lab/label.h"

#include <stdio.h>
#include <time.h>

#define PREFIX VIEW("X-Lab-")

/* --- writing --------------------------------------------------------- */

static void begin_line(struct buffer *out, const char *name)
{
	buffer_append(out, PREFIX);
	buffer_append(out, view_of(name));
	buffer_append(out, VIEW(": "));
}

static void put_line(struct buffer *out, const char *name, const char *value)
{
	begin_line(out, name);
	bytes_escape(out, view_of(value), LABEL_VALUE_MAX);
	buffer_append(out, VIEW("\r\n"));
}

static void put_path(struct buffer *out, const char *name,
		     const struct label_path *path)
{
	struct buffer text = { 0 };

	buffer_printf(&text, "<%s>", path->address);
	if (path->params && *path->params)
		buffer_printf(&text, " %s", path->params);
	begin_line(out, name);
	bytes_escape(out, buffer_view(&text), LABEL_VALUE_MAX);
	buffer_append(out, VIEW("\r\n"));
	buffer_clear(&text);
}

static void put_time(struct buffer *out, int64_t when)
{
	char text[32];
	time_t seconds = (time_t)when;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_line(out, "Received", text);
}

static void put_certificate(struct buffer *out, const struct tls_facts *facts)
{
	struct buffer text = { 0 };

	if (facts->presented == 0) {
		put_line(out, "Client-Certificate", "none");
		return;
	}
	begin_line(out, "Client-Certificate");
	/* The names were escaped when they were read. */
	buffer_printf(&text, "sha256:");
	for (size_t i = 0; i < sizeof(facts->leaf.sha256); i++)
		buffer_printf(&text, "%02x", facts->leaf.sha256[i]);
	buffer_printf(&text, " subject=%s issuer=%s\r\n", facts->leaf.subject,
		      facts->leaf.issuer);
	buffer_append(out, buffer_view(&text));
	buffer_clear(&text);
}

static void put_tls(struct buffer *out, const struct tls_facts *facts)
{
	char text[128];

	if (!facts) {
		put_line(out, "TLS", "none");
		return;
	}
	snprintf(text, sizeof(text), "%s %s", facts->version, facts->cipher);
	put_line(out, "TLS", text);
	put_line(out, "SNI", *facts->sni ? facts->sni : "none");
	put_certificate(out, facts);
}

void label_write(struct buffer *out, const struct label *label)
{
	char text[200];

	put_line(out, "Gateway", label->gateway);
	put_line(out, "Session", label->session);
	put_time(out, label->received);
	put_line(out, "Client", label->client);
	put_line(out, "Helo", label->helo);
	put_line(out, "Protocol", label->protocol);
	put_tls(out, label->facts);
	put_path(out, "From", &label->from);
	for (size_t i = 0; i < label->to_count; i++)
		put_path(out, "To", &label->to[i]);
	if (label->foreign > 0) {
		snprintf(text, sizeof(text), "%u (such fields below came "
			 "from the client and prove nothing)", label->foreign);
		put_line(out, "Foreign", text);
	}
}

/* --- reading --------------------------------------------------------- */

bool label_next(struct view *rest, struct view *name, struct view *value)
{
	struct view left = *rest, line;

	if (left.len < PREFIX.len ||
	    !view_equal(view_first(left, PREFIX.len), PREFIX) ||
	    view_index(left, '\n') == left.len)
		return false;
	line = view_from(view_cut(&left, '\n'), PREFIX.len);
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	*name = view_cut(&line, ':');
	*value = view_trim(line);
	*rest = left;
	return true;
}

struct view label_find(struct view label, const char *name)
{
	struct view found, value;

	while (label_next(&label, &found, &value))
		if (view_equal_fold(found, view_of(name)))
			return value;
	return VIEW("");
}

/* How many bytes stand for the next one: in a label some are escaped. */
static size_t unit(struct view text, bool is_escaped)
{
	size_t len = is_escaped && text.len > 0 && text.at[0] == '\\' ? 4 : 1;

	return len < text.len ? len : text.len;
}

static bool is_backslash(struct view text, bool is_escaped)
{
	return view_starts_fold(text, is_escaped ? VIEW("\\x5c") : VIEW("\\"));
}

/* Where a path ends: at a `>` that is not quoted. */
static size_t path_length(struct view text, bool is_escaped)
{
	struct view rest = text;
	bool is_quoted = false;

	while (rest.len > 0) {
		if (is_backslash(rest, is_escaped))
			rest = view_from(rest, unit(rest, is_escaped));
		else if (rest.at[0] == '"')
			is_quoted = !is_quoted;
		else if (rest.at[0] == '>' && !is_quoted)
			return text.len - rest.len + 1;
		rest = view_from(rest, unit(rest, is_escaped));
	}
	return text.len;
}

struct view label_address(struct view value)
{
	size_t len = path_length(value, true);

	if (value.len == 0 || value.at[0] != '<' || len < 2 ||
	    value.at[len - 1] != '>')
		return value;
	return view_first(view_from(value, 1), len - 2);
}

struct view label_params(struct view argument)
{
	struct view rest = argument;

	(void)view_cut(&rest, ':');
	rest = view_trim(rest);
	if (rest.len > 0 && rest.at[0] == '<')
		return view_trim(view_from(rest, path_length(rest, false)));
	(void)view_cut(&rest, ' ');
	return view_trim(rest);
}

unsigned label_foreign(struct view message)
{
	unsigned count = 0;

	while (message.len > 0) {
		struct view line = view_cut(&message, '\n');

		if (line.len == 0 || view_equal(line, VIEW("\r")))
			break;
		count += view_starts_fold(line, PREFIX);
	}
	return count;
}
