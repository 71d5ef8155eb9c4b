/*
 * A proof as words and as bytes.  See proof.h.
 */
#include "queue/proof.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(member, key) \
	{ key, offsetof(struct proof, member), \
	  sizeof(((struct proof *)0)->member) }

/* In the order of the log and of the record. */
static const struct field {
	const char *key;
	size_t at, room;
} fields[] = {
	FIELD(level, "level"),
	FIELD(verdict, "verdict"),
	FIELD(reason_code, "reason-code"),
	FIELD(would, "would"),
	FIELD(version, "tls"),
	FIELD(cipher, "cipher"),
	FIELD(name, "name"),
	FIELD(issuer, "issuer"),
	FIELD(pin, "pin"),
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

void proof_field(char *out, size_t room, const char *text)
{
	size_t len = strnlen(text, room - 1);

	/* Not in the middle of a character. */
	while (text[len] && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	memcpy(out, text, len);
	out[len] = '\0';
}

void proof_text(const struct proof *proof, char out[PROOF_TEXT_MAX])
{
	out[0] = '\0';
	if (!proof->version[0])
		return;
	snprintf(out, PROOF_TEXT_MAX, "%s %s %s name=%s issuer=\"%s\" pin=%s",
		 proof->version, proof->cipher,
		 proof->is_verified ? "verified" : "unverified",
		 proof->name[0] ? proof->name : "-", proof->issuer,
		 proof->pin);
}

void proof_log(const struct proof *proof, struct log_line *line)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const char *text = (const char *)proof + fields[i].at;

		if (text[0])
			log_str(line, fields[i].key, text);
	}
	if (proof->pinned)
		log_num(line, "pinned", proof->pinned);
}

void proof_pack(struct buffer *out, const struct proof *proof)
{
	for (size_t i = 0; i < FIELDS; i++)
		pack_text(out, (const char *)proof + fields[i].at);
	pack_u8(out, proof->pinned);
	pack_u8(out, proof->is_verified);
}

void proof_unpack(struct unpack *in, struct proof *out)
{
	for (size_t i = 0; i < FIELDS; i++)
		unpack_field(in, (char *)out + fields[i].at, fields[i].room);
	out->pinned = unpack_u8(in);
	out->is_verified = unpack_u8(in) != 0;
}
