/*
 * A partner's form, filled in by people: which domains, which gateways,
 * what their certificates bear and who issued them.  Pure: the form's
 * bytes in, a parsed form out.  The form states it for two directions:
 * section 3 describes the company that issued the form, section 4 the
 * business partner who filled it in; sections 1 and 2 are their contacts.
 */
#ifndef RELAY_FORM_H
#define RELAY_FORM_H

#include "conf/bytes.h"
#include "conf/error.h"

enum {
	FORM_SIZE_MAX = 1024 * 1024, /* bytes; a form has a few thousand */
	FORM_VALUES_MAX = 1000,	     /* in one field, and notes in a section;
	                              * more is refused, never cut */
};

enum form_field {
	FORM_DOMAINS,  /* text: canonical pattern, "*.tuv.com" */
	FORM_GATEWAYS, /* text: canonical host or address */
	FORM_NAMES,    /* text: canonical, perhaps with "*." before it */
	FORM_ISSUERS,  /* text: as written, blanks folded */
	FORM_URLS,     /* this and all that follow: as written */
	FORM_COMPANY,
	FORM_DEPARTMENT,
	FORM_ADDRESS,
	FORM_PERSON,
	FORM_EMAIL,
	FORM_PHONE,
	FORM_FIELDS,
};

enum {
	FORM_UNNAMED,
	FORM_PARTNER,
	FORM_ISSUER,
	FORM_TO_ISSUER,
	FORM_TO_PARTNER,
	FORM_SECTIONS
};

struct form_value {
	char *text;
	char *written;	   /* the word as the form has it */
	unsigned line;	   /* of the form, from 1 */
	uint16_t port;	   /* gateways; 0: the form has none */
	bool is_tls_first; /* gateways: smtps:// */
	bool is_address;   /* gateways */
};

struct form_list {
	struct form_value *at;
	size_t count;
	bool is_filled; /* something was written there, understood or not */
};

/* What the operator must know about how a field was read. */
enum form_remark {
	FORM_UNREAD, /* the text was not understood and is not used */
	FORM_TWICE,  /* the text stood there more than once */
	FORM_SPLIT,  /* the text was cut at its commas */
	FORM_SELF,   /* the text says that certificates are self-signed */
	FORM_BESIDE, /* an address beside gateways with names; not used */
};

struct form_note {
	enum form_remark remark;
	enum form_field field;
	unsigned line;
	char *text;
};

struct form_section {
	struct form_list fields[FORM_FIELDS];
	struct form_note *notes;
	size_t note_count;
	bool is_self_signed; /* the issuer's field says so */
};

struct form {
	struct form_section sections[FORM_SECTIONS]; /* by their number */
	bool is_windows_1252;
};

/* -1 with the reason when it is no text, too large or has more than
 * FORM_VALUES_MAX values; the form is empty then. */
int form_parse(struct view raw, struct form *form, struct error *error);
void form_clear(struct form *form);

#endif
