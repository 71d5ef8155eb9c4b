/*
 * Questions and answers between the workers and the resolver process.
 *
 *   question  id:4 type:2 name
 *   answer    id:4 type:2 kind:1 flags:1 ttl:4 dropped:4 count:2
 *             canonical why (length:2 payload)*
 *
 * Numbers are big-endian, texts have a length byte.  A record's payload is
 * the address (A, AAAA), preference and name (MX), the name (CNAME), or
 * the bytes (TXT, TLSA).  Never reads past what it was given.
 */
#include "relay/dns_wire.h"

#include <stdlib.h>
#include <string.h>

enum { FLAG_SECURE = 1, FLAG_BOGUS = 2, FLAGS_ALL = 3 };

static const enum dns_type types[] = { DNS_A,	DNS_CNAME, DNS_MX,
				       DNS_TXT, DNS_AAAA,  DNS_TLSA };

bool dns_type_known(unsigned type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

bool dns_name_is_plain(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = name.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_' && c != '.')
			return false;
	}
	return name.len <= ADDR_DOMAIN_MAX;
}

static void put_number(struct buffer *out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		buffer_append_byte(out, (unsigned char)(value >> (8 * bytes)));
}

static void put_text(struct buffer *out, const char *text)
{
	size_t len = strlen(text);

	if (len > ADDR_DOMAIN_MAX)
		len = ADDR_DOMAIN_MAX;
	put_number(out, len, 1);
	buffer_append(out, view_make(text, len));
}

static int get_number(struct view *in, unsigned bytes, uint32_t *value)
{
	if (in->len < bytes)
		return -1;
	*value = 0;
	for (unsigned i = 0; i < bytes; i++)
		*value = *value << 8 | in->at[i];
	*in = view_from(*in, bytes);
	return 0;
}

/* `out` has room for `max` bytes and a NUL, which the text must not hold. */
static int get_text(struct view *in, char *out, size_t max)
{
	uint32_t len;

	if (get_number(in, 1, &len) || len > max || in->len < len)
		return -1;
	for (uint32_t i = 0; i < len; i++) {
		if (in->at[i] == '\0')
			return -1;
		out[i] = (char)in->at[i];
	}
	out[len] = '\0';
	*in = view_from(*in, len);
	return 0;
}

void dns_wire_put_question(struct buffer *out,
			   const struct dns_question *question)
{
	put_number(out, question->id, 4);
	put_number(out, question->type, 2);
	put_text(out, question->name);
}

int dns_wire_get_question(struct view in, struct dns_question *question)
{
	uint32_t type;

	if (get_number(&in, 4, &question->id) || get_number(&in, 2, &type) ||
	    get_text(&in, question->name, ADDR_DOMAIN_MAX) || in.len > 0 ||
	    !dns_type_known(type) ||
	    !dns_name_is_plain(view_of(question->name)))
		return -1;
	question->type = (enum dns_type)type;
	return 0;
}

static void put_record(struct buffer *out, enum dns_type type,
		       const struct dns_record *record)
{
	size_t name_len = strlen(record->name);

	switch (type) {
	case DNS_A:
		put_number(out, 4, 2);
		buffer_append(out,
			      view_make(&record->address.sa.v4.sin_addr, 4));
		break;
	case DNS_AAAA:
		put_number(out, 16, 2);
		buffer_append(out,
			      view_make(&record->address.sa.v6.sin6_addr, 16));
		break;
	case DNS_MX:
		put_number(out, 2 + name_len, 2);
		put_number(out, record->preference, 2);
		buffer_append(out, view_make(record->name, name_len));
		break;
	case DNS_CNAME:
		put_number(out, name_len, 2);
		buffer_append(out, view_make(record->name, name_len));
		break;
	case DNS_TXT:
	case DNS_TLSA:
		put_number(out, record->raw_len, 2);
		buffer_append(out, view_make(record->raw, record->raw_len));
		break;
	}
}

