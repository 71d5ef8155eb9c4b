/*
 * Our own side of a form: the domains that we take mail for, their MX as
 * partners see them, and what our listeners present.  Owns all of it while
 * the verb runs.  Partners ask the DNS and not our policies, so neither
 * policies nor mx-ignore have a say here.
 */
#include "relay/partner.h"

#include "relay/errand.h"
#include "relay/form_side.h"
#include "relay/presented.h"
#include "relay/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { ASKED_AT_ONCE = 32 };

struct export {
	struct errand errand;
	const char *listen; /* NULL: all that offer TLS */
	struct side side;
	struct buffer remarks;
	size_t asked, open;
	bool is_temporary;  /* the DNS failed on a domain */
};

/* Of one domain. */
struct question {
	struct export *export;
	const char *domain;
};

/* --- what the DNS says ------------------------------------------------ */

static struct side_gateway *add_gateway(struct side *side, const char *host)
{
	size_t size = (side->gateway_count + 1) * sizeof(*side->gateways);
	struct side_gateway *one;

	side->gateways = must_realloc(side->gateways, size);
	one = &side->gateways[side->gateway_count++];
	*one = (struct side_gateway){ 0 };
	(void)snprintf(one->host, sizeof(one->host), "%s", host);
	return one;
}

static void take_records(struct export *x, const char *domain,
			 const struct dns_answer *answer)
{
	struct side_gateway *one;
	size_t hosts = 0, i;

	for (i = 0; i < answer->count; i++) {
		/* Beside real ones a null MX says nothing. */
		if (answer->records[i].name[0] == '\0')
			continue;
		one = add_gateway(&x->side, answer->records[i].name);
		one->domain = domain;
		one->preference = answer->records[i].preference;
		one->port = x->errand.conf->mx_port;
		hosts++;
	}
	if (hosts == 0)
		buffer_printf(&x->remarks, "%s says that it takes no mail (a "
			      "null MX)\n", domain);
	if (answer->dropped > 0)
		buffer_printf(&x->remarks, "%zu MX records of %s are left out: "
			      "unusable, or too many\n", answer->dropped,
			      domain);
}

static void ask_more(struct export *x);

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct question *question = arg;
	struct export *x = question->export;
	const char *domain = question->domain;

	free(question);
	x->open--;
	switch (answer->kind) {
	case DNS_DATA: take_records(x, domain, answer); break;
	case DNS_NODATA:
		buffer_printf(&x->remarks, "the DNS has no MX for %s\n",
			      domain);
		break;
	case DNS_NXDOMAIN:
		buffer_printf(&x->remarks, "the DNS knows no domain of %s\n",
			      domain);
		break;
	case DNS_ERROR:
		x->is_temporary = true;
		buffer_printf(&x->remarks, "the DNS does not say the MX of %s: "
			      "%s\n", domain, answer->why);
		break;
	}
	ask_more(x);
}

static void ask_more(struct export *x)
{
	while (x->asked < x->side.domain_count && x->open < ASKED_AT_ONCE) {
		struct question *question = must_alloc(sizeof(*question));
		const char *name = x->side.domains[x->asked++];

		question->export = x;
		question->domain = name;
		/* A pattern of subdomains means the domain as well. */
		if (strncmp(name, "*.", 2) == 0)
			name += 2;
		x->open++;
		dns_ask(x->errand.dns, DNS_MX, name, on_mx, question);
	}
	if (x->open == 0)
		errand_done(&x->errand);
}

/* --- what the configuration says -------------------------------------- */

static int take_domains(struct export *x, struct error *error)
{
	const struct strings *patterns = &x->errand.conf->relay_domains;
	size_t i;

	x->side.domains = must_alloc((patterns->count + 1) *
				     sizeof(*x->side.domains));
	for (i = 0; i < patterns->count; i++) {
		if (strcmp(patterns->at[i], "*") == 0) {
			buffer_append(&x->remarks,
				      VIEW("\"*\" of relay-domains is left "
					   "out: everybody is no domain of "
					   "ours\n"));
			continue;
		}
		if (patterns->at[i][0] == '*')
			buffer_printf(&x->remarks, "of %s only the MX of %s "
				      "itself was asked\n", patterns->at[i],
				      patterns->at[i] + 2);
		x->side.domains[x->side.domain_count++] = patterns->at[i];
	}
	if (x->side.domain_count > 0)
		return 0;
	return error_set(error, "%s: relay-domains names no domain that this "
			 "relay takes mail for, so there is nothing to agree "
			 "on", x->errand.conf->path);
}

