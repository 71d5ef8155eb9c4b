/*
 * Policies: what a partner's agreement says, and whom each is for.  That it
 * holds together is asked in policy_check.c.
 */
#include "conf/sections.h"

#include "conf/addr.h"
#include "conf/rules.h"

#include <stdlib.h>
#include <string.h>

enum {
	PORT_SMTP = 25,
	PORT_SMTPS = 465,
	SECRET_MAX = 1024,
	FOREVER = 365 * 24 * 3600,
};

static int add_pattern(struct reading *r, struct policy *policy,
		       const char *what, const struct word *word)
{
	struct error why;
	char *pattern = pattern_canonical(view_of(word->text), &why);

	if (!pattern)
		return option_fault(r, word->at, "%s \"%.100s\": %s", what,
				    word->text, why.text);
	strings_add(&policy->patterns, pattern);
	return 0;
}

static int set_domains(struct reading *r, const struct option *option,
		       const struct setting *setting, void *base)
{
	for (size_t i = 0; i < setting->count; i++)
		if (add_pattern(r, base, option->name, &setting->words[i]))
			return -1;
	return 0;
}

static int parse_gateway(struct reading *r, const struct option *option,
			 const struct word *word, struct gateway *out)
{
	struct view text = view_of(word->text), host;
	char name[ADDR_DOMAIN_MAX + 1];
	struct error why;

	out->is_tls_first = view_starts_fold(text, VIEW("smtps://"));
	out->port = out->is_tls_first ? PORT_SMTPS : PORT_SMTP;
	if (out->is_tls_first)
		text = view_from(text, strlen("smtps://"));
	if (net_split_port(text, &host, &out->port) || !host.len || !out->port)
		return option_wrong(r, option, word, "must be HOST, HOST:PORT, "
				    "[2001:db8::1]:PORT or "
				    "\"smtps://HOST:PORT\"");
	out->is_tls_first |= out->port == PORT_SMTPS;
	if (!net_parse(host, &out->address)) {
		out->is_address = true;
		net_set_port(&out->address, out->port);
		net_text(&out->address, name);
	} else if (domain_canonical(host, name, &why)) {
		return option_wrong(r, option, word, "has no valid host: %s",
				    why.text);
	}
	out->host = must_strdup(name);
	return 0;
}

static int set_gateways(struct reading *r, const struct option *option,
			const struct setting *setting, void *base)
{
	struct policy *policy = base;

	if (!setting->count)
		return option_fault(r, setting->at, "%s is empty; name one, or "
				    "leave it out for the domain's MX",
				    option->name);
	policy->gateways = must_alloc(setting->count *
				      sizeof(*policy->gateways));
	for (size_t i = 0; i < setting->count; i++) {
		policy->gateway_count = i + 1;
		if (parse_gateway(r, option, &setting->words[i],
				  &policy->gateways[i]))
			return -1;
	}
	return 0;
}

static int add_name(struct reading *r, const struct option *option,
		    const struct word *word, struct strings *names)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct net_address address;
	struct error why;

	if (strchr(word->text, '*'))
		return option_wrong(r, option, word, "must be the name that "
				    "the certificate bears, without a *");
	if (!net_parse(view_of(word->text), &address) ||
	    domain_canonical(view_of(word->text), name, &why))
		return option_wrong(r, option, word, "must be a host name");
	strings_add(names, must_strdup(name));
	return 0;
}

/* Host names; `mx` alone trusts the MX names of unsigned DNS. */
static int set_names(struct reading *r, const struct option *option,
		     const struct setting *setting, void *base)
{
	struct policy *policy = base;

	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];

		if (!strcmp(word->text, "mx") && setting->count == 1) {
			policy->names_mx = true;
			return 0;
		}
		if (!strcmp(word->text, "mx"))
			return option_wrong(r, option, word, "stands alone, as "
					    "names = { mx }, or not at all");
		if (add_name(r, option, word, &policy->names))
			return -1;
	}
	return 0;
}

static int set_inbound_names(struct reading *r, const struct option *option,
			     const struct setting *setting, void *base)
{
	struct policy *policy = base;

	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];

		if (!strcmp(word->text, "mx"))
			return option_wrong(r, option, word, "must be the name "
					    "that the certificate of a client "
					    "bears; clients have no MX");
		if (add_name(r, option, word, &policy->inbound_names))
			return -1;
	}
	return 0;
}

/* RFC 8461 4.1: one star at most, as the whole first label. */
static int set_mx(struct reading *r, const struct option *option,
		  const struct setting *setting, void *base)
{
	struct policy *policy = base;
	struct error why;

	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];
		char *pattern = pattern_canonical(view_of(word->text), &why);

		if (pattern && strcmp(pattern, "*")) {
			strings_add(&policy->mx, pattern);
			continue;
		}
		free(pattern);
		return option_wrong(r, option, word, "must be a host name or "
				    "\"*.\" and a domain");
	}
	return 0;
}

