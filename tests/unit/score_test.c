/*
 * Scores: what counts, what does not, and how addresses weigh.
 */
#include "relay/score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* One letter a stage: O K, F AIL, T EMP, - not reached, u nasked. */
static void fill(struct matrix_row *row, const char *host, unsigned rank,
		 const char *letters)
{
	static const char known[] = "-OFTu";
	size_t i;

	memset(row, 0, sizeof(*row));
	snprintf(row->host, sizeof(row->host), "%s", host);
	row->port = 25;
	row->rank = rank;
	for (i = 0; i < MATRIX_STAGES; i++)
		row->cells[i].state = (enum matrix_state)(
			strchr(known, letters[i]) - known);
}

static void a_row_earns_what_is_ok(void **state)
{
	static const struct {
		const char *letters;
		int points;
	} rows[] = {
		{ "OOOOOOOO", 100 }, { "F-------", 0 },  { "OF------", 5 },
		{ "OOOF----", 15 },  { "OOOOF---", 35 }, { "OOOO-F--", 35 },
		{ "OOOOOOOF", 95 },  { "OOOOOOF-", 90 },
		/* put off: what is known counts */
		{ "OOOOOOOT", 100 }, { "OOOOOOT-", 100 },
		{ "OOOFu-T-", 25 },
		/* a policy that asks for less */
		{ "OOOOuOOO", 100 }, { "OOOuuuOO", 100 },
		{ "OOOFu-OO", 35 },
	};
	const struct matrix matrix = { .count = 0 };
	struct matrix_row row;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fill(&row, "mx.test", 1, rows[i].letters);
		if (score_row(&matrix, &row) != rows[i].points)
			fail_msg("%s: %d, not %d", rows[i].letters,
				 score_row(&matrix, &row), rows[i].points);
	}
}

static void weights_add_up_to_a_hundred(void **state)
{
	struct matrix matrix = { .is_assured = false };
	unsigned i, both = 0, sum;

	(void)state;
	for (; both < 2; both++, matrix.is_assured = true) {
		for (i = sum = 0; i < MATRIX_STAGES; i++)
			sum += score_weight(&matrix, (enum matrix_stage)i);
		assert_int_equal(sum, 100);
	}
}

static void the_best_preference_weighs_most(void **state)
{
	struct matrix_row rows[4];
	struct matrix matrix = { .rows = rows, .count = 2 };

	(void)state;
	fill(&rows[0], "a.test", 1, "OOOOOOOO");
	fill(&rows[1], "b.test", 2, "F-------");
	assert_int_equal(score_total(&matrix), 66);
	fill(&rows[0], "a.test", 1, "F-------");
	fill(&rows[1], "b.test", 2, "OOOOOOOO");
	assert_int_equal(score_total(&matrix), 33);
	/* a host does not weigh more because it has more addresses */
	fill(&rows[2], "b.test", 2, "OOOOOOOO");
	fill(&rows[3], "b.test", 2, "OOOOOOOO");
	matrix.count = 4;
	assert_int_equal(score_total(&matrix), 33);
	assert_true(score_row_weight(&matrix, &rows[3]) < 0.17);
}

static void a_hundred_means_that_nothing_is_wrong(void **state)
{
	struct matrix_row rows[300];
	struct matrix matrix = { .rows = rows, .count = 300 };
	char host[32];
	unsigned i;

	(void)state;
	for (i = 0; i < 300; i++) {
		snprintf(host, sizeof(host), "mx%u.test", i / 3);
		fill(&rows[i], host, i / 3 + 1, "OOOOOOOO");
	}
	assert_int_equal(score_total(&matrix), 100);
	fill(&rows[299], "mx99.test", 100, "OOOOOOOF");
	assert_int_equal(score_total(&matrix), 99);
	fill(&rows[299], "mx99.test", 100, "OOOOOOOT");
	assert_int_equal(score_total(&matrix), 100);
}

static void what_is_not_known_has_no_score(void **state)
{
	struct matrix_row rows[1];
	struct matrix matrix = { .rows = rows, .count = 0 };

	(void)state;
	assert_int_equal(score_total(&matrix), 0);
	fill(&rows[0], "a.test", 1, "OOOuuuTu");
	matrix.count = 1;
	matrix.is_assured = true;
	assert_int_equal(score_total(&matrix), SCORE_UNKNOWN);
	assert_int_equal(score_average(&matrix, MATRIX_SENDER), SCORE_UNKNOWN);
}

static void assured_is_who_refuses(void **state)
{
	struct matrix_row rows[2];
	struct matrix matrix = { .rows = rows, .count = 2,
				 .is_assured = true };

	(void)state;
	fill(&rows[0], "a.test", 1, "OOOuuuOu");
	fill(&rows[1], "b.test", 1, "OOOuuuOu");
	assert_int_equal(score_total(&matrix), 100);
	fill(&rows[1], "b.test", 1, "OOOuuuFu");
	assert_int_equal(score_total(&matrix), 50);
	fill(&rows[1], "b.test", 1, "F-------");
	assert_int_equal(score_total(&matrix), 50);
}

static void averages_are_of_rows_that_count(void **state)
{
	struct matrix_row rows[3];
	struct matrix matrix = { .rows = rows, .count = 3 };

	(void)state;
	fill(&rows[0], "a.test", 1, "OOOOuOOO");
	fill(&rows[1], "b.test", 2, "OOOF----");
	fill(&rows[2], "c.test", 3, "OOOOuOOT");
	assert_int_equal(score_average(&matrix, MATRIX_CONNECT), 100);
	assert_int_equal(score_average(&matrix, MATRIX_TLS_ADV), 66);
	assert_int_equal(score_average(&matrix, MATRIX_CERT), 0);
	assert_int_equal(score_average(&matrix, MATRIX_RECIPIENT), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_earns_what_is_ok),
		cmocka_unit_test(weights_add_up_to_a_hundred),
		cmocka_unit_test(the_best_preference_weighs_most),
		cmocka_unit_test(a_hundred_means_that_nothing_is_wrong),
		cmocka_unit_test(what_is_not_known_has_no_score),
		cmocka_unit_test(assured_is_who_refuses),
		cmocka_unit_test(averages_are_of_rows_that_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
