/*
 * `postern check`: surveys, probes every address, and prints the matrix.
 * What it asks for, it asks as a delivery would; what it sends never goes
 * beyond RCPT.
 */
#include "relay/check.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "conf/files.h"
#include "conf/rules.h"
#include "relay/probe.h"
#include "relay/score.h"
#include "relay/target.h"
#include "relay/verbs.h"
#include "relay/words.h"
#include "tls/context.h"

struct order {
	const char *target;
	struct check_order check;
};

struct check {
	const struct check_order *order;
	struct errand *errand;
	const struct rules_answer *by; /* NULL: what the snapshot says */
	FILE *out;
	struct survey survey;
	struct matrix matrix;
	struct address recipient;
	char sender[ADDR_PATH_MAX * 2];
	struct policy policy; /* one of our own, where none is to judge */
	char *trust;          /* its path, when it was given here */
};

static int parse_order(int argc, char **argv, struct order *order,
		       struct error *error)
{
	struct check_order *check = &order->check;
	const struct words_option options[] = {
		{ .name = "--from", .text = &check->from },
		{ .name = "--trust", .text = &check->trust },
		{ .name = "--json", .flag = &check->is_json },
		{ .name = "--csv", .flag = &check->is_csv },
		{ .name = "--assure", .flag = &check->is_assured },
		{ .name = "--explain-score", .flag = &check->explains_score },
		{ .name = "--form", .flag = &check->by_form },
		{ .name = "--fail-under", .number = &check->fail_under,
		  .max = CHECK_FACTOR_MOST },
		{ .name = "--warn-days", .number = &check->warn_days,
		  .max = CHECK_DAYS_MOST },
		{ .name = "--time-limit", .number = &check->limit,
		  .max = CHECK_LIMIT_MOST },
	};

	check->limit = CHECK_LIMIT_DEFAULT;
	if (words_parse(argc, argv, options,
			sizeof(options) / sizeof(options[0]), &order->target,
			error))
		return -1;
	if (check->is_json && check->is_csv)
		return error_set(error, "either --json or --csv");
	if (order->target == NULL && !check->explains_score)
		return error_set(error, "which domain or address?");
	return 0;
}

/* --- by what is judged ----------------------------------------------- */

/* The system's roots where none are given; without any, whatever is judged
 * says so. */
static int find_trust(struct check *check, struct error *error)
{
	struct policy *policy = &check->policy;
	struct conf_files *files = check->errand->files;
	const char *path = check->order->trust;
	size_t count;

	if (path == NULL) {
		(void)conf_system_roots(files, &policy->trust);
		return 0;
	}
	policy->trust.path = check->trust = files_absolute(path);
	if (files_get(files, check->trust, &policy->trust.bytes, error))
		return -1;
	if (tls_check_trust(policy->trust.bytes, &count, error))
		return error_prefix(error, "%s", path);
	return 0;
}

/* The prerequisites of the form as a policy: STARTTLS, a chain up to the
 * roots, CN or SAN equal to the MX name, whoever said that name. */
static int use_prerequisites(struct check *check, struct error *error)
{
	check->policy.title = (char *)"the form's prerequisites";
	check->policy.tls = TLS_VERIFY;
	check->policy.names_mx = true;
	return find_trust(check, error);
}

/* One that no configuration has: the snapshot's roots are not for it. */
static int use_given(struct check *check, struct error *error)
{
	check->policy = *check->by->policy;
	check->matrix.policy = &check->policy;
	check->matrix.pattern = check->by->pattern;
	return check->policy.trust.path ? 0 : find_trust(check, error);
}

static int choose_policy(struct check *check, const struct rules_answer *rule,
			 struct error *error)
{
	if (check->by != NULL)
		return use_given(check, error);
	check->policy.source = rule->policy->source;
	check->policy.family = rule->policy->family;
	check->matrix.policy = &check->policy;
	if (check->order->is_assured) {
		check->policy.title = (char *)"plain text";
		return 0;
	}
	if (rule->pattern == NULL || check->order->by_form)
		return use_prerequisites(check, error);
	if (check->order->trust != NULL)
		return error_set(error, "--trust has no meaning here: policy "
				 "\"%s\" at %s judges (--form sets it aside)",
				 rule->policy->title, rule->policy->where);
	check->matrix.policy = rule->policy;
	check->matrix.pattern = rule->pattern;
	return 0;
}

/* --- who asks, and for whom ------------------------------------------ */

static int find_sender(struct check *check, struct error *error)
{
	const char *from = check->order->from;
	struct address address;

	if (from == NULL) {
		snprintf(check->sender, sizeof(check->sender),
			 "postmaster@%s", check->errand->conf->hostname);
		return 0;
	}
	if (from[0] == '\0' || strcmp(from, "<>") == 0)
		return 0; /* the null path, as reports have it */
	if (address_parse(view_of(from), &address, error))
		return error_prefix(error, "--from %s", from);
	snprintf(check->sender, sizeof(check->sender), "%s", address.text);
	return 0;
}

/* In plain text nobody's name is given away but the postmaster's. */
static int find_recipient(struct check *check, struct error *error)
{
	char text[ADDR_DOMAIN_MAX + 16];

	if (!check->order->is_assured)
		return 0;
	snprintf(text, sizeof(text), "postmaster@%s",
		 check->recipient.domain);
	return target_parse(text, &check->recipient, error);
}

