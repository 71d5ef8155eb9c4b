/*
 * A message's envelope and its coding.  See envelope.h.
 */
#include "queue/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "queue/pack.h"

enum {
	FLAG_8BIT = 1,
	FLAG_UTF8 = 2,
	FLAG_UTF8_HEADER = 4,
	FLAG_REPORT = 8,
	FLAG_ENVID = 16,
	/* the least that a recipient takes: three texts, two bytes */
	RECIPIENT_LEAST = 3 * 4 + 2,
};

struct envelope *envelope_new(void)
{
	struct envelope *envelope = must_alloc(sizeof(*envelope));

	envelope->sender = must_strdup("");
	envelope->client = must_strdup("");
	return envelope;
}

void envelope_free(struct envelope *envelope)
{
	if (!envelope)
		return;
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		free(envelope->recipients[i].address);
		free(envelope->recipients[i].domain);
		free(envelope->recipients[i].orcpt);
	}
	free(envelope->recipients);
	free(envelope->sender);
	free(envelope->envid);
	free(envelope->client);
	free(envelope);
}

/* Room grows by doubling: it is full whenever the count is a power of 2. */
static struct recipient *next_recipient(struct envelope *envelope)
{
	size_t count = envelope->recipient_count;
	struct recipient *r;

	if ((count & (count - 1)) == 0)
		envelope->recipients =
			must_realloc(envelope->recipients,
				     (count ? count * 2 : 1) * sizeof(*r));
	r = &envelope->recipients[envelope->recipient_count++];
	*r = (struct recipient){ .notify = 0 };
	return r;
}

struct recipient *envelope_add(struct envelope *envelope, const char *address,
			       const char *domain)
{
	struct recipient *r = next_recipient(envelope);

	r->address = must_strdup(address);
	r->domain = must_strdup(domain);
	return r;
}

static unsigned flags_of(const struct envelope *e)
{
	return (e->is_8bit ? FLAG_8BIT : 0u) | (e->needs_utf8 ? FLAG_UTF8 : 0u) |
	       (e->has_utf8_header ? FLAG_UTF8_HEADER : 0u) |
	       (e->is_report ? FLAG_REPORT : 0u) | (e->envid ? FLAG_ENVID : 0u);
}

void envelope_pack(const struct envelope *e, struct buffer *out)
{
	pack_u8(out, (uint8_t)flags_of(e));
	pack_u8(out, (uint8_t)e->ret);
	pack_u64(out, e->size);
	pack_u32(out, e->longest_line);
	pack_u64(out, (uint64_t)e->accepted);
	pack_u64(out, (uint64_t)e->accepted_wall);
	pack_text(out, e->sender);
	pack_text(out, e->envid);
	pack_text(out, e->client);
	pack_u32(out, (uint32_t)e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct recipient *r = &e->recipients[i];

		pack_u8(out, (uint8_t)r->notify);
		pack_text(out, r->address);
		pack_text(out, r->domain);
		pack_u8(out, r->orcpt != NULL);
		pack_text(out, r->orcpt);
	}
}

static void unpack_recipient(struct unpack *in, struct envelope *e)
{
	struct recipient *r = next_recipient(e);
	bool has_orcpt;
	char *orcpt;

	r->notify = unpack_u8(in);
	r->address = unpack_text(in);
	r->domain = unpack_text(in);
	has_orcpt = unpack_u8(in) != 0;
	orcpt = unpack_text(in);
	if (has_orcpt)
		r->orcpt = orcpt;
	else
		free(orcpt);
}

struct envelope *envelope_unpack(struct unpack *in, const char *id)
{
	struct envelope *e = must_alloc(sizeof(*e));
	unsigned flags = unpack_u8(in), ret = unpack_u8(in);
	char *envid;
	uint32_t count;

	memcpy(e->id, id, strnlen(id, MESSAGE_ID_LEN));
	e->is_8bit = flags & FLAG_8BIT;
	e->needs_utf8 = flags & FLAG_UTF8;
	e->has_utf8_header = flags & FLAG_UTF8_HEADER;
	e->is_report = flags & FLAG_REPORT;
	e->ret = ret <= RETURN_HEADERS ? (enum dsn_return)ret : RETURN_UNSAID;
	e->size = unpack_u64(in);
	e->longest_line = unpack_u32(in);
	e->accepted = (int64_t)unpack_u64(in);
	e->accepted_wall = (int64_t)unpack_u64(in);
	e->sender = unpack_text(in);
	envid = unpack_text(in);
	if (flags & FLAG_ENVID)
		e->envid = envid;
	else
		free(envid);
	e->client = unpack_text(in);
	count = unpack_count(in, RECIPIENT_LEAST);
	for (uint32_t i = 0; i < count && !in->is_bad; i++)
		unpack_recipient(in, e);
	if (in->is_bad || ret > RETURN_HEADERS) {
		envelope_free(e);
		return NULL;
	}
	return e;
}