static int parse_pin(const char *text, unsigned char pin[32])
{
	const char *hex = text + strlen("sha256:");

	if (strncmp(text, "sha256:", strlen("sha256:")) || strlen(hex) != 64 ||
	    strspn(hex, "0123456789abcdefABCDEF") != 64)
		return -1;
	for (size_t i = 0; i < 64; i++) {
		int value = hex[i] <= '9' ? hex[i] - '0' :
					    (hex[i] | 0x20) - 'a' + 10;

		pin[i / 2] = (unsigned char)(pin[i / 2] << 4 | value);
	}
	return 0;
}

static int set_pins(struct reading *r, const struct option *option,
		    const struct setting *setting, void *base)
{
	struct policy *policy = base;

	policy->pins = must_alloc(setting->count * sizeof(*policy->pins));
	for (size_t i = 0; i < setting->count; i++)
		if (parse_pin(setting->words[i].text, policy->pins[i]))
			return option_wrong(r, option, &setting->words[i],
					    "must be sha256: and 64 hex digits "
					    "of the key's (SPKI's) hash");
	policy->pin_count = setting->count;
	return 0;
}

/* The first line of the file, which must hold a password. */
static int set_password(struct reading *r, const struct option *option,
			const struct setting *setting, void *base)
{
	struct conf_blob blob = { 0 };
	struct option as_file = { .name = option->name };
	struct policy *policy = base;
	struct view line;

	if (set_file(r, &as_file, setting, &blob))
		return -1;
	line = view_first(blob.bytes, view_index(blob.bytes, '\n'));
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	policy->password_is_exposed = blob.is_exposed;
	if (line.len && line.len <= SECRET_MAX &&
	    view_index(line, '\0') == line.len)
		policy->password = view_string(line);
	blob_clear(&blob);
	if (!policy->password)
		return option_fault(r, setting->at, "%s must hold the password "
				    "as its first line, of 1 to %d bytes",
				    option->name, SECRET_MAX);
	return 0;
}

/* `defer`, or `bounce-after` and a duration. */
static int set_on_failure(struct reading *r, const struct option *option,
			  const struct setting *setting, void *base)
{
	static const char bounce[] = "bounce-after";
	const struct word *word = option_word(r, option, setting);
	struct view rest;
	struct word duration;
	const struct setting as_duration = {
		.count = 1, .words = &duration, .at = setting->at,
	};
	int rc;

	if (!word)
		return -1;
	if (!strcmp(word->text, "defer"))
		return 0;
	rest = view_of(word->text);
	if (!view_starts_fold(rest, VIEW(bounce)) ||
	    rest.len == strlen(bounce) || word->text[strlen(bounce)] != ' ')
		return option_wrong(r, option, word, "must be defer, or "
				    "\"bounce-after DURATION\" as in "
				    "\"bounce-after 4h\"");
	duration = (struct word){
		.text = view_string(view_trim(view_from(rest, strlen(bounce)))),
		.at = word->at,
	};
	rc = set_seconds(r, option, &as_duration, base);
	free(duration.text);
	return rc;
}

static int set_certificate(struct reading *r, const struct option *option,
			   const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);
	struct policy *policy = base;

	if (!word)
		return -1;
	policy->certificate = certificate_find(r->conf, word->text);
	return policy->certificate ? 0 :
				     option_wrong(r, option, word, "there is "
						  "no certificate of that "
						  "title");
}

static const struct choice levels[] = {
	{ "none",    TLS_NONE	 },
	{ "may",     TLS_MAY	 },
	{ "encrypt", TLS_ENCRYPT },
	{ "verify",  TLS_VERIFY	 },
	{ NULL,	     0		 },
};
static const struct choice dry_runs[] = {
	{ "verify", TLS_VERIFY },
	{ NULL,	    0	       },
};
static const struct choice inbounds[] = {
	{ "none",     INBOUND_TLS_NONE	   },
	{ "required", INBOUND_TLS_REQUIRED },
	{ "verify",   INBOUND_TLS_VERIFY   },
	{ NULL,	      0			   },
};
static const struct choice versions[] = {
	{ "1.2", TLS_1_2 },
	{ "1.3", TLS_1_3 },
	{ NULL,	 0	 },
};
static const struct choice families[] = {
	{ "any",  AF_UNSPEC },
	{ "ipv4", AF_INET   },
	{ "ipv6", AF_INET6  },
	{ NULL,	  0	    },
};

#define AT(member) .at = offsetof(struct policy, member)

