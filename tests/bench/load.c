/*
 * The load generator of the benchmarks.
 *
 *	load send|shake|hold [option ...] ADDRESS:PORT
 *	load sink|echo [option ...] ADDRESS:PORT
 *
 *	-t none|starttls|implicit   -c CHAIN -k KEY   (PEM, of a server)
 *	-s sessions side by side    -m messages       -n messages a connection
 *	-l bytes of the body        -r messages/s     -R resume TLS sessions
 *	-f sender  -a recipient     -x number of the run
 *
 * `send` and `shake` print JSON when the last answer came, `hold` prints
 * `held N` and waits for the end of its input, `sink` and `echo` print
 * `listening PORT`; see sink.c for what a sink is told.
 */
#include "tests/bench/bench.h"
#include "tls/context.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(const struct bench_options *options);
} modes[] = {
	{ "send", bench_send }, { "shake", bench_shake },
	{ "hold", bench_hold }, { "sink", bench_sink },
	{ "echo", bench_echo },
};

static int usage(void)
{
	fprintf(stderr, "usage: load send|shake|hold|sink|echo [-t none|"
		"starttls|implicit] [-c chain -k key] [-s sessions] "
		"[-m messages] [-n per connection] [-l length] [-r rate] [-R] "
		"[-f sender] [-a recipient] [-x run] address:port\n");
	return 64;
}

static enum bench_tls read_tls(const char *word)
{
	return strcmp(word, "implicit") == 0 ? BENCH_IMPLICIT
	       : strcmp(word, "starttls") == 0 ? BENCH_STARTTLS
					       : BENCH_PLAIN;
}

static unsigned number(const char *word)
{
	return (unsigned)strtoul(word, NULL, 10);
}

static int read_address(const char *word, struct sockaddr_in *address)
{
	char host[32];
	unsigned port;

	if (sscanf(word, "%31[0-9.]:%u", host, &port) != 2 || port > 65535)
		return -1;
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &address->sin_addr) == 1 ? 0 : -1;
}

static int read_options(int argc, char **argv, struct bench_options *o)
{
	int c;

	while ((c = getopt(argc, argv, "t:c:k:s:m:n:l:r:Rf:a:x:")) != -1)
		switch (c) {
		case 't': o->tls = read_tls(optarg); break;
		case 'c': o->chain = optarg; break;
		case 'k': o->key = optarg; break;
		case 's': o->sessions = number(optarg); break;
		case 'm': o->messages = number(optarg); break;
		case 'n': o->per_connection = number(optarg); break;
		case 'l': o->length = number(optarg); break;
		case 'r': o->rate = strtod(optarg, NULL); break;
		case 'R': o->resumes = true; break;
		case 'f': o->sender = optarg; break;
		case 'a': o->recipient = optarg; break;
		case 'x': o->run = number(optarg); break;
		default: return -1;
		}
	if (optind != argc - 1 || o->sessions == 0 || o->messages == 0)
		return -1;
	return read_address(argv[optind], &o->address);
}

/* Ten thousand sessions want ten thousand descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct bench_options options = {
		.sessions = 1,
		.messages = 1,
		.length = 4096,
		.sender = "sender@bench.example",
		.recipient = "recipient@plain.example",
	};
	size_t i;

	if (argc < 2 || read_options(argc - 1, argv + 1, &options) < 0)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	raise_limit();
	/* the library as the relay has it, so that the ceiling is its own */
	tls_start();
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(&options);
	return usage();
}
