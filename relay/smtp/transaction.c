/*
 * Builds the envelope and judges the body.  The envelope is the queue's
 * from the moment it is handed on; what is said about the message after
 * that stands elsewhere.
 */
#include "relay/smtp/transaction.h"

#include <stdlib.h>
#include <string.h>

static const struct answer bare_cr = {
	554, "5.6.0", "Message holds a CR without LF"
};
static const struct answer bare_lf = {
	554, "5.6.0", "Message holds a LF without CR"
};
static const struct answer nul_byte = { 554, "5.6.0",
					"Message holds a NUL byte" };
static const struct answer long_line = { 554, "5.6.0",
					 "Message holds a line too long" };
static const struct answer too_large = { 552, "5.3.4", "Message too large" };
static const struct answer looping = { 554, "5.4.6",
				       "Too many hops, mail is looping" };

struct transaction *transaction_new(const struct mail_command *mail,
				    const struct transaction_limits *limits)
{
	struct transaction *t = must_alloc(sizeof(*t));
	struct envelope *e = t->envelope = envelope_new();

	free(e->sender);
	e->sender = must_strdup(mail->sender.text);
	e->envid = mail->envid.len > 0 ? view_string(mail->envid) : NULL;
	e->ret = mail->ret;
	t->is_utf8 = mail->is_utf8;
	t->utf8_address = mail->sender.needs_utf8;
	t->max_size = limits->max_size;
	t->max_hops = limits->max_hops;
	data_init(&t->data, limits->max_line, limits->normalises_newlines);
	return t;
}

void transaction_free(struct transaction *t)
{
	if (!t)
		return;
	envelope_free(t->envelope);
	free(t->hashes);
	buffer_clear(&t->trace);
	free(t);
}

/* The local part is compared as written, the domain in canonical form. */
static uint32_t address_hash(const struct address *a)
{
	return bytes_crc32c(bytes_crc32c(0, a->text, a->local_len), a->domain,
			    strlen(a->domain));
}

static bool is_same(const struct recipient *r, const struct address *a)
{
	return strcmp(r->domain, a->domain) == 0 &&
	       strncmp(r->address, a->text, a->local_len) == 0 &&
	       (r->address[a->local_len] == '@' ||
		r->address[a->local_len] == '\0');
}

static bool has(const struct transaction *t, const struct address *a,
		uint32_t hash)
{
	const struct envelope *e = t->envelope;
	size_t i;

	for (i = 0; i < e->recipient_count; i++)
		if (t->hashes[i] == hash && is_same(&e->recipients[i], a))
			return true;
	return false;
}

void transaction_add(struct transaction *t, const struct rcpt_command *rcpt)
{
	const struct address *a = &rcpt->recipient;
	struct envelope *e = t->envelope;
	uint32_t hash = address_hash(a);
	struct recipient *added;
	size_t i;

	if (has(t, a, hash))
		return;
	if (e->recipient_count == t->hash_room) {
		t->hash_room = t->hash_room ? t->hash_room * 2 : 4;
		t->hashes = must_realloc(t->hashes,
					 t->hash_room * sizeof(*t->hashes));
	}
	t->hashes[e->recipient_count] = hash;
	added = envelope_add(e, a->text, a->domain);
	added->notify = rcpt->notify;
	added->orcpt = rcpt->orcpt.len > 0 ? view_string(rcpt->orcpt) : NULL;
	if (a->needs_utf8)
		t->utf8_address = true;
	for (i = 0; i < rcpt->orcpt.len; i++)
		if (rcpt->orcpt.at[i] > 0x7f)
			t->utf8_address = true;
}

void transaction_fail(struct transaction *t, const struct answer *fault)
{
	if (!t->fault)
		t->fault = fault;
}

void transaction_scan(struct transaction *t, struct view piece)
{
	static const struct answer *const faults[] = {
		[DATA_FINE] = NULL,
		[DATA_BARE_CR] = &bare_cr,
		[DATA_BARE_LF] = &bare_lf,
		[DATA_NUL] = &nul_byte,
		[DATA_LONG_LINE] = &long_line,
	};

	t->size += piece.len;
	if (!t->header.is_over)
		header_scan(&t->header, piece);
	if (faults[t->data.fault])
		transaction_fail(t, faults[t->data.fault]);
	if (t->max_size > 0 && t->size > t->max_size)
		transaction_fail(t, &too_large);
	if (t->header.hops > t->max_hops)
		transaction_fail(t, &looping);
}

void transaction_complete(struct transaction *t)
{
	struct envelope *e = t->envelope;

	e->is_8bit = t->data.is_8bit;
	e->has_utf8_header = t->header.has_8bit;
	e->needs_utf8 = t->is_utf8 && (t->utf8_address || t->header.has_8bit);
	e->longest_line = t->data.longest;
}
