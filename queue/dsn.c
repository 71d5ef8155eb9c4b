/*
 * Reports on delivery.  See dsn.h.
 */
#include "queue/dsn.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conf/addr.h"
#include "queue/dsn_address.h"
#include "queue/dsn_words.h"

enum { TEXT_WIDTH = 72, FIELD_WIDTH = 76 };

static const struct {
	const char *word;    /* RFC 3464 2.3.3 */
	const char *subject;
	const char *intro;
} actions[] = {
	[DSN_FAILED] = { "failed", "Undelivered mail",
		"Your message could not be delivered to the recipients named "
		"below. It will not be tried again." },
	[DSN_DELAYED] = { "delayed", "Delayed mail (still being tried)",
		"Your message could not be delivered yet to the recipients "
		"named below. You need not do anything: it is tried again "
		"by itself." },
	[DSN_RELAYED] = { "relayed", "Mail was passed on",
		"Your message was handed to the next system for the recipients "
		"named below. That system does not send confirmations of "
		"delivery, so that this is the last that you hear." },
};

bool dsn_is_wanted(const struct recipient *recipient, enum dsn_action action)
{
	unsigned notify = recipient->notify;

	if (notify & NOTIFY_NEVER)
		return false;
	switch (action) {
	case DSN_FAILED:
		return !notify || notify & NOTIFY_FAILURE;
	case DSN_DELAYED:
		/* RFC 3461 4.1: where nothing was said it is ours to choose. */
		return !notify || notify & NOTIFY_DELAY;
	case DSN_RELAYED:
		return notify & NOTIFY_SUCCESS;
	}
	return false;
}

bool dsn_wants_body(const struct envelope *envelope,
		    const struct dsn_recipient *recipients, size_t count)
{
	if (envelope->ret != RETURN_FULL || envelope->size > DSN_FULL_MAX)
		return false;
	/* RFC 3461 4.3: the whole message only with a failure. */
	for (size_t i = 0; i < count; i++)
		if (recipients[i].action == DSN_FAILED)
			return true;
	return false;
}

struct view dsn_headers(struct view body)
{
	size_t end = 0;

	while (end < body.len && end < DSN_HEADERS_MAX) {
		struct view rest = view_from(body, end);
		size_t len = view_index(rest, '\n') + 1;

		if (len > rest.len || end + len > DSN_HEADERS_MAX)
			break; /* not a whole line any more */
		if (len == 1 || (len == 2 && rest.at[0] == '\r'))
			break; /* the empty line: here the text begins */
		end += len;
	}
	return view_first(body, end);
}

/* --- writing --------------------------------------------------------- */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text > 126)
			return false;
	return true;
}

/* RFC 6533 is needed: something that is shown is not ASCII. */
static bool is_global(const struct dsn *dsn)
{
	return dsn->envelope->needs_utf8 || !is_ascii(dsn->to);
}

/* One byte as it may stand in a line: no control bytes, and nothing above
 * ASCII where that is not announced. */
static unsigned char plain(unsigned char byte, bool utf8)
{
	if (byte < 32 || byte == 127)
		return ' ';
	return byte > 126 && !utf8 ? '?' : byte;
}

/* Words until the width is reached, then a new line with an indent in
 * front; a word that is longer than a line stays whole. `column` is where
 * the text begins. */
static void put_wrapped(struct buffer *out, const char *text, size_t column,
			size_t width, const char *indent, bool utf8)
{
	struct view rest = view_of(text);
	bool is_first = true;

	while (rest.len) {
		struct view word = view_cut(&rest, ' ');

		if (!word.len)
			continue;
		if (!is_first && column + 1 + word.len > width) {
			buffer_printf(out, "\r\n%s", indent);
			column = strlen(indent);
		} else if (!is_first) {
			buffer_append_byte(out, ' ');
			column++;
		}
		for (size_t i = 0; i < word.len; i++)
			buffer_append_byte(out, plain(word.at[i], utf8));
		column += word.len;
		is_first = false;
	}
	buffer_append(out, VIEW("\r\n"));
}

