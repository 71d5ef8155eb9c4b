/*
 * Reads the command line, finds out how things stand, and prints it.
 * Nothing is sent to anybody but questions to the DNS, and with --probe a
 * greeting to the hosts that an attempt would try.
 */
#include "relay/verbs.h"

#include <stdio.h>
#include <sysexits.h>

#include "relay/explain.h"
#include "relay/probe.h"
#include "relay/target.h"
#include "relay/words.h"
#include "tls/context.h"

enum { LIMIT_DEFAULT = 120, LIMIT_MOST = 3600 };

struct order {
	const char *target;
	bool is_json, is_probed;
	unsigned limit;
};

static int parse_order(int argc, char **argv, struct order *order,
		       struct error *error)
{
	const struct words_option options[] = {
		{ .name = "--json", .flag = &order->is_json },
		{ .name = "--probe", .flag = &order->is_probed },
		{ .name = "--time-limit", .number = &order->limit,
		  .max = LIMIT_MOST },
	};

	order->limit = LIMIT_DEFAULT;
	if (words_parse(argc, argv, options,
			sizeof(options) / sizeof(options[0]), &order->target,
			error))
		return -1;
	if (order->target == NULL)
		return error_set(error, "which address?");
	return 0;
}

/* Certificates in what the policy trusts; the configuration was vetted. */
static size_t count_anchors(const struct conf *conf,
			    const struct policy *policy)
{
	const struct conf_blob *trust = policy->trust.path != NULL
						? &policy->trust
						: &conf->system_trust;
	struct error ignored;
	size_t count = 0;

	if (trust->path == NULL ||
	    tls_check_trust(trust->bytes, &count, &ignored) != 0)
		return 0;
	return count;
}

/* As delivery would begin now, up to the judgement. */
static int probe(struct explanation *what, struct errand *errand,
		 const struct order *order, struct matrix *matrix)
{
	struct error error;
	struct probe_settings settings = {
		.errand = errand,
		.depth = PROBE_TLS,
		.limit = order->limit,
		.tls = tls_client_context(&error),
	};

	if (settings.tls == NULL) {
		fprintf(stderr, "postern: %s\n", error.text);
		return -1;
	}
	matrix->conf = errand->conf;
	matrix->policy = what->survey->rule.policy;
	matrix->domain = what->survey->address.domain;
	matrix->recipient = what->survey->address.text;
	matrix->sender = "";
	probe_candidates(what->survey, matrix);
	probe_run(&settings, matrix);
	tls_context_free(settings.tls);
	what->is_probed = true;
	return 0;
}

static void take_rows(struct explanation *what, const struct matrix *matrix,
		      struct explain_probe out[ROUTE_CANDIDATES_MAX])
{
	size_t i;

	for (i = 0; i < matrix->count; i++) {
		const struct matrix_row *row = &matrix->rows[i];

		out[i].candidate = &what->survey->candidates[i];
		out[i].holds = row->is_met;
		out[i].is_temporary = !row->is_judged;
		out[i].is_plaintext = row->is_plaintext;
		out[i].would = row->has_would ? &row->would : NULL;
		out[i].reason = row->is_judged ? row->judgement.reason
					       : row->reason;
	}
	what->probes = out;
	what->probe_count = matrix->count;
}

static void print(const struct explanation *what, bool is_json)
{
	struct buffer out = { 0 };

	if (is_json)
		explain_json(what, &out);
	else
		explain_text(what, &out);
	fwrite(buffer_view(&out).at, 1, buffer_len(&out), stdout);
	fflush(stdout);
	buffer_clear(&out);
}

static int explain(struct errand *errand, const struct order *order,
		   const struct address *address)
{
	struct explanation what = { .conf = errand->conf };
	struct explain_probe probes[ROUTE_CANDIDATES_MAX];
	struct matrix matrix = { .conf = errand->conf };
	struct survey survey;
	int status = EX_SOFTWARE;

	survey_make(&survey, errand, address);
	what.survey = &survey;
	what.anchors = count_anchors(errand->conf, survey.rule.policy);
	if (!order->is_probed || probe(&what, errand, order, &matrix) == 0) {
		take_rows(&what, &matrix, probes);
		print(&what, order->is_json);
		status = explain_status(&what);
	}
	matrix_clear(&matrix);
	survey_clear(&survey);
	return status;
}

int verb_explain(const char *conf_path, int argc, char **argv)
{
	struct order order = { 0 };
	struct errand errand;
	struct address address;
	struct error error = { .text = "" };
	int status;

	if (parse_order(argc, argv, &order, &error)) {
		fprintf(stderr, "postern explain: %s\n", error.text);
		return EX_USAGE;
	}
	if (target_parse(order.target, &address, &error)) {
		fprintf(stderr, "postern: %s: %s\n", order.target, error.text);
		return EX_USAGE;
	}
	status = errand_begin(&errand, conf_path, &error);
	if (status) {
		fprintf(stderr, "postern: %s\n", error.text);
		return status;
	}
	status = explain(&errand, &order, &address);
	errand_end(&errand);
	return status;
}
