/*
 * The confidence factor: from a matrix to a number of 0 to 100, by weights
 * that anybody may read (docs/check.md).  Pure.
 */
#ifndef RELAY_SCORE_H
#define RELAY_SCORE_H

#include "relay/matrix.h"

enum { SCORE_UNKNOWN = -1 };

/* What a stage weighs in its row; they add up to 100. */
unsigned score_weight(const struct matrix *matrix, enum matrix_stage stage);
/* A row's points, 0 to 100; SCORE_UNKNOWN when nothing in it counts. */
int score_row(const struct matrix *matrix, const struct matrix_row *row);
/* What a row weighs in the whole: 1 / rank, shared among the addresses of
 * its host. */
double score_row_weight(const struct matrix *matrix,
			const struct matrix_row *row);
/* The whole: 100 only when all that counts is OK; without rows 0. */
int score_total(const struct matrix *matrix);
/* Per cent of the rows that are OK at a stage, or SCORE_UNKNOWN. */
int score_average(const struct matrix *matrix, enum matrix_stage stage);

/* The weights in words, and with rows also what each of them came to. */
void score_explain(const struct matrix *matrix, struct buffer *out);

#endif
