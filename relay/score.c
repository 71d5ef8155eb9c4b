/*
 * Comes in: cells.  Goes out: numbers.  What a policy does not demand and
 * what a gateway put off count neither for nor against; what was not
 * reached counts against.
 */
#include "relay/score.h"

#include <string.h>

/* TLS is what is asked about: three quarters of all. */
static const unsigned weights[MATRIX_STAGES] = {
	[MATRIX_CONNECT] = 5,
	[MATRIX_ALLOWED] = 5,
	[MATRIX_CAN_USE] = 5,
	[MATRIX_TLS_ADV] = 20,
	[MATRIX_CERT] = 30,
	[MATRIX_TLS_NEG] = 25,
	[MATRIX_SENDER] = 5,
	[MATRIX_RECIPIENT] = 5,
};

unsigned score_weight(const struct matrix *matrix, enum matrix_stage stage)
{
	if (matrix->is_assured)
		return stage == MATRIX_SENDER ? 100 : 0;
	return weights[stage];
}

static bool is_put_off(const struct matrix_row *row, enum matrix_stage stage)
{
	size_t i;

	for (i = 0; i < stage; i++)
		if (row->cells[i].state == MATRIX_TEMP)
			return true;
	return false;
}

/* Behind a refusal for now nothing can be known. */
static bool counts(const struct matrix_row *row, enum matrix_stage stage)
{
	enum matrix_state state = row->cells[stage].state;

	return state == MATRIX_OK || state == MATRIX_FAIL ||
	       (state == MATRIX_UNREACHED && !is_put_off(row, stage));
}

int score_row(const struct matrix *matrix, const struct matrix_row *row)
{
	unsigned good = 0, all = 0, weight;
	size_t i;

	for (i = 0; i < MATRIX_STAGES; i++) {
		weight = score_weight(matrix, (enum matrix_stage)i);
		if (!counts(row, (enum matrix_stage)i))
			continue;
		all += weight;
		if (row->cells[i].state == MATRIX_OK)
			good += weight;
	}
	return all > 0 ? (int)(good * 100 / all) : SCORE_UNKNOWN;
}

double score_row_weight(const struct matrix *matrix,
			const struct matrix_row *row)
{
	size_t i, same = 0;

	for (i = 0; i < matrix->count; i++)
		if (matrix->rows[i].port == row->port &&
		    strcmp(matrix->rows[i].host, row->host) == 0)
			same++;
	return 1.0 / row->rank / (double)same;
}

int score_total(const struct matrix *matrix)
{
	double good = 0, all = 0, weight;
	bool is_perfect = true;
	size_t i;
	int points;

	for (i = 0; i < matrix->count; i++) {
		points = score_row(matrix, &matrix->rows[i]);
		if (points == SCORE_UNKNOWN)
			continue;
		weight = score_row_weight(matrix, &matrix->rows[i]);
		all += weight;
		good += weight * points;
		if (points < 100)
			is_perfect = false;
	}
	if (all <= 0)
		return matrix->count > 0 ? SCORE_UNKNOWN : 0;
	return is_perfect ? 100 : (int)(good / all);
}

int score_average(const struct matrix *matrix, enum matrix_stage stage)
{
	size_t i, good = 0, all = 0;

	for (i = 0; i < matrix->count; i++) {
		if (!counts(&matrix->rows[i], stage))
			continue;
		all++;
		if (matrix->rows[i].cells[stage].state == MATRIX_OK)
			good++;
	}
	return all > 0 ? (int)(good * 100 / all) : SCORE_UNKNOWN;
}

static void explain_rows(const struct matrix *matrix, struct buffer *out)
{
	char host[RESULT_HOST_MAX];
	size_t i;
	int points;

	for (i = 0; i < matrix->count; i++) {
		matrix_host(&matrix->rows[i], host);
		points = score_row(matrix, &matrix->rows[i]);
		buffer_printf(out, "  %5.3f x ",
			      score_row_weight(matrix, &matrix->rows[i]));
		if (points == SCORE_UNKNOWN)
			buffer_printf(out, "  - %s\n", host);
		else
			buffer_printf(out, "%3d %s\n", points, host);
	}
	if (matrix->count > 0)
		buffer_printf(out, "\n");
}

void score_explain(const struct matrix *matrix, struct buffer *out)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);

	buffer_printf(out, "Score: points of each address\n");
	for (i = 0; i < count; i++)
		if (score_weight(matrix, columns[i]) > 0)
			buffer_printf(out, "  %3u %s\n",
				      score_weight(matrix, columns[i]),
				      matrix_title(matrix, columns[i]));
	buffer_printf(
		out,
		"OK earns the points, FAIL and what is not reached do not; TEMP, "
		"what follows it\nand what the policy does not demand are left "
		"out. An address weighs 1 / the rank\nof its preference (best: "
		"1), shared among the addresses of its host. The score is\nthe "
		"weighted mean, rounded down: 100 only when all that counts is "
		"OK.\n\n");
	explain_rows(matrix, out);
}