static const struct option options[] = {
	{ "domains",	   set_domains, .at = 0 },
	{ "gateways",	   set_gateways, .at = 0 },
	{ "tls",	   set_choice,	AT(tls), .by_default = "may",
	  .choices = levels },
	{ "would",	   set_choice,	AT(would), .choices = dry_runs },
	{ "on-failure",	   set_on_failure, AT(bounce_after), .min = 1,
	  .max = FOREVER },
	{ "names",	   set_names, .at = 0 },
	{ "issuer",	   set_strings,	AT(issuer) },
	{ "trust",	   set_file,	AT(trust) },
	{ "pins",	   set_pins, .at = 0 },
	{ "mx",		   set_mx, .at = 0 },
	{ "min-tls",	   set_choice,	AT(min_tls), .choices = versions },
	{ "sni",	   set_host,	AT(sni) },
	{ "certificate",   set_certificate, .at = 0 },
	{ "inbound",	   set_choice,	AT(inbound), .by_default = "none",
	  .choices = inbounds },
	{ "inbound-names", set_inbound_names, .at = 0 },
	{ "user",	   set_text,	AT(user), .max = SECRET_MAX },
	{ "password-file", set_password, .at = 0 },
	{ "family",	   set_choice,	AT(family), .by_default = "any",
	  .choices = families },
	{ "source",	   set_address,	AT(source) },
	{ "lifetime",	   set_seconds,	AT(lifetime), .min = 1,
	  .max = FOREVER },
	{ "delay-notice",  set_seconds,	AT(delay_notice), .max = FOREVER },
	{ .name = NULL },
};

static const struct grammar *const none[] = { NULL };
const struct grammar policy_grammar = { "policy", options, none };

static int read_policy(struct reading *r, const struct section *section,
		       struct policy *policy)
{
	struct word title = { section->title, section->at };

	policy->title = must_strdup(section->title);
	policy->where = place_text(section->at);
	if (add_pattern(r, policy, "policy", &title) ||
	    options_apply(r, options, section, policy))
		return -1;
	policy->has_lifetime = section_find(section, "lifetime");
	policy->has_delay_notice = section_find(section, "delay-notice");
	return policy_check(r, section, policy);
}

/* A pattern and who claims it. */
struct claim {
	const char *pattern;
	const struct policy *policy;
	struct place at;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = strcmp(left->pattern, right->pattern);

	if (order)
		return order;
	if (left->policy != right->policy)
		return left->policy->index < right->policy->index ? -1 : 1;
	return left->at.line < right->at.line ? -1 :
	       left->at.line > right->at.line;
}

static size_t collect_claims(struct claim *claims, const struct policy *policy,
			     const struct section *section)
{
	const struct setting *domains = section_find(section, "domains");

	for (size_t i = 0; i < policy->patterns.count; i++)
		claims[i] = (struct claim){
			policy->patterns.at[i], policy,
			i ? domains->words[i - 1].at : section->at };
	return policy->patterns.count;
}

/* Equal once case, trailing dot and IDNA are folded: which would win? */
static int check_claims(struct reading *r, const struct section *root)
{
	struct conf *conf = r->conf;
	struct claim *claims;
	size_t count = 0, at = 0;
	int rc = 0;

	for (size_t i = 0; i < conf->policy_count; i++)
		count += conf->policies[i].patterns.count;
	claims = must_alloc(count * sizeof(*claims));
	count = 0;
	for (size_t i = 0; i < conf->policy_count; i++)
		count += collect_claims(claims + count, &conf->policies[i],
					sections_next(root, "policy", &at));
	qsort(claims, count, sizeof(*claims), compare_claims);
	for (size_t i = 1; i < count && !rc; i++)
		if (!strcmp(claims[i - 1].pattern, claims[i].pattern))
			rc = option_fault(r, claims[i].at, "the pattern \"%s\" "
					  "is in policy \"%s\" already, at "
					  "%s:%u; keep one of them",
					  claims[i].pattern,
					  claims[i - 1].policy->title,
					  claims[i - 1].at.file,
					  claims[i - 1].at.line);
	free(claims);
	return rc;
}

int policies_read(struct reading *r, const struct section *root)
{
	struct conf *conf = r->conf;
	size_t count = sections_count(root, "policy"), at = 0;
	const struct section *section;

	conf->policies = must_alloc(count * sizeof(*conf->policies));
	while ((section = sections_next(root, "policy", &at))) {
		struct policy *policy = &conf->policies[conf->policy_count];

		policy->index = (unsigned)conf->policy_count++;
		if (read_policy(r, section, policy))
			return -1;
	}
	conf->fallback = (struct policy){
		.title = must_strdup("(none)"),
		.where = must_strdup("no policy applies"),
		.tls = TLS_MAY,
		.index = (unsigned)conf->policy_count,
	};
	if (check_claims(r, root))
		return -1;
	rules_index(conf);
	return 0;
}

void policy_clear(struct policy *policy)
{
	for (size_t i = 0; i < policy->gateway_count; i++)
		free(policy->gateways[i].host);
	free(policy->gateways);
	if (policy->password)
		bytes_wipe(policy->password, strlen(policy->password));
	free(policy->password);
	free(policy->user);
	free(policy->title);
	free(policy->where);
	free(policy->sni);
	free(policy->pins);
	strings_clear(&policy->patterns);
	strings_clear(&policy->names);
	strings_clear(&policy->inbound_names);
	strings_clear(&policy->issuer);
	strings_clear(&policy->mx);
	blob_clear(&policy->trust);
}
