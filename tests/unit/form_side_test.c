/*
 * Our own side of a partner's form: what it says and remarks, and that our
 * own reader of forms makes of it the policy that was meant.
 */
#include "relay/form_policy.h"
#include "relay/form_side.h"
#include "tests/unit/certs.h"
#include "tests/unit/conf_fixture.h"
#include "tls/cert.h"
#include "tls/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHAIN_MOST = 3, CERTIFICATES_MOST = 2, GATEWAYS_MOST = 4 };

/* One side, and what was written of it. */
struct sheet {
	struct side side;
	const char *domains[3];
	struct side_gateway gateways[GATEWAYS_MOST];
	struct side_certificate certificates[CERTIFICATES_MOST];
	struct view chains[CERTIFICATES_MOST][CHAIN_MOST];
	struct buffer form, remarks;
};

static void begin(struct sheet *s)
{
	*s = (struct sheet){ 0 };
	s->side.hostname = "mx5.example.test";
	s->side.domains = s->domains;
	s->side.gateways = s->gateways;
	s->side.certificates = s->certificates;
	s->side.now = 1764000000;
}

static void add_domain(struct sheet *s, const char *domain)
{
	s->domains[s->side.domain_count++] = domain;
}

static void add_gateway(struct sheet *s, size_t domain, unsigned preference,
			const char *host)
{
	struct side_gateway *one = &s->gateways[s->side.gateway_count++];

	one->domain = s->domains[domain];
	one->preference = (uint16_t)preference;
	one->port = 25;
	snprintf(one->host, sizeof(one->host), "%s", host);
}

/* files: "leaf.der ca.der". */
static void add_certificate(struct sheet *s, const char *files,
			    enum chain_verdict verdict)
{
	size_t at = s->side.certificate_count++;
	struct side_certificate *one = &s->certificates[at];
	struct view rest = view_of(files);

	one->chain = s->chains[at];
	one->verdict = verdict;
	snprintf(one->reason, sizeof(one->reason), "the reason");
	while (rest.len) {
		char *file = view_string(view_cut(&rest, ' '));

		one->chain[one->count++] = certs_get(file);
		free(file);
	}
}

/* Keys are new each time: their pins and certificates are replaced. */
static void replace(struct buffer *text, struct view old, const char *new)
{
	struct buffer out = { 0 };
	struct view rest = buffer_view(text);

	while (rest.len) {
		const unsigned char *at = memmem(rest.at, rest.len, old.at,
						 old.len);
		size_t len = at ? (size_t)(at - rest.at) : rest.len;

		buffer_append(&out, view_first(rest, len));
		rest = view_from(rest, len);
		if (at) {
			buffer_append(&out, view_of(new));
			rest = view_from(rest, old.len);
		}
	}
	buffer_clear(text);
	*text = out;
}

static void write_sheet(struct sheet *s)
{
	size_t i;

	form_side(&s->side, &s->form, &s->remarks);
	for (i = 0; i < s->side.certificate_count; i++) {
		unsigned char spki[32];
		char pin[FACTS_PIN_MAX];
		struct buffer pem = { 0 };
		struct cert cert;
		size_t k;

		assert_int_equal(cert_parse(s->chains[i][0], &cert), 0);
		cert_pin(&cert, spki);
		facts_pin_text(spki, pin);
		replace(&s->form, view_of(pin), "PIN");
		for (k = 0; k < s->certificates[i].count; k++) {
			pem_append(&pem, s->chains[i][k]);
			replace(&s->form, buffer_view(&pem), "PEM\n");
			buffer_reset(&pem);
		}
		buffer_clear(&pem);
	}
}

static void is_text(struct buffer *got, const char *wanted)
{
	buffer_append_byte(got, '\0');
	assert_string_equal((char *)got->data, wanted);
	got->end--;
}

static void has_text(struct buffer *got, const char *part)
{
	buffer_append_byte(got, '\0');
	if (!strstr((char *)got->data, part))
		fail_msg("\"%s\" is not in\n%s", part, got->data);
	got->end--;
}

static void end(struct sheet *s)
{
	buffer_clear(&s->form);
	buffer_clear(&s->remarks);
}

static struct conf *import(struct fixture *f, const struct buffer *sheet)
{
	struct buffer policy = { 0 };
	struct error error;
	struct form form;
	struct conf *conf;

