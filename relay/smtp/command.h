/*
 * The commands of SMTP: verbs, and what MAIL, RCPT and BDAT say.  Pure; a
 * line goes in, a parsed form or the answer that refuses it comes out.
 * Lenient where it is harmless: case, blanks behind FROM: and TO: and at
 * the end, missing angle brackets.
 */
#ifndef RELAY_SMTP_COMMAND_H
#define RELAY_SMTP_COMMAND_H

#include "conf/addr.h"
#include "queue/envelope.h"
#include "relay/smtp/answer.h"

enum {
	COMMAND_MAX = 512, /* RFC 5321 4.5.3.1.4, CRLF included */
	/* What extensions add: SIZE 26 (RFC 1870), BODY 17 (RFC 6152),
	 * SMTPUTF8 10 (RFC 6531), RET 9 and ENVID 107 (RFC 3461) */
	COMMAND_MAIL_MAX = COMMAND_MAX + 26 + 17 + 10 + 9 + 107,
	/* NOTIFY 29 and ORCPT 507 (RFC 3461) */
	COMMAND_RCPT_MAX = COMMAND_MAX + 29 + 507,
	COMMAND_LINE_MAX = COMMAND_RCPT_MAX, /* the longest of all */
	COMMAND_ENVID_MAX = 100, /* RFC 3461 4.4 */
	COMMAND_ORCPT_MAX = 500, /* RFC 3461 4.2 */
};

enum verb {
	VERB_UNKNOWN,
	VERB_HELO,
	VERB_EHLO,
	VERB_STARTTLS,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_VRFY,
	VERB_HELP,
	VERB_QUIT,
	VERB_ABSENT,  /* known to SMTP and not offered here */
	VERB_FOREIGN, /* another protocol: HTTP, TLS, ... */
	VERB_COUNT,
};

struct command {
	enum verb verb;
	struct view argument; /* without blanks round it */
};

void command_parse(struct view line, struct command *out);
/*
 * What of a command may be logged or shown: not the credentials behind
 * AUTH, nor a line that is no command after it.  *hides is the session's,
 * false at first.
 */
struct view command_shown(struct view line, enum verb verb, bool *hides);
/* The longest line that this verb may have, CRLF included. */
size_t command_max(enum verb verb);

struct mail_command {
	struct address sender; /* "" is the null path */
	uint64_t size;         /* 0: not said */
	bool is_utf8;          /* SMTPUTF8 */
	enum dsn_return ret;
	struct view envid;     /* xtext as it came; empty: not said */
};

struct rcpt_command {
	struct address recipient;
	unsigned notify;
	struct view orcpt;     /* as it came, checked; empty: not said */
};

/*
 * The arguments of MAIL and RCPT.  True, or false with the answer in
 * *refusal, whose text may lie in `why`.  `utf8`: MAIL said SMTPUTF8.
 */
bool command_mail(struct view argument, struct mail_command *out,
		  struct answer *refusal, struct error *why);
bool command_rcpt(struct view argument, bool utf8, struct rcpt_command *out,
		  struct answer *refusal, struct error *why);

/* `BDAT octets [LAST]` (RFC 3030 2); false when malformed: then nobody
 * knows how many octets follow. */
bool command_bdat(struct view argument, uint64_t *octets, bool *is_last);

#endif
