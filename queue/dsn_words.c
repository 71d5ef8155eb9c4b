/*
 * Advice by the enhanced status code: the longest row that begins it.
 */
#include "queue/dsn_words.h"

#include <string.h>

/* The class (4. or 5.) says nothing here: it was given up either way. */
static const struct {
	const char *subject;
	const char *advice;
} rows[] = {
	{ "1.2", "Check the part of the address behind the @; there is no mail "
		 "system of that name." },
	{ "1.10", "That domain takes no mail; ask the recipient for another "
		  "address." },
	{ "1", "Check the address, and send to the right one." },
	{ "2.2", "The mailbox is full: reach the recipient in another way, or "
		 "send again later." },
	{ "2", "The mailbox takes no mail at present: reach the recipient in "
	       "another way." },
	{ "2.3", "Send less at once: the message is too large for the "
		 "recipient." },
	{ "3.4", "Send less at once: the message is too large for the other "
		 "system." },
	{ "3", "Send again later; if it goes on, the other system's postmaster "
	       "should know." },
	{ "4.7", "Send again later if it still matters. The other system's "
		 "postmaster can say why it took so long." },
	{ "4", "Check the part of the address behind the @, or send again "
	       "later." },
	{ "5", "The two mail systems do not understand each other: tell the "
	       "postmaster of this relay." },
	{ "6", "The other system cannot handle this kind of message: use plain "
	       "addresses and simple attachments." },
	{ "7", "The other system refused it on purpose: its answer says why, "
	       "and its postmaster can help." },
	{ "0", "Ask the postmaster of this relay." },
};

static const char unmet[] =
	"Nothing was sent, because the encryption that is agreed on for this "
	"recipient was not to be had; that protects your message. The "
	"recipient's postmaster can put that right; the reason says what was "
	"expected and what was found.";

static bool begins(const char *status, const char *row)
{
	size_t len = strlen(row);

	return strncmp(status, row, len) == 0 &&
	       (status[len] == '\0' || status[len] == '.');
}

const char *dsn_advice(const struct result *result)
{
	const char *status = result->status, *best = NULL;
	size_t length = 0;

	if (result->is_unmet)
		return unmet;
	/* Behind the class. */
	status += strcspn(status, ".");
	status += *status == '.';
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].subject);

		if (len > length && begins(status, rows[i].subject)) {
			best = rows[i].advice;
			length = len;
		}
	}
	return best ? best : "Ask the postmaster of this relay.";
}
