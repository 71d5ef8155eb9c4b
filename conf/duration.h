/*
 * Spans of time as people say them.  Pure.
 */
#ifndef CONF_DURATION_H
#define CONF_DURATION_H

#include <stdint.h>

enum { DURATION_TEXT_MAX = 24 };

/* "5 days", "36 hours", "90 seconds": the largest unit that is exact;
 * returns `out`. */
const char *duration_text(uint32_t seconds, char out[DURATION_TEXT_MAX]);

#endif