void dns_wire_put_answer(struct buffer *out, uint32_t id, enum dns_type type,
			 const struct dns_answer *answer)
{
	unsigned flags = (answer->is_secure ? FLAG_SECURE : 0u) |
			 (answer->is_bogus ? FLAG_BOGUS : 0u);
	size_t count = answer->count;

	if (count > DNS_RECORDS_MAX)
		count = DNS_RECORDS_MAX;
	put_number(out, id, 4);
	put_number(out, type, 2);
	put_number(out, answer->kind, 1);
	put_number(out, flags, 1);
	put_number(out, answer->ttl, 4);
	put_number(out, answer->dropped, 4);
	put_number(out, count, 2);
	put_text(out, answer->canonical);
	put_text(out, answer->why);
	for (size_t i = 0; i < count; i++)
		put_record(out, type, &answer->records[i]);
}

static int get_name(struct view payload, struct dns_record *record)
{
	if (!dns_name_is_plain(payload))
		return -1;
	for (size_t i = 0; i < payload.len; i++)
		record->name[i] = (char)payload.at[i];
	record->name[payload.len] = '\0';
	return 0;
}

static int get_address(struct view payload, struct dns_record *record)
{
	return net_from_raw(payload.at, payload.len, &record->address);
}

static int get_payload(struct view payload, enum dns_type type,
		       struct dns_record *record)
{
	uint32_t preference;

	switch (type) {
	case DNS_A: return payload.len == 4 ? get_address(payload, record) : -1;
	case DNS_AAAA:
		return payload.len == 16 ? get_address(payload, record) : -1;
	case DNS_MX:
		if (get_number(&payload, 2, &preference))
			return -1;
		record->preference = (uint16_t)preference;
		return get_name(payload, record);
	case DNS_CNAME: return get_name(payload, record);
	case DNS_TXT:
	case DNS_TLSA:
		if (payload.len > DNS_RAW_MAX)
			return -1;
		for (size_t i = 0; i < payload.len; i++)
			record->raw[i] = payload.at[i];
		record->raw_len = payload.len;
		return 0;
	}
	return -1;
}

static int get_record(struct view *in, enum dns_type type,
		      struct dns_record *record)
{
	uint32_t len;

	if (get_number(in, 2, &len) || in->len < len ||
	    get_payload(view_first(*in, len), type, record))
		return -1;
	*in = view_from(*in, len);
	return 0;
}

static int get_head(struct view *in, uint32_t *id, enum dns_type *type,
		    struct dns_answer *answer)
{
	uint32_t type_number, kind, flags, ttl, dropped, count;

	if (get_number(in, 4, id) || get_number(in, 2, &type_number) ||
	    get_number(in, 1, &kind) || get_number(in, 1, &flags) ||
	    get_number(in, 4, &ttl) || get_number(in, 4, &dropped) ||
	    get_number(in, 2, &count) ||
	    get_text(in, answer->canonical, ADDR_DOMAIN_MAX) ||
	    get_text(in, answer->why, sizeof(answer->why) - 1))
		return -1;
	if (!dns_type_known(type_number) || kind > DNS_ERROR ||
	    flags > FLAGS_ALL || count > DNS_RECORDS_MAX ||
	    !dns_name_is_plain(view_of(answer->canonical)) ||
	    (count > 0 && kind != DNS_DATA))
		return -1;
	*type = (enum dns_type)type_number;
	answer->kind = (enum dns_kind)kind;
	answer->is_secure = flags & FLAG_SECURE;
	answer->is_bogus = flags & FLAG_BOGUS;
	answer->ttl = ttl;
	answer->dropped = dropped;
	answer->count = count;
	return 0;
}

int dns_wire_get_answer(struct view in, uint32_t *id, enum dns_type *type,
			struct dns_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (get_head(&in, id, type, answer))
		return -1;
	if (answer->count > 0)
		answer->records = must_alloc(answer->count *
					     sizeof(*answer->records));
	for (size_t i = 0; i < answer->count; i++)
		if (get_record(&in, *type, &answer->records[i]))
			goto broken;
	if (in.len > 0)
		goto broken;
	return 0;
broken:
	dns_answer_clear(answer);
	return -1;
}

void dns_answer_clear(struct dns_answer *answer)
{
	free(answer->records);
	answer->records = NULL;
	answer->count = 0;
}
