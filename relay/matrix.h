/*
 * What a probe of all gateways of a domain found, in the shape of the
 * partner's form: a row for each address, a column for each stage.  Pure:
 * relay/probe.h fills it, here it is written as text, JSON and CSV.
 */
#ifndef RELAY_MATRIX_H
#define RELAY_MATRIX_H

#include "queue/result.h"
#include "relay/route.h"

enum matrix_stage {
	MATRIX_CONNECT,   /* the connection stands */
	MATRIX_ALLOWED,   /* greeted with 220 */
	MATRIX_CAN_USE,   /* EHLO or HELO was answered with 250 */
	MATRIX_TLS_ADV,   /* STARTTLS is offered and agreed to */
	MATRIX_CERT,      /* the judge's verdict on what was presented */
	MATRIX_TLS_NEG,   /* a handshake of a demanded version, EHLO inside */
	MATRIX_SENDER,    /* MAIL; in an assured matrix: refuses plain text */
	MATRIX_RECIPIENT, /* RCPT */
	MATRIX_STAGES,
};

enum matrix_state {
	MATRIX_UNREACHED, /* something before it failed */
	MATRIX_OK,
	MATRIX_FAIL,
	MATRIX_TEMP,      /* refused for now, as by greylisting */
	MATRIX_UNASKED,   /* the policy does not demand it */
};

struct matrix_cell {
	enum matrix_state state;
	unsigned ms;
};

struct matrix_row {
	char host[ADDR_DOMAIN_MAX + 1];
	struct net_address address; /* family 0: none was found */
	uint16_t port;
	unsigned preference;        /* of the MX, or the gateway's place */
	unsigned rank;              /* among the preferences; the best is 1 */
	enum host_source source;
	bool is_tls_first;
	/* why mail from here would not go there; "" where it would */
	char not_used[JUDGEMENT_TEXT_MAX];

	struct matrix_cell cells[MATRIX_STAGES];
	char reason[RESULT_TEXT_MAX]; /* for what is not OK, or worth saying */
	bool is_met;                  /* mail may go, as far as TLS is asked */
	bool is_plaintext;            /* it would go in the clear */
	bool is_judged;
	struct judgement judgement;
	bool has_would;
	struct judgement would;       /* of the policy's dry run */
	struct tls_facts facts;       /* owned; is_tls false: none */
};

/* All borrowed but the rows. */
struct matrix {
	const struct conf *conf;
	const char *recipient, *sender; /* addresses */
	const char *domain;             /* canonical */
	const struct policy *policy;    /* by which it was judged */
	const char *pattern;            /* of it; NULL: the prerequisites of
	                                 * the form, for want of a policy */
	bool is_assured;                /* plain text was tried instead */
	const struct result *verdict;   /* why there are no rows */
	int64_t now;                    /* UTC seconds */
	unsigned warn_days;             /* 0: never */
	struct matrix_row *rows;
	size_t count;
};

void matrix_clear(struct matrix *matrix);

/* The columns that this matrix has, in their order. */
size_t matrix_columns(const struct matrix *matrix,
		      enum matrix_stage out[MATRIX_STAGES]);
/* "Cert OK", as a heading. */
const char *matrix_title(const struct matrix *matrix, enum matrix_stage stage);
/* "cert", for programs. */
const char *matrix_key(const struct matrix *matrix, enum matrix_stage stage);
const char *matrix_state_text(enum matrix_state state); /* "OK", "-" */
/* The stricter of both judgements, which Cert OK is about; NULL: none. */
const struct judgement *matrix_judgement(const struct matrix_row *row);
/* What was demanded of a row's host, by the dry run where there is one. */
void matrix_demand(const struct matrix *matrix, const struct matrix_row *row,
		   struct demand *demand);
/* Whole days until the leaf ends, negative once it did. */
int64_t matrix_days_left(const struct matrix *matrix,
			 const struct facts_certificate *certificate);
/* True when a certificate that counts ends within warn_days. */
bool matrix_is_ending(const struct matrix *matrix,
		      const struct matrix_row *row);
/* "mx5.de.tuv.com[192.0.2.1]:25" */
void matrix_host(const struct matrix_row *row, char out[RESULT_HOST_MAX]);

void matrix_text(const struct matrix *matrix, bool is_coloured,
		 struct buffer *out);
/* What each gateway presented, and what would have to change. */
void matrix_details(const struct matrix *matrix, struct buffer *out);
void matrix_json(const struct matrix *matrix, struct buffer *out);
void matrix_csv(const struct matrix *matrix, struct buffer *out);

#endif