static void put_field(struct buffer *out, const char *name, const char *value,
		      bool utf8)
{
	buffer_printf(out, "%s: ", name);
	put_wrapped(out, value, strlen(name) + 2, FIELD_WIDTH, "    ", utf8);
}

static void put_paragraph(struct buffer *out, const char *text, bool utf8)
{
	put_wrapped(out, text, 0, TEXT_WIDTH, "", utf8);
	buffer_append(out, VIEW("\r\n"));
}

/* RFC 5322 3.3, in UTC; by hand, because strftime() speaks the locale. */
static void date_text(int64_t when, char out[40])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(out, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000",
		 &days[3 * (tm.tm_wday % 7)], tm.tm_mday,
		 &months[3 * (tm.tm_mon % 12)], tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
}

/* --- the parts -------------------------------------------------------- */

/* What the subject and the first words speak of: the worst news. */
static enum dsn_action worst(const struct dsn *dsn)
{
	enum dsn_action action = DSN_RELAYED;

	for (size_t i = 0; i < dsn->count; i++)
		if (dsn->recipients[i].action < action)
			action = dsn->recipients[i].action;
	return action;
}

static bool has_8bit(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] > 127)
			return true;
	return false;
}

static void put_header(struct buffer *out, const struct dsn *dsn)
{
	const char *subject = dsn->is_double ? "Undeliverable report" :
					       actions[worst(dsn)].subject;
	char date[40];

	date_text(dsn->now, date);
	buffer_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n",
		      dsn->hostname);
	buffer_printf(out, "To: <%s>\r\n", dsn->to);
	buffer_printf(out, "Subject: %s\r\n", subject);
	buffer_printf(out, "Date: %s\r\n", date);
	buffer_printf(out, "Message-ID: <%s@%s>\r\n", dsn->id, dsn->hostname);
	/* RFC 3834 5; keeps vacation programs quiet. */
	buffer_printf(out, "Auto-Submitted: auto-replied\r\n");
	buffer_printf(out, "MIME-Version: 1.0\r\n");
	/* RFC 2045 6.4: the whole is what any part of it is. */
	if (is_global(dsn) || has_8bit(dsn->original))
		buffer_printf(out, "Content-Transfer-Encoding: 8bit\r\n");
	buffer_printf(out, "Content-Type: multipart/report; "
		      "report-type=delivery-status;\r\n\tboundary=\"=_%s\"\r\n",
		      dsn->id);
	buffer_printf(out, "\r\nThis is a report in MIME format.\r\n");
}

static void put_boundary(struct buffer *out, const struct dsn *dsn)
{
	buffer_printf(out, "\r\n--=_%s\r\n", dsn->id);
}

static const struct recipient *recipient_of(const struct dsn *dsn, size_t i)
{
	return &dsn->envelope->recipients[dsn->recipients[i].index];
}

static void put_labelled(struct buffer *out, const char *label,
			 const char *text, bool utf8)
{
	buffer_printf(out, "    %-7s ", label);
	put_wrapped(out, text, 12, TEXT_WIDTH, "            ", utf8);
}

/* One recipient in plain words: who, where, under which policy, what was
 * said, what TLS was, and what the sender can do. */
static void put_story(struct buffer *out, const struct dsn *dsn, size_t i,
		      bool utf8)
{
	const struct result *r = &dsn->recipients[i].result;
	char proof[PROOF_TEXT_MAX];

	buffer_printf(out, "<");
	dsn_address(out, recipient_of(dsn, i)->address, utf8);
	buffer_printf(out, ">\r\n");
	if (*r->host)
		put_labelled(out, "at:", r->host, utf8);
	if (dsn->policy)
		put_labelled(out, "policy:", dsn->policy, utf8);
	put_labelled(out, r->reply_code ? "answer:" : "reason:",
		     *r->text ? r->text : "none was given", utf8);
	put_labelled(out, "status:", r->status, utf8);
	proof_text(&r->proof, proof);
	if (*proof)
		put_labelled(out, "TLS:", proof, utf8);
	if (dsn->recipients[i].action == DSN_FAILED && !dsn->is_double)
		put_labelled(out, "do:", dsn_advice(r), utf8);
	buffer_printf(out, "\r\n");
}

