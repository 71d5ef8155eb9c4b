/*
 * What was demanded of a host's TLS and what the wire proved, in words: the
 * same on a log line, in an attempt's record and in a report.  Pure; who
 * knows TLS fills it in, "" is what nobody got to know.  All of it is
 * printable: the peer's text was escaped before.
 */
#ifndef QUEUE_PROOF_H
#define QUEUE_PROOF_H

#include "conf/log.h"
#include "queue/pack.h"

enum { PROOF_TEXT_MAX = 500 };

struct proof {
	char level[8];         /* demanded: none, may, encrypt, verify */
	char verdict[12];      /* deliver, plaintext, next-host; of a client
	                        * refuse in place of the last */
	char reason_code[28];  /* what was not met (docs/tls.md) */
	char would[28];        /* a dry run (`would`): deliver, or its reason
	                        * code */
	char version[12];      /* "TLSv1.3"; "" in the clear */
	char cipher[48];
	char name[128];        /* the certificate's name that matched, else
	                        * its first; longer ones are cut */
	char issuer[80];       /* likewise cut */
	char pin[72];          /* of the leaf's key: "sha256:..." */
	unsigned char pinned;  /* which of the policy's pins it is, from 1;
	                        * 0: none */
	bool is_verified;
};

/* A field's text, cut where it does not fit. */
void proof_field(char *out, size_t room, const char *text);
/* One line for people: "TLSv1.3 ... verified name=... issuer=... pin=...";
 * "" without TLS. */
void proof_text(const struct proof *proof, char out[PROOF_TEXT_MAX]);
/* level, verdict, reason-code, would, tls, cipher, name, issuer, pin, pinned: those
 * that are known. */
void proof_log(const struct proof *proof, struct log_line *line);
void proof_pack(struct buffer *out, const struct proof *proof);
void proof_unpack(struct unpack *in, struct proof *out);

#endif
