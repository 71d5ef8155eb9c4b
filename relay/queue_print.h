/*
 * How the `queue` commands write times, sizes and foreign text for people,
 * and jobs as JSON.  Pure.
 */
#ifndef RELAY_QUEUE_PRINT_H
#define RELAY_QUEUE_PRINT_H

#include "queue/browse.h"
#include "relay/json.h"

/* Foreign text, escaped and bounded. */
void print_shown(struct buffer *out, const char *text);
/* A reply, reason, host or proof: escaped when it was stored. */
void print_told(struct buffer *out, const char *text);
/* "3 h 20 min", "12 s", "5 d 2 h"; at least 0. */
void print_span(struct buffer *out, int64_t seconds);
/* "2.1 KiB" */
void print_size(struct buffer *out, uint64_t bytes);
/* 2026-11-25T00:00:00Z */
void print_stamp(struct buffer *out, int64_t when);
/* "now", "in 12 min", "on hold" */
void print_next(struct buffer *out, int64_t now, int64_t when);
/* "1 message", "2 messages" */
void print_count(struct buffer *out, uint64_t count, const char *what);

/* Times as above, or null when they say never. */
void print_json_time(struct json *json, const char *key, int64_t when);
/* The open recipients that are meant. */
void print_json_recipients(struct json *json, const struct picked *picked);

/* Writes what the buffer holds to standard output and empties it; false
 * when nobody reads any more. */
bool print_flush(struct buffer *out);

#endif