static void put_words(struct buffer *out, const struct dsn *dsn, bool utf8)
{
	char line[160], date[40];

	buffer_printf(out, "Content-Type: text/plain; charset=%s\r\n",
		      utf8 ? "utf-8" : "us-ascii");
	if (utf8)
		buffer_printf(out, "Content-Transfer-Encoding: 8bit\r\n");
	buffer_printf(out, "\r\nThis is the mail relay at %s.\r\n\r\n",
		      dsn->hostname);
	if (dsn->is_double)
		put_paragraph(out, "A report on mail that could not be "
			      "delivered could itself not be delivered to the "
			      "sender of that mail. You get it as the postmaster "
			      "of this relay.", utf8);
	for (int action = DSN_FAILED; action <= DSN_RELAYED; action++) {
		size_t told = 0, all = 0;

		for (size_t i = 0; i < dsn->count; i++) {
			if ((int)dsn->recipients[i].action != action)
				continue;
			if (!all++ && !dsn->is_double)
				put_paragraph(out, actions[action].intro, utf8);
			if (told < DSN_STORIES_MAX) {
				put_story(out, dsn, i, utf8);
				told++;
			}
		}
		if (all > told) {
			snprintf(line, sizeof(line), "And %zu more: they are "
				 "named in the next part of this report.",
				 all - told);
			put_paragraph(out, line, utf8);
		}
		if (all && action == DSN_DELAYED) {
			date_text(dsn->gives_up, date);
			snprintf(line, sizeof(line), "It will be tried until "
				 "%s; if that fails you will be told.", date);
			put_paragraph(out, line, utf8);
		}
	}
}

/* An xtext parameter of RFC 3461, decoded; not at all when malformed. */
static void put_xtext(struct buffer *out, const char *name, const char *value,
		      bool utf8)
{
	char text[600];

	if (value && !xtext_decode(view_of(value), text, sizeof(text)) && *text)
		put_field(out, name, text, utf8);
}

/* "mx.example.org[192.0.2.1]:25" without what follows the name; where the
 * name is the address, an address literal (RFC 3464 2.1.2). */
static void put_remote(struct buffer *out, const char *host)
{
	char text[RESULT_HOST_MAX + 16];
	size_t len = strcspn(host, "[");
	bool is_address = len > 0 && host[len] != '\0' &&
			  strncmp(host + len + 1, host, len) == 0 &&
			  host[2 * len + 1] == ']';

	if (!*host)
		return;
	if (is_address)
		snprintf(text, sizeof(text), "dns; [%s%.*s]",
			 memchr(host, ':', len) ? "IPv6:" : "", (int)len, host);
	else
		snprintf(text, sizeof(text), "dns; %.*s",
			 (int)(len ? len : strlen(host)), host);
	put_field(out, "Remote-MTA", text, false);
}

/* RFC 3461 4.2; of type utf-8 as RFC 6533 3 has it. */
static void put_original_recipient(struct buffer *out, const char *orcpt,
				   bool utf8)
{
	struct buffer text = { NULL, 0, 0, 0 };

	if (!orcpt || !view_starts_fold(view_of(orcpt), VIEW("utf-8;"))) {
		put_xtext(out, "Original-Recipient", orcpt, utf8);
		return;
	}
	buffer_append(&text, VIEW("utf-8; "));
	dsn_address(&text, orcpt + strlen("utf-8;"), utf8);
	buffer_append_byte(&text, '\0');
	put_field(out, "Original-Recipient",
		  (const char *)buffer_view(&text).at, utf8);
	buffer_clear(&text);
}

