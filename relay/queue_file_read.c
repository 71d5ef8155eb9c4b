/*
 * An envelope read from text.  Nothing in it is trusted: numbers are
 * bounded, texts fit or are cut, addresses are parsed anew.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/ident.h"
#include "relay/queue_file.h"

enum { KEY_ROOM = 32, VALUE_ROOM = 4096, JOBS_MAX = 100000 };

struct reading {
	struct restored *out;
	struct progress *job;        /* the last; NULL: none yet */
	struct recipient *recipient; /* whose fields follow */
	struct attempt *attempt;     /* likewise */
	char key[KEY_ROOM], value[VALUE_ROOM];
	struct error *error;
};


static bool is_key(const struct reading *r, const char *key)
{
	return strcmp(r->key, key) == 0;
}

static int refuse(struct reading *r, const char *what)
{
	return error_set(r->error, "%s: %s", r->key, what);
}

/* --- values ---------------------------------------------------------- */

static int digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the text begins with, taken off it; -1: malformed. */
static int cut_byte(struct view *text)
{
	int byte = *text->at, high, low;

	if (byte != '\\') {
		*text = view_from(*text, 1);
		return byte;
	}
	if (text->len < 4 || text->at[1] != 'x')
		return -1;
	high = digit(text->at[2]);
	low = digit(text->at[3]);
	*text = view_from(*text, 4);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static int unescape(struct view text, char *out, size_t room)
{
	size_t len = 0;

	while (text.len) {
		int byte = cut_byte(&text);

		if (byte <= 0 || len + 1 >= room)
			return -1;
		out[len++] = (char)byte;
	}
	out[len] = '\0';
	return 0;
}

static int take_number(struct reading *r, uint64_t max, uint64_t *out)
{
	*out = 0;
	return view_number(view_of(r->value), max, out) ?
		       refuse(r, "that is no number, or too large") :
		       0;
}

static int take_u32(struct reading *r, uint32_t *out)
{
	uint64_t n;
	int rc = take_number(r, UINT32_MAX, &n);

	*out = (uint32_t)n;
	return rc;
}

static int take_flag(struct reading *r, bool *out)
{
	uint64_t n;
	int rc = take_number(r, 1, &n);

	*out = n != 0;
	return rc;
}

static int take_string(struct reading *r, char **out)
{
	free(*out);
	*out = must_strdup(r->value);
	return 0;
}

static int take_time(struct reading *r, int64_t *out)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end = strptime(r->value, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (!end || *end)
		return refuse(r, "wanted is a time like 2026-11-25T00:00:00Z");
	*out = (int64_t)timegm(&tm);
	return 0;
}

/* Reasons and proofs go on lines for people: printable or nothing. */
static int take_told(struct reading *r, char *out, size_t room)
{
	for (const char *at = r->value; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			return refuse(r, "control characters");
	proof_field(out, room, r->value);
	return 0;
}

/* --- the message ----------------------------------------------------- */

static int take_sender(struct reading *r)
{
	struct address address;

	if (*r->value && address_parse(view_of(r->value), &address, r->error))
		return error_prefix(r->error, "sender");
	return take_string(r, &r->out->envelope->sender);
}

static int take_id(struct reading *r)
{
	if (ident_time(r->value) < 0)
		return refuse(r, "that is none");
	memcpy(r->out->envelope->id, r->value, MESSAGE_ID_LEN);
	return 0;
}

static int take_return(struct reading *r)
{
	uint64_t n;
	int rc = take_number(r, RETURN_HEADERS, &n);

	r->out->envelope->ret = (enum dsn_return)n;
	return rc;
}

static int take_clock(struct reading *r)
{
	uint64_t n;
	int rc = take_number(r, INT64_MAX / 1000, &n);

	r->out->envelope->accepted = (int64_t)n;
	return rc;
}

static int take_flags(struct reading *r)
{
	struct envelope *e = r->out->envelope;

	if (is_key(r, "8bit"))
		return take_flag(r, &e->is_8bit);
	if (is_key(r, "smtputf8"))
		return take_flag(r, &e->needs_utf8);
	if (is_key(r, "utf8-header"))
		return take_flag(r, &e->has_utf8_header);
	if (is_key(r, "report"))
		return take_flag(r, &e->is_report);
	return 1;
}

static int take_message_field(struct reading *r)
{
	struct envelope *e = r->out->envelope;

	if (is_key(r, "id"))
		return take_id(r);
	if (is_key(r, "sender"))
		return take_sender(r);
	if (is_key(r, "client"))
		return take_string(r, &e->client);
	if (is_key(r, "accepted"))
		return take_time(r, &e->accepted_wall);
	if (is_key(r, "accepted-clock"))
		return take_clock(r);
	if (is_key(r, "longest-line"))
		return take_u32(r, &e->longest_line);
	if (is_key(r, "envid"))
		return take_string(r, &e->envid);
	if (is_key(r, "return"))
		return take_return(r);
	return take_flags(r);
}

/* --- its jobs -------------------------------------------------------- */

static int begin_job(struct reading *r)
{
	struct restored *out = r->out;

	if (out->job_count == JOBS_MAX)
		return refuse(r, "too many");
	out->jobs = must_realloc(out->jobs, (out->job_count + 1) *
						    sizeof(*out->jobs));
	r->job = &out->jobs[out->job_count++];
	*r->job = (struct progress){ .attempts = 0 };
	r->recipient = NULL;
	r->attempt = NULL;
	return 0;
}

static int begin_recipient(struct reading *r)
{
	struct envelope *e = r->out->envelope;
	struct address address;

	if (address_parse(view_of(r->value), &address, r->error))
		return error_prefix(r->error, "to");
	progress_open(r->job, (uint32_t)e->recipient_count, NULL);
	r->recipient = envelope_add(e, r->value, address.domain);
	r->attempt = NULL;
	return 0;
}

static int begin_attempt(struct reading *r)
{
	struct progress *job = r->job;

	if (job->log_count == ATTEMPTS_KEPT)
		return refuse(r, "too many");
	job->log = must_realloc(job->log,
				(job->log_count + 1) * sizeof(*job->log));
	r->attempt = &job->log[job->log_count++];
	memset(r->attempt, 0, sizeof(*r->attempt));
	r->recipient = NULL;
	if (take_time(r, &r->attempt->at))
		return -1;
	r->attempt->at *= 1000;
	return 0;
}

static int take_job_field(struct reading *r)
{
	bool is_on_hold;
	int rc;

	if (is_key(r, "to"))
		return begin_recipient(r);
	if (is_key(r, "attempt"))
		return begin_attempt(r);
	if (is_key(r, "attempts"))
		return take_u32(r, &r->job->attempts);
	if (is_key(r, "noticed"))
		return take_flag(r, &r->job->is_noticed);
	if (!is_key(r, "on-hold"))
		return 1;
	rc = take_flag(r, &is_on_hold);
	r->job->due = is_on_hold ? TIME_NEVER : 0;
	return rc;
}

static int take_domain(struct reading *r)
{
	char domain[ADDR_DOMAIN_MAX + 1];

	if (!strcmp(r->value, r->recipient->domain))
		return 0;
	if (domain_canonical(view_of(r->value), domain, r->error))
		return error_prefix(r->error, "domain");
	free(r->recipient->domain);
	r->recipient->domain = must_strdup(domain);
	return 0;
}

static int take_reason(struct reading *r)
{
	char told[RESULT_TEXT_MAX];
	struct open_recipient *o = &r->job->open[r->job->open_count - 1];

	if (take_told(r, told, sizeof(told)))
		return -1;
	free(o->reason);
	o->reason = must_strdup(told);
	return 0;
}

static int take_notify(struct reading *r)
{
	uint64_t n;
	int rc = take_number(r, NOTIFY_NEVER | NOTIFY_SUCCESS |
				NOTIFY_FAILURE | NOTIFY_DELAY, &n);

	r->recipient->notify = (unsigned)n;
	return rc;
}

static int take_recipient_field(struct reading *r)
{
	if (is_key(r, "domain"))
		return take_domain(r);
	if (is_key(r, "orcpt"))
		return take_string(r, &r->recipient->orcpt);
	if (is_key(r, "notify"))
		return take_notify(r);
	return is_key(r, "reason") ? take_reason(r) : 1;
}

static int take_attempt_text(struct reading *r)
{
	struct attempt *a = r->attempt;
	struct proof *p = &a->proof;
	const struct {
		const char *key;
		char *at;
		size_t room;
	} fields[] = {
		{ "status", a->status, sizeof(a->status) },
		{ "host", a->host, sizeof(a->host) },
		{ "text", a->text, sizeof(a->text) },
		{ "tls-level", p->level, sizeof(p->level) },
		{ "tls-verdict", p->verdict, sizeof(p->verdict) },
		{ "tls-reason-code", p->reason_code, sizeof(p->reason_code) },
		{ "tls-version", p->version, sizeof(p->version) },
		{ "tls-cipher", p->cipher, sizeof(p->cipher) },
		{ "tls-name", p->name, sizeof(p->name) },
		{ "tls-issuer", p->issuer, sizeof(p->issuer) },
		{ "tls-pin", p->pin, sizeof(p->pin) },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (is_key(r, fields[i].key))
			return take_told(r, fields[i].at, fields[i].room);
	return 1;
}

static int take_attempt_field(struct reading *r)
{
	struct attempt *a = r->attempt;
	uint64_t n;
	int rc;

	if (is_key(r, "tls-verified"))
		return take_flag(r, &a->proof.is_verified);
	if (is_key(r, "reply-code")) {
		rc = take_number(r, 999, &n);
		a->reply_code = (int)n;
		return rc;
	}
	if (is_key(r, "tls-pinned")) {
		rc = take_number(r, 255, &n);
		a->proof.pinned = (unsigned char)n;
		return rc;
	}
	return take_attempt_text(r);
}

/* --- lines ----------------------------------------------------------- */

static int take_pair(struct reading *r)
{
	int rc = 1;

	if (is_key(r, "destination"))
		return begin_job(r);
	if (r->attempt)
		rc = take_attempt_field(r);
	else if (r->recipient)
		rc = take_recipient_field(r);
	if (rc == 1)
		rc = r->job ? take_job_field(r) : take_message_field(r);
	return rc == 1 ? refuse(r, "is not known here") : rc;
}

static int take_line(struct reading *r, struct view line)
{
	size_t colon = view_index(line, ':');

	if (!line.len || *line.at == '#')
		return 0;
	if (colon >= sizeof(r->key) || colon + 1 >= line.len ||
	    line.at[colon + 1] != ' ' ||
	    unescape(view_first(line, colon), r->key, sizeof(r->key)) ||
	    unescape(view_from(line, colon + 2), r->value, sizeof(r->value)))
		return error_set(r->error, "this is no `key: value`");
	return take_pair(r);
}

static int check(const struct restored *restored, struct error *error)
{
	if (!*restored->envelope->id)
		return error_set(error, "the id is missing");
	if (!restored->job_count)
		return error_set(error, "nobody is to be served");
	for (size_t i = 0; i < restored->job_count; i++) {
		const struct progress *job = &restored->jobs[i];

		if (!job->open_count)
			return error_set(error, "a destination is without a "
					 "recipient");
		if (job->attempts < job->log_count)
			return error_set(error, "more attempts stand here than "
					 "were made");
	}
	return 0;
}

int queue_file_read(struct view text, struct restored *out,
		    struct error *error)
{
	struct reading *r = must_alloc(sizeof(*r));
	unsigned number = 1;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->envelope = envelope_new();
	r->out = out;
	r->error = error;
	if (!view_equal(view_cut(&text, '\n'), VIEW("postern-envelope: 1")))
		rc = error_set(error, "this is no envelope that I know");
	while (!rc && text.len) {
		number++;
		rc = take_line(r, view_cut(&text, '\n'));
	}
	if (rc)
		error_prefix(error, "line %u", number);
	else
		rc = check(out, error);
	free(r);
	if (rc)
		restored_clear(out);
	return rc;
}