	buffer_append(&policy, VIEW(HOST));
	assert_int_equal(form_parse(buffer_view(sheet), &form, &error), 0);
	assert_int_equal(form_policy(&form, 0, &policy, &error), 0);
	form_clear(&form);
	buffer_append_byte(&policy, '\0');
	conf = fixture_must_read(f, (char *)policy.data);
	buffer_clear(&policy);
	assert_int_equal(conf->policy_count, 1);
	return conf;
}

static void two_gateways(struct sheet *s)
{
	begin(s);
	add_domain(s, "example.test");
	add_domain(s, "*.mail.example.test");
	add_gateway(s, 0, 20, "mx6.example.test");
	add_gateway(s, 1, 20, "mx6.example.test");
	add_gateway(s, 0, 10, "mx5.example.test");
	add_gateway(s, 1, 10, "mx5.example.test");
	add_certificate(s, "aia.der inter.der", CHAIN_HOLDS);
}

static void a_side_stands_in_the_layout_of_the_form(void **state)
{
	struct sheet s;

	(void)state;
	two_gateways(&s);
	write_sheet(&s);
	is_text(&s.form,
		"SMTP - Transport Layer Security (TLS)\n\n"
		"3. TLS from business partner to us\n\n"
		"TLS Information\n"
		"List of E-Mail-Domains\texample.test *.mail.example.test\n"
		"Gateways\tmx5.example.test:25 mx6.example.test:25\n"
		"CN of the TLS Certificates\tmx5.example.test\n"
		"Subject Alternative Names\tmx6.example.test\n"
		"Name of issuing CA\tTest Inter\n"
		"URL (public key of the CA)\thttp://ca.test/inter.crt\n\n"
		"MX Server\tPref\tE-Mail-Domain\n"
		"mx5.example.test\t10\t*.mail.example.test\n"
		"mx5.example.test\t10\texample.test\n"
		"mx6.example.test\t20\t*.mail.example.test\n"
		"mx6.example.test\t20\texample.test\n\n"
		"Certificate\tmx5.example.test\n"
		"Valid\t2020-01-01 to 2060-01-01\n"
		"Key\tECDSA P-256\n"
		"Pin (SPKI)\tPIN\n");
	is_text(&s.remarks,
		"1 of the gateways is not named mx5.example.test as this host "
		"is: what it presents was not looked at (`postern check "
		"--form` does)\n");
	end(&s);
}

static void what_is_exported_is_imported_as_it_was_meant(void **state)
{
	const struct policy *policy;
	struct sheet s;
	struct conf *conf;

	two_gateways(&s);
	write_sheet(&s);
	conf = import(*state, &s.form);
	policy = &conf->policies[0];
	assert_int_equal(policy->tls, TLS_VERIFY);
	assert_int_equal(policy->patterns.count, 2);
	assert_string_equal(policy->title, "example.test");
	assert_string_equal(policy->patterns.at[1], "*.mail.example.test");
	assert_int_equal(policy->gateway_count, 2);
	assert_string_equal(policy->gateways[0].host, "mx5.example.test");
	assert_string_equal(policy->gateways[1].host, "mx6.example.test");
	assert_int_equal(policy->gateways[1].port, 25);
	assert_int_equal(policy->names.count, 2);
	assert_string_equal(policy->names.at[0], "mx5.example.test");
	assert_string_equal(policy->names.at[1], "mx6.example.test");
	assert_int_equal(policy->issuer.count, 1);
	assert_string_equal(policy->issuer.at[0], "Test Inter");
	conf_free(conf);
	end(&s);
}

static void a_self_signed_certificate_is_added_as_root(void **state)
{
	struct sheet s;
	struct conf *conf;

	begin(&s);
	add_domain(&s, "example.test");
	add_gateway(&s, 0, 10, "mx5.example.test");
	add_certificate(&s, "self.der", CHAIN_SELF_SIGNED);
	write_sheet(&s);
	has_text(&s.form, "\nName of issuing CA\tself-signed\n");
	has_text(&s.form, "\nRoot certificate of mx5.example.test: it is "
			  "self-signed, so this or its pin is all that can "
			  "prove it\nPEM\n");
	is_text(&s.remarks,
		"the certificate of mx5.example.test is self-signed: partners "
		"who verify need its root, which is added, or its pin\n");
	conf = import(*state, &s.form);
	assert_int_equal(conf->policies[0].tls, TLS_VERIFY);
	assert_int_equal(conf->policies[0].issuer.count, 0);
	conf_free(conf);
	end(&s);
}