static int probe(struct check *check, struct error *error)
{
	struct probe_settings settings = {
		.errand = check->errand,
		.depth = check->order->is_assured ? PROBE_PLAIN : PROBE_RCPT,
		.limit = check->order->limit,
		.tls = tls_client_context(error),
	};
	bool is_shown;

	if (settings.tls == NULL)
		return EX_SOFTWARE;
	probe_rows(&check->survey, &check->matrix);
	is_shown = check->matrix.count > 0 && isatty(STDERR_FILENO);
	if (is_shown)
		fprintf(stderr, "asking %zu address%s ...",
			check->matrix.count,
			check->matrix.count == 1 ? "" : "es");
	probe_run(&settings, &check->matrix);
	if (is_shown)
		fputs("\r\033[K", stderr);
	tls_context_free(settings.tls);
	return EX_OK;
}

/* --- what is said ---------------------------------------------------- */

static void print(const struct check *check)
{
	bool is_coloured = isatty(fileno(check->out)) &&
			   getenv("NO_COLOR") == NULL;
	struct buffer out = { 0 };

	if (check->order->is_json) {
		matrix_json(&check->matrix, &out);
	} else if (check->order->is_csv) {
		matrix_csv(&check->matrix, &out);
	} else {
		matrix_text(&check->matrix, is_coloured, &out);
		matrix_details(&check->matrix, &out);
		if (check->order->explains_score) {
			buffer_append_byte(&out, '\n');
			score_explain(&check->matrix, &out);
		}
	}
	fwrite(buffer_view(&out).at, 1, buffer_len(&out),
	       check->out);
	fflush(check->out);
	buffer_clear(&out);
}

static bool is_any_ending(const struct matrix *matrix)
{
	size_t i;

	for (i = 0; i < matrix->count; i++)
		if (matrix_is_ending(matrix, &matrix->rows[i]))
			return true;
	return false;
}

/* Without --fail-under only what could not be asked at all is a failure. */
static int status_of(const struct check *check)
{
	int score = score_total(&check->matrix);

	if (check->matrix.count == 0)
		return survey_is_final(&check->survey) ? 1 : EX_TEMPFAIL;
	if (check->order->fail_under == 0)
		return EX_OK;
	if (score == SCORE_UNKNOWN)
		return EX_TEMPFAIL;
	return score < (int)check->order->fail_under ||
			       is_any_ending(&check->matrix)
		       ? 1
		       : EX_OK;
}

static int run(struct check *check, struct error *error)
{
	struct rules_question who = {
		.recipient_domain = check->recipient.domain,
	};
	struct rules_answer rule = check->by != NULL
		? *check->by
		: rules_policy(check->errand->conf, who);
	int status;

	/* What is wrong with the order is said before the DNS is asked. */
	if (find_sender(check, error) || find_recipient(check, error) ||
	    choose_policy(check, &rule, error))
		return EX_USAGE;
	survey_by(&check->survey, check->errand, &check->recipient, &rule);
	check->matrix.conf = check->errand->conf;
	check->matrix.recipient = check->recipient.text;
	check->matrix.sender = check->sender;
	check->matrix.domain = check->recipient.domain;
	check->matrix.is_assured = check->order->is_assured;
	check->matrix.verdict = &check->survey.verdict;
	check->matrix.now = (int64_t)time(NULL);
	check->matrix.warn_days = check->order->warn_days;
	status = probe(check, error);
	if (status)
		return status;
	print(check);
	return status_of(check);
}

int check_run(struct errand *errand, const struct check_order *order,
	      const struct address *recipient, const struct rules_answer *by,
	      FILE *out, struct error *error)
{
	struct check check = {
		.order = order,
		.errand = errand,
		.by = by,
		.out = out,
		.recipient = *recipient,
	};
	int status = run(&check, error);

	matrix_clear(&check.matrix);
	survey_clear(&check.survey);
	free(check.trust);
	return status;
}

static int begin(const struct order *order, const struct address *recipient,
		 const char *conf_path)
{
	struct error error = { .text = "" };
	struct errand errand;
	int status = errand_begin(&errand, conf_path, &error);

	if (status == 0) {
		status = check_run(&errand, &order->check, recipient, NULL,
				   stdout, &error);
		errand_end(&errand);
	}
	if (error.text[0] != '\0')
		fprintf(stderr, "postern: %s\n", error.text);
	return status;
}

static int explain_score(const struct check_order *order)
{
	const struct matrix matrix = { .is_assured = order->is_assured };
	struct buffer out = { 0 };

	score_explain(&matrix, &out);
	fwrite(buffer_view(&out).at, 1, buffer_len(&out), stdout);
	buffer_clear(&out);
	return EX_OK;
}

int verb_check(const char *conf_path, int argc, char **argv)
{
	struct order order = { 0 };
	struct address recipient;
	struct error error = { .text = "" };

	if (parse_order(argc, argv, &order, &error)) {
		fprintf(stderr, "postern check: %s\n", error.text);
		return EX_USAGE;
	}
	if (order.target == NULL)
		return explain_score(&order.check);
	if (target_parse(order.target, &recipient, &error)) {
		fprintf(stderr, "postern: %s: %s\n", order.target, error.text);
		return EX_USAGE;
	}
	return begin(&order, &recipient, conf_path);
}