static void put_recipient(struct buffer *out, const struct dsn *dsn, size_t i,
			  bool utf8)
{
	const struct dsn_recipient *d = &dsn->recipients[i];
	const struct recipient *r = recipient_of(dsn, i);
	char text[RESULT_TEXT_MAX + 32], date[40];
	struct buffer final = { NULL, 0, 0, 0 };

	buffer_printf(out, "\r\n");
	put_original_recipient(out, r->orcpt, utf8);
	buffer_printf(&final, "%s; ", is_ascii(r->address) ? "rfc822" : "utf-8");
	if (is_ascii(r->address))
		buffer_append(&final, view_of(r->address));
	else
		dsn_address(&final, r->address, utf8);
	buffer_append_byte(&final, '\0');
	put_field(out, "Final-Recipient",
		  (const char *)buffer_view(&final).at, utf8);
	buffer_clear(&final);
	buffer_printf(out, "Action: %s\r\n", actions[d->action].word);
	buffer_printf(out, "Status: %s\r\n", d->result.status);
	put_remote(out, d->result.host);
	if (*d->result.text) {
		/* What no remote said must not claim to be SMTP. */
		snprintf(text, sizeof(text), "%s; %s",
			 d->result.reply_code ? "smtp" : "x-postern",
			 d->result.text);
		put_field(out, "Diagnostic-Code", text, utf8);
	}
	date_text(dsn->now, date);
	put_field(out, "Last-Attempt-Date", date, false);
	if (d->action == DSN_DELAYED) {
		date_text(dsn->gives_up, date);
		put_field(out, "Will-Retry-Until", date, false);
	}
}

static void put_fields(struct buffer *out, const struct dsn *dsn, bool utf8)
{
	char text[ADDR_DOMAIN_MAX + 16], date[40];

	buffer_printf(out, "Content-Type: message/%sdelivery-status\r\n",
		      utf8 ? "global-" : "");
	if (utf8)
		buffer_printf(out, "Content-Transfer-Encoding: 8bit\r\n");
	buffer_printf(out, "\r\n");
	put_xtext(out, "Original-Envelope-Id", dsn->envelope->envid, utf8);
	snprintf(text, sizeof(text), "dns; %s", dsn->hostname);
	put_field(out, "Reporting-MTA", text, false);
	date_text(dsn->envelope->accepted_wall, date);
	put_field(out, "Arrival-Date", date, false);
	for (size_t i = 0; i < dsn->count; i++)
		put_recipient(out, dsn, i, utf8);
}

static void put_original(struct buffer *out, const struct dsn *dsn, bool utf8)
{
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/global-headers" },
		{ "message/rfc822", "message/global" },
	};
	bool is_global_part = utf8 || dsn->envelope->has_utf8_header;

	buffer_printf(out, "Content-Type: %s\r\n",
		      types[dsn->is_full][is_global_part]);
	if (has_8bit(dsn->original))
		buffer_printf(out, "Content-Transfer-Encoding: 8bit\r\n");
	buffer_printf(out, "\r\n");
	buffer_append(out, dsn->original);
	if (dsn->original.len &&
	    dsn->original.at[dsn->original.len - 1] != '\n')
		buffer_printf(out, "\r\n");
}

void dsn_compose(struct buffer *out, const struct dsn *dsn)
{
	bool utf8 = is_global(dsn);

	put_header(out, dsn);
	put_boundary(out, dsn);
	put_words(out, dsn, utf8);
	put_boundary(out, dsn);
	put_fields(out, dsn, utf8);
	put_boundary(out, dsn);
	put_original(out, dsn, utf8);
	buffer_printf(out, "\r\n--=_%s--\r\n", dsn->id);
}
