/*
 * One record's data as it came from the DNS, into the form that the
 * workers use.  Names are uncompressed (the resolver's library unpacks
 * them); those that could not stand in a mail address are refused here, so
 * that nobody later meets a dot inside a label or a control byte.
 */
#include "relay/dns_rdata.h"

#include <string.h>

enum { LABEL_MAX = 63 }; /* RFC 1035 2.3.4 */

static bool may_stand_in_label(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Appends a label and its dot. */
static int add_label(struct view label, char *text, size_t *len, size_t room)
{
	if (label.len + 1 > room - *len)
		return -1;
	for (size_t i = 0; i < label.len; i++) {
		if (!may_stand_in_label(label.at[i]))
			return -1;
		text[(*len)++] = (char)label.at[i];
	}
	text[(*len)++] = '.';
	return 0;
}

/* The root comes out as "". */
static int read_name(struct view rdata, char out[ADDR_DOMAIN_MAX + 1])
{
	char text[ADDR_DOMAIN_MAX + 1];
	size_t len = 0;
	struct error error;

	for (;;) {
		size_t label_len;

		if (rdata.len == 0)
			return -1;
		label_len = rdata.at[0];
		rdata = view_from(rdata, 1);
		if (label_len == 0)
			break;
		if (label_len > LABEL_MAX || label_len > rdata.len ||
		    add_label(view_first(rdata, label_len), text, &len,
			      sizeof(text)))
			return -1;
		rdata = view_from(rdata, label_len);
	}
	if (rdata.len > 0)
		return -1;
	out[0] = '\0';
	if (len == 0)
		return 0;
	return domain_canonical(view_make(text, len - 1), out, &error);
}

static int read_mx(struct view rdata, struct dns_record *record)
{
	if (rdata.len < 3)
		return -1;
	record->preference = (uint16_t)(rdata.at[0] << 8 | rdata.at[1]);
	return read_name(view_from(rdata, 2), record->name);
}

static int read_txt(struct view rdata, struct dns_record *record)
{
	while (rdata.len > 0) {
		size_t len = rdata.at[0];

		rdata = view_from(rdata, 1);
		if (len > rdata.len || len > DNS_RAW_MAX - record->raw_len)
			return -1;
		for (size_t i = 0; i < len; i++)
			record->raw[record->raw_len++] = rdata.at[i];
		rdata = view_from(rdata, len);
	}
	return 0;
}

static int read_tlsa(struct view rdata, struct dns_record *record)
{
	if (rdata.len < 3 || rdata.len > DNS_RAW_MAX)
		return -1;
	memcpy(record->raw, rdata.at, rdata.len);
	record->raw_len = rdata.len;
	return 0;
}

static int read_address(struct view rdata, struct dns_record *record)
{
	return net_from_raw(rdata.at, rdata.len, &record->address);
}

int dns_rdata_read(enum dns_type type, struct view rdata,
		   struct dns_record *record)
{
	memset(record, 0, sizeof(*record));
	switch (type) {
	case DNS_A: return rdata.len == 4 ? read_address(rdata, record) : -1;
	case DNS_AAAA:
		return rdata.len == 16 ? read_address(rdata, record) : -1;
	case DNS_MX: return read_mx(rdata, record);
	case DNS_CNAME: return read_name(rdata, record->name);
	case DNS_TXT: return read_txt(rdata, record);
	case DNS_TLSA: return read_tlsa(rdata, record);
	}
	return -1;
}