static int check_listeners(const struct export *x, struct error *error)
{
	const struct conf *conf = x->errand.conf;
	size_t i;

	for (i = 0; i < conf->listener_count; i++)
		if (presented_by(&conf->listeners[i], x->listen))
			return 0;
	if (x->listen == NULL)
		return error_set(error, "%s: no listener offers TLS",
				 conf->path);
	return error_set(error, "%s: there is no listen \"%s\" that offers "
			 "TLS", conf->path, x->listen);
}

static void use_listeners(struct export *x)
{
	const struct conf *conf = x->errand.conf;
	size_t before = x->side.gateway_count, i;

	for (i = 0; i < conf->listener_count; i++) {
		const struct listener *listener = &conf->listeners[i];
		uint16_t port = net_port(&listener->addresses[0]);
		struct side_gateway *one;

		if (!presented_by(listener, x->listen))
			continue;
		if (port == 0) {
			buffer_printf(&x->remarks, "the port of listen \"%s\" "
				      "is known only while the relay runs\n",
				      listener->title);
			continue;
		}
		one = add_gateway(&x->side, conf->hostname);
		one->port = port;
		one->is_tls_first = listener->tls == LISTEN_IMPLICIT;
	}
	if (x->side.gateway_count > before)
		buffer_append(&x->remarks,
			      VIEW("without any MX the gateways are our host "
				   "name with the listeners' ports: strike out "
				   "what is not for partners\n"));
}

/* --- the verb --------------------------------------------------------- */

static int print(const struct buffer *form, const struct buffer *remarks)
{
	struct view text = buffer_view(form), rest = buffer_view(remarks);

	if (fwrite(text.at, 1, text.len, stdout) != text.len ||
	    fflush(stdout)) {
		fprintf(stderr, "postern: cannot write: %s\n", strerror(errno));
		return EX_IOERR;
	}
	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');

		fprintf(stderr, "remark: %.*s\n", (int)line.len,
			(const char *)line.at);
	}
	return EX_OK;
}

static int run(struct export *x, struct error *error)
{
	const struct conf *conf = x->errand.conf;
	struct buffer form = { 0 };
	int status, missing;

	if (take_domains(x, error) || check_listeners(x, error))
		return EX_CONFIG;
	x->side.hostname = conf->hostname;
	x->side.now = (int64_t)time(NULL);
	ask_more(x);
	errand_run(&x->errand);
	if (x->side.gateway_count == 0)
		use_listeners(x);
	missing = presented_find(conf, x->errand.files, x->listen, &x->side,
				 &x->remarks);
	form_side(&x->side, &form, &x->remarks);
	status = print(&form, &x->remarks);
	buffer_clear(&form);
	if (status == EX_OK && x->is_temporary)
		return EX_TEMPFAIL;
	return status == EX_OK && missing ? EX_NOINPUT : status;
}

int partner_export(const char *conf_path, int argc, char **argv)
{
	struct export x = { .listen = NULL };
	struct error error = { .text = "" };
	const char *target = NULL;
	const struct words_option options[] = {
		{ .name = "--listen", .text = &x.listen },
	};
	int status;

	if (words_parse(argc, argv, options, 1, &target, &error) || target) {
		fprintf(stderr, "postern partner export: %s\n",
			target ? "it takes no word but --listen TITLE"
			       : error.text);
		return EX_USAGE;
	}
	status = errand_begin(&x.errand, conf_path, &error);
	if (status == 0) {
		status = run(&x, &error);
		presented_clear(&x.side);
		free(x.side.gateways);
		free(x.side.domains);
		buffer_clear(&x.remarks);
		errand_end(&x.errand);
	}
	if (error.text[0] != '\0')
		fprintf(stderr, "postern: %s\n", error.text);
	return status;
}
