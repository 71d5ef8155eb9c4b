/*
 * Reads the command line, finds out how things stand, and prints it.
 * Nothing is sent to anybody but questions to the DNS.
 */
#include "relay/verbs.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "relay/explain.h"
#include "relay/target.h"
#include "tls/context.h"

struct order {
	const char *target;
	bool is_json;
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr,
		"postern explain: %s%s\n"
		"usage: postern explain [-c FILE] [--json] ADDRESS\n",
		what, word);
	return EX_USAGE;
}

static int parse_order(int argc, char **argv, struct order *order)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			order->is_json = true;
		else if (argv[i][0] == '-')
			return usage("there is no option ", argv[i]);
		else if (order->target != NULL)
			return usage("one address at a time, not also ",
				     argv[i]);
		else
			order->target = argv[i];
	}
	return order->target != NULL ? 0 : usage("which address?", "");
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

static int explain(struct errand *errand, const struct order *order,
		   const struct address *address)
{
	struct explanation what = { .conf = errand->conf };
	struct survey survey;
	struct buffer out = { 0 };
	struct view text;
	int status;

	survey_make(&survey, errand, address);
	what.survey = &survey;
	what.anchors = count_anchors(errand->conf, survey.rule.policy);
	if (order->is_json)
		explain_json(&what, &out);
	else
		explain_text(&what, &out);
	text = buffer_view(&out);
	fwrite(text.at, 1, text.len, stdout);
	fflush(stdout);
	status = explain_status(&what);
	buffer_clear(&out);
	survey_clear(&survey);
	return status;
}

int verb_explain(const char *conf_path, int argc, char **argv)
{
	struct order order = { 0 };
	struct errand errand;
	struct address address;
	struct error error = { .text = "" };
	int status = parse_order(argc, argv, &order);

	if (status)
		return status;
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
