/*
 * `postern resolve`: asks one question the way a worker does, through a
 * resolver process of its own, and prints the answer.
 */
#include "relay/verbs.h"

#include "relay/dns.h"
#include "relay/errand.h"

#include <stdio.h>
#include <strings.h>
#include <sysexits.h>

static const struct type_name {
	const char *name;
	enum dns_type type;
} type_names[] = {
	{"A",      DNS_A    },
	    { "AAAA",  DNS_AAAA },
	  { "MX",	  DNS_MX	 },
	{ "TXT",	 DNS_TXT	 },
	    { "TLSA",  DNS_TLSA },
	  { "CNAME", DNS_CNAME},
};

struct asking {
	struct errand errand;
	enum dns_type type;
	int status;
};

static int find_type(const char *name, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
		if (strcasecmp(type_names[i].name, name) == 0) {
			*type = type_names[i].type;
			return 0;
		}
	}
	return -1;
}

static void print_bytes(const struct dns_record *record)
{
	for (size_t i = 0; i < record->raw_len; i++)
		printf("%02x", record->raw[i]);
}

static void print_text(const struct dns_record *record)
{
	struct buffer text = { 0 };

	bytes_escape(&text, view_make(record->raw, record->raw_len),
		     4 * DNS_RAW_MAX);
	printf("\"%.*s\"", (int)buffer_len(&text),
	       (const char *)buffer_view(&text).at);
	buffer_clear(&text);
}

static void print_record(enum dns_type type, const struct dns_record *record)
{
	char text[NET_TEXT_MAX];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		net_text(&record->address, text);
		printf("%s", text);
		break;
	case DNS_MX:
		printf("%u %s", record->preference,
		       record->name[0] ? record->name : ".");
		break;
	case DNS_CNAME: printf("%s", record->name); break;
	case DNS_TXT: print_text(record); break;
	case DNS_TLSA: print_bytes(record); break;
	}
	putchar('\n');
}

static void print_answer(void *arg, const struct dns_answer *answer)
{
	static const char *const kinds[] = {
		[DNS_DATA] = "data",
		[DNS_NODATA] = "nodata",
		[DNS_NXDOMAIN] = "nxdomain",
		[DNS_ERROR] = "error",
	};
	struct asking *asking = arg;

	printf("kind: %s\nsecure: %s\nname: %s\n", kinds[answer->kind],
	       answer->is_secure ? "yes" : "no", answer->canonical);
	if (answer->kind == DNS_ERROR)
		printf("bogus: %s\nreason: %s\n",
		       answer->is_bogus ? "yes" : "no", answer->why);
	else
		printf("ttl: %u\n", answer->ttl);
	for (size_t i = 0; i < answer->count; i++)
		print_record(asking->type, &answer->records[i]);
	if (answer->dropped > 0)
		printf("unusable: %zu\n", answer->dropped);
	asking->status = answer->kind == DNS_ERROR ? EX_TEMPFAIL : EX_OK;
	errand_done(&asking->errand);
}

static int resolve(const char *conf_path, enum dns_type type, const char *name,
		   struct error *error)
{
	struct asking asking = { .type = type };
	int status = errand_begin(&asking.errand, conf_path, error);

	if (status)
		return status;
	asking.status = EX_SOFTWARE;
	dns_ask(asking.errand.dns, type, name, print_answer, &asking);
	errand_run(&asking.errand);
	errand_end(&asking.errand);
	return asking.status;
}

int verb_resolve(const char *conf_path, int argc, char **argv)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct error error = { .text = "" };
	enum dns_type type;
	int status;

	if (argc != 2 || find_type(argv[0], &type)) {
		fputs("postern: resolve A|AAAA|MX|TXT|TLSA|CNAME NAME\n",
		      stderr);
		return EX_USAGE;
	}
	if (domain_canonical(view_of(argv[1]), name, &error)) {
		fprintf(stderr, "postern: %s: %s\n", argv[1], error.text);
		return EX_DATAERR;
	}
	status = resolve(conf_path, type, name, &error);
	if (error.text[0])
		fprintf(stderr, "postern: %s\n", error.text);
	fflush(stdout);
	return status;
}
