/*
 * `postern resolve`: asks one question the way a worker does, through a
 * resolver process of its own, and prints the answer.
 */
#include "relay/verbs.h"

#include "conf/files.h"
#include "relay/channel.h"
#include "relay/dns.h"
#include "relay/dns_wire.h"
#include "relay/spawn.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

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
	struct ev_loop *loop;
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
	ev_break(asking->loop, EVBREAK_ALL);
}

static int ask(int socket, enum dns_type type, const char *name)
{
	struct asking asking = { .loop = ev_loop_new(EVFLAG_AUTO),
				 .type = type,
				 .status = EX_SOFTWARE };
	struct dns *dns = dns_new(asking.loop, socket);

	dns_ask(dns, type, name, print_answer, &asking);
	ev_run(asking.loop, 0);
	dns_free(dns);
	ev_loop_destroy(asking.loop);
	return asking.status;
}

static pid_t start_resolver(int bundle, int *channel, int *socket,
			    struct error *error)
{
	int ends[2], pair[2];
	struct spawn spawn = { .role = "resolver", .bundle = bundle };
	struct channel_message client = { .kind = CHANNEL_CLIENT };
	pid_t pid;

	if (channel_pair(ends, error))
		return -1;
	if (channel_pair(pair, error)) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	spawn.channel = ends[1];
	client.fd = pair[1];
	channel_send(ends[0], &client);
	pid = spawn_child(&spawn, error);
	close(ends[1]);
	close(pair[1]);
	*channel = ends[0];
	*socket = pair[0];
	return pid;
}

static int resolve(const char *conf_path, enum dns_type type, const char *name,
		   struct error *error)
{
	struct conf_files *files = files_disk();
	struct conf *conf = conf_read(conf_path, files, error);
	int bundle = conf ? files_seal(files, conf_path, error) : -1;
	int channel, socket, status = EX_CONFIG;
	pid_t pid;

	if (bundle >= 0) {
		pid = start_resolver(bundle, &channel, &socket, error);
		status = EX_OSERR;
		if (pid > 0) {
			status = ask(socket, type, name);
			close(channel);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
		close(bundle);
	}
	conf_free(conf);
	files_free(files);
	return status;
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
