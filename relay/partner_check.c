/*
 * The text is read by the reader of configurations, as a snapshot of its own
 * that has nothing but these policies; so what is probed is what will be
 * enforced once the text is included.
 */
#include "relay/partner_check.h"

#include "conf/files.h"
#include "relay/target.h"

#include <string.h>
#include <sysexits.h>

/* Where the text is said to lie; nothing is written there. */
static const char imported[] = "/imported";

/* The text first, so that its lines have their numbers. */
static struct conf *read_policies(struct conf_files *files,
				  const struct conf *conf, struct view policies,
				  struct error *error)
{
	struct buffer text = { 0 };

	buffer_append(&text, policies);
	buffer_printf(&text, "hostname = \"%s\"\n", conf->hostname);
	files_put(files, imported, buffer_view(&text));
	buffer_clear(&text);
	return conf_read(imported, files, error);
}

static int worse(int a, int b)
{
	if (a == EX_OK || b == EX_OK)
		return a == EX_OK ? b : a;
	return a == 1 || b == 1 ? 1 : a;
}

static int check_domain(struct errand *errand, const struct rules_answer *by,
			const struct check_order *order, FILE *out)
{
	const char *domain = by->pattern;
	struct error error = { .text = "" };
	struct address recipient;
	int status = EX_USAGE;

	/* A pattern of subdomains means the domain as well. */
	if (strncmp(domain, "*.", 2) == 0)
		domain += 2;
	fputc('\n', out);
	if (target_parse(domain, &recipient, &error) == 0)
		status = check_run(errand, order, &recipient, by, out, &error);
	if (error.text[0] != '\0')
		fprintf(stderr, "postern: %s: %s\n", domain, error.text);
	return status;
}

static int check_all(struct errand *errand, const struct conf *imports,
		     const struct check_order *order, FILE *out)
{
	int status = EX_OK;
	size_t i, k;

	for (i = 0; i < imports->policy_count; i++) {
		const struct policy *policy = &imports->policies[i];

		for (k = 0; k < policy->patterns.count; k++) {
			const struct rules_answer by = {
				.policy = policy,
				.pattern = policy->patterns.at[k],
			};

			status = worse(status, check_domain(errand, &by, order,
							    out));
		}
	}
	return status;
}

int partner_check(const char *conf_path, struct view policies,
		  const struct check_order *order, FILE *out)
{
	struct error error = { .text = "" };
	struct conf_files *files = files_disk();
	struct conf *imports = NULL;
	struct errand errand;
	int status = errand_begin(&errand, conf_path, &error);

	if (status == EX_OK) {
		imports = read_policies(files, errand.conf, policies, &error);
		status = imports ? check_all(&errand, imports, order, out)
				 : EX_CONFIG;
		errand_end(&errand);
	}
	if (error.text[0] != '\0')
		fprintf(stderr, "postern: %s\n", error.text);
	conf_free(imports);
	files_free(files);
	return status;
}
