/*
 * Comes in: envelope, recipient, offer.  Goes out: a verdict, or bytes of a
 * command.  Nothing is kept.
 */
#include "relay/smtp/carry.h"

#include <inttypes.h>
#include <string.h>

#include "conf/addr.h"
#include "queue/dsn_address.h"

/* Control bytes cannot have come through an SMTP session; a damaged or
 * foreign record must not become a command of its own. */
static bool is_clean(const char *text)
{
	const unsigned char *at;

	for (at = (const unsigned char *)text; *at != '\0'; at++)
		if (*at < ' ' || *at == 0x7f)
			return false;
	return true;
}

static bool is_ascii(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] > 0x7f)
			return false;
	return true;
}

static bool has_ascii_local_part(const char *address)
{
	const char *at = strrchr(address, '@');

	return is_ascii(address,
			at != NULL ? (size_t)(at - address) : strlen(address));
}

enum carry carry_message(const struct envelope *envelope,
			 const struct offer *offer, struct result *result)
{
	if (!is_clean(envelope->sender)) {
		result_set(result, OUTCOME_FAILED, BLAME_MESSAGE, "5.1.7",
			   "the sender's address is malformed");
		return CARRY_NEVER;
	}
	if (offer->size > 0 && envelope->size > offer->size) {
		result_set(result, OUTCOME_FAILED, BLAME_MESSAGE, "5.3.4",
			   "the message has %" PRIu64 " bytes, the next hop "
			   "takes %" PRIu64,
			   envelope->size, offer->size);
		return CARRY_NEVER;
	}
	if (envelope->needs_utf8 && !offer->smtputf8 &&
	    (envelope->has_utf8_header ||
	     !has_ascii_local_part(envelope->sender))) {
		result_set(result, OUTCOME_FAILED, BLAME_MESSAGE, "5.6.7",
			   "the next hop lacks SMTPUTF8, which the %s needs",
			   envelope->has_utf8_header ? "message's header"
						     : "sender's address");
		return CARRY_LACKS;
	}
	if (envelope->is_8bit && !offer->eightbitmime) {
		result_set(result, OUTCOME_FAILED, BLAME_MESSAGE, "5.6.3",
			   "the message has 8-bit content, the next hop lacks "
			   "8BITMIME");
		return CARRY_LACKS;
	}
	return CARRY_FITS;
}

enum carry carry_recipient(const struct recipient *recipient,
			   const struct offer *offer, struct result *result)
{
	if (!is_clean(recipient->address)) {
		result_set(result, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.3",
			   "the recipient's address is malformed");
		return CARRY_NEVER;
	}
	if (!offer->smtputf8 && !has_ascii_local_part(recipient->address)) {
		result_set(result, OUTCOME_FAILED, BLAME_RECIPIENT, "5.6.7",
			   "the next hop lacks SMTPUTF8, which the recipient's "
			   "address needs");
		return CARRY_LACKS;
	}
	return CARRY_FITS;
}

/* The address in brackets; its domain as A-labels where the hop knows no
 * other. */
static void append_path(struct buffer *out, const char *text,
			const struct offer *offer)
{
	char ascii[sizeof(((struct address *)0)->text)];
	struct address address;
	struct error ignored;
	size_t used;

	if (!offer->smtputf8 && !is_ascii(text, strlen(text)) &&
	    address_parse_path(view_of(text), true, &address, &used,
			       &ignored) == 0) {
		address_ascii(&address, ascii, sizeof(ascii));
		text = ascii;
	}
	buffer_append_byte(out, '<');
	buffer_append(out, view_of(text));
	buffer_append_byte(out, '>');
}

static void append_xtext(struct buffer *out, const char *key, const char *text)
{
	if (text == NULL || !is_clean(text))
		return;
	buffer_append(out, view_of(key));
	buffer_append(out, view_of(text));
}

void carry_mail(struct buffer *out, const struct envelope *envelope,
		const struct offer *offer)
{
	buffer_append(out, VIEW("MAIL FROM:"));
	append_path(out, envelope->sender, offer);
	if (offer->has_size)
		buffer_printf(out, " SIZE=%" PRIu64, envelope->size);
	if (envelope->is_8bit && offer->eightbitmime)
		buffer_append(out, VIEW(" BODY=8BITMIME"));
	if (envelope->needs_utf8 && offer->smtputf8)
		buffer_append(out, VIEW(" SMTPUTF8"));
	if (offer->dsn && envelope->ret != RETURN_UNSAID)
		buffer_append(out, envelope->ret == RETURN_FULL
					   ? VIEW(" RET=FULL")
					   : VIEW(" RET=HDRS"));
	if (offer->dsn)
		append_xtext(out, " ENVID=", envelope->envid);
	buffer_append(out, VIEW("\r\n"));
}

static void append_notify(struct buffer *out, unsigned notify)
{
	/* clang-format off */
	static const struct {
		unsigned bit;
		const char *name;
	} words[] = {
		{ NOTIFY_NEVER,   "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY,   "DELAY" },
	};
	/* clang-format on */
	const char *before = " NOTIFY=";
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		buffer_append(out, view_of(before));
		buffer_append(out, view_of(words[i].name));
		before = ",";
	}
}

/* RFC 6533 3: a hop without SMTPUTF8 gets ASCII (utf-8-addr-xtext). */
static void append_orcpt(struct buffer *out, const char *orcpt,
			 const struct offer *offer)
{
	if (orcpt == NULL || !is_clean(orcpt))
		return;
	buffer_append(out, VIEW(" ORCPT="));
	if (is_ascii(orcpt, strlen(orcpt)))
		buffer_append(out, view_of(orcpt));
	else
		dsn_address(out, orcpt, offer->smtputf8);
}

void carry_rcpt(struct buffer *out, const struct recipient *recipient,
		const struct offer *offer)
{
	buffer_append(out, VIEW("RCPT TO:"));
	append_path(out, recipient->address, offer);
	if (offer->dsn) {
		append_notify(out, recipient->notify);
		append_orcpt(out, recipient->orcpt, offer);
	}
	buffer_append(out, VIEW("\r\n"));
}