static void the_root_of_a_ca_of_ones_own_is_added_where_it_is_known(void **state)
{
	struct sheet s;

	(void)state;
	begin(&s);
	add_domain(&s, "example.test");
	add_gateway(&s, 0, 10, "mx5.example.test");
	add_certificate(&s, "good.der inter.der root.der", CHAIN_UNKNOWN_CA);
	write_sheet(&s);
	has_text(&s.form, "\nRoot certificate of mx5.example.test:\nPEM\n");
	has_text(&s.remarks, "does not hold by this system's roots: the "
			     "reason\n");
	end(&s);

	begin(&s);
	add_domain(&s, "example.test");
	add_certificate(&s, "good.der inter.der", CHAIN_UNKNOWN_CA);
	write_sheet(&s);
	has_text(&s.remarks, "the chain holds no root: add it to the form\n");
	end(&s);
}

static void names_of_cas_are_written_so_that_they_are_read(void **state)
{
	static const struct {
		const char *file, *line, *issuer;
	} rows[] = {
		{ "undercomma.der", "\tCN=Foo, Bar CA\n", "Foo, Bar CA" },
		{ "byorg.der", "\tOnly An Organisation\n",
		  "Only An Organisation" },
		{ "undersemicolon.der", "\t\n", NULL },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		const struct strings *issuer;
		struct conf *conf;
		struct sheet s;

		begin(&s);
		add_domain(&s, "example.test");
		add_certificate(&s, rows[i].file, CHAIN_HOLDS);
		write_sheet(&s);
		has_text(&s.form, rows[i].line);
		conf = import(*state, &s.form);
		issuer = &conf->policies[0].issuer;
		assert_int_equal(issuer->count, rows[i].issuer != NULL);
		if (rows[i].issuer)
			assert_string_equal(issuer->at[0], rows[i].issuer);
		else
			has_text(&s.remarks, "cannot stand on a form\n");
		conf_free(conf);
		end(&s);
	}
}

static void what_partners_will_stumble_over_is_remarked(void **state)
{
	struct sheet s;

	(void)state;
	begin(&s);
	add_domain(&s, "example.test");
	add_domain(&s, "*.test");
	add_gateway(&s, 0, 10, "mx5.example.test");
	add_gateway(&s, 1, 10, "mx.elsewhere.test");
	add_certificate(&s, "cnnot.der", CHAIN_EXPIRED);
	add_certificate(&s, "nul.der", CHAIN_HOLDS);
	write_sheet(&s);
	has_text(&s.form, "\nCN of the TLS Certificates\t\n"
			  "Subject Alternative Names\tmx6.example.test\n");
	has_text(&s.remarks, "the CN mx5.example.test is left out");
	has_text(&s.remarks, "does not hold by this system's roots: the "
			     "reason");
	has_text(&s.remarks, "bears no host name\n");
	has_text(&s.remarks, "left out as no host names: 1 of the names of ");
	has_text(&s.remarks, "the listeners present 2 different certificates");
	has_text(&s.remarks, "no certificate bears the name of the gateway "
			     "mx.elsewhere.test\n");
	has_text(&s.remarks, "the domains have different gateways");
	has_text(&s.remarks, "does not say where its CA's certificate lies");
	has_text(&s.remarks, "`postern partner import` will not use \"*.test\"");
	end(&s);
}

static void a_side_without_domains_is_refused_by_the_reader(void **state)
{
	struct sheet s;

	(void)state;
	begin(&s);
	write_sheet(&s);
	has_text(&s.remarks, "`postern partner import` will refuse this form: "
			     "no e-mail domain");
	end(&s);
}

static int set_up(void **state)
{
	return certs_make(false) || fixture_set_up(state);
}

static int tear_down(void **state)
{
	certs_remove();
	return fixture_tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_side_stands_in_the_layout_of_the_form),
		cmocka_unit_test(what_is_exported_is_imported_as_it_was_meant),
		cmocka_unit_test(a_self_signed_certificate_is_added_as_root),
		cmocka_unit_test(
			the_root_of_a_ca_of_ones_own_is_added_where_it_is_known),
		cmocka_unit_test(names_of_cas_are_written_so_that_they_are_read),
		cmocka_unit_test(what_partners_will_stumble_over_is_remarked),
		cmocka_unit_test(a_side_without_domains_is_refused_by_the_reader),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
