/*
 * What the modes of the load generator share: the options, the form of a
 * message and the clock that its stamps are taken from.  A message says in
 * a field of its own who it is, when its last byte was written and what its
 * body's CRC32C is, so that a sink can tell loss, repetition, damage and
 * delay by itself.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "conf/bytes.h"
#include "tests/bench/peer.h"

enum bench_tls { BENCH_PLAIN, BENCH_STARTTLS, BENCH_IMPLICIT };

struct bench_options {
	enum bench_tls tls;
	unsigned sessions;       /* side by side */
	unsigned messages;
	unsigned per_connection; /* 0: as many as there are */
	size_t length;           /* of the body */
	double rate;             /* messages/s, 0: as fast as it goes */
	bool resumes;            /* TLS sessions */
	uint32_t run;            /* which the messages bear */
	const char *sender, *recipient;
	const char *chain, *key; /* PEM files of a server */
	struct sockaddr_in address;
};

struct bench_stamp {
	uint32_t run, serial, crc;
	uint64_t ns;             /* of CLOCK_MONOTONIC */
};

uint64_t bench_ns(void);
/* The whole message after DATA, with the dot. `payload` is changed: it
 * begins with the message's number. */
void bench_compose(struct buffer *out, const struct bench_options *options,
		   uint32_t serial, struct buffer *payload);
/* A payload of printable lines. */
void bench_payload(struct buffer *payload, size_t length);
/* Finds the field in a message's header. */
bool bench_read_stamp(struct view header, struct bench_stamp *stamp);
/* Prints the percentiles of times in us as members of a JSON object;
 * sorts them. */
void bench_percentiles(uint32_t *times, size_t count);

/* The modes; each returns an exit status. */
int bench_send(const struct bench_options *options);
int bench_shake(const struct bench_options *options);
int bench_hold(const struct bench_options *options);
int bench_sink(const struct bench_options *options);
int bench_echo(const struct bench_options *options);

#endif
