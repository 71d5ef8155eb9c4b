/*
 * What the command line says to people.  The table of verbs is the only
 * place that knows them all.
 */
#include "relay/cli.h"

#include "relay/partner.h"
#include "relay/queue_verbs.h"
#include "relay/verbs.h"

#include <string.h>

const char cli_default_conf[] = POSTERN_CONF;

const struct cli_verb cli_verbs[] = {
	{"serve",	   "[-c FILE]",		"run the relay in the foreground",
	  "Logs to standard error. SIGTERM stops it once what is in hand is "
	  "finished (at\nmost `stop-limit`), a second one at once; what is "
	  "left stays in the spool.", verb_serve	     },
	{ "config check", "[-c FILE]",	       "check the configuration, start nothing",
	  "Reads the configuration and every file that it names. Prints "
	  "warnings, or where\nand what is wrong and what would be right. "
	  "Exit status 0 or 78.",	  verb_config_check},
	{ "resolve",	     "[-c FILE] TYPE NAME", "ask the DNS as the relay does",
	  "TYPE is A, AAAA, MX, TXT, TLSA or CNAME. Prints what kind of "
	  "answer came, whether\nDNSSEC proves it, and the records. Exit "
	  "status 0 for any proper answer, also for\n\"there is none\", "
	  "and 75 for an error.",	  verb_resolve     },
	{ "check", "[-c FILE] DOMAIN|ADDRESS",
	  "try all gateways of a domain, and score them",
	  "Connects to every address of every gateway and goes as far as RCPT; "
	  "nothing is\nsent. Prints a row for each, a score of 0 to 100, what "
	  "was presented and what\nwould have to change.\n"
	  "  --from ADDRESS    the sender (default: postmaster@hostname)\n"
	  "  --assure          does each gateway refuse mail without TLS?\n"
	  "  --form            judge by the form's prerequisites, not by a "
	  "policy\n"
	  "  --trust FILE      with --form or without a policy: these roots\n"
	  "  --fail-under N    exit status 1 below that score\n"
	  "  --warn-days N     warn of certificates that end sooner; with "
	  "--fail-under\n"
	  "                    that is exit status 1, too\n"
	  "  --time-limit N    seconds for all of it (default: 120)\n"
	  "  --json, --csv     for programs\n"
	  "  --explain-score   what counts for how much", verb_check },
	{ "explain", "[-c FILE] ADDRESS",
	  "which policy applies, and where mail would go",
	  "Prints which policy applies and which others lost, where mail "
	  "would go by the\ngateways or the DNS, and what is demanded of each "
	  "host; nothing is sent.\n"
	  "  --probe           also asks whether that would hold now: up to "
	  "the handshake\n"
	  "  --time-limit N    seconds for the probe (default: 120)\n"
	  "  --json            for programs\n"
	  "Exit status 0 when mail would go, 1 when it could not, 75 when that "
	  "cannot be\nsaid now.", verb_explain },
	{ "lab", "[-c FILE] [COMMAND]",
	  "play the gateways of the `lab` sections",
	  "Virtual gateways that take every message and store it as a file, "
	  "to try a sender\nagainst. Without -c those of a partner, with "
	  "their DNS, in ./lab-mail. Runs\npostern-lab, which lies beside "
	  "this program.\n"
	  "  --faults                all faults that a gateway may have\n"
	  "To a lab that runs, and about what it stored:\n"
	  "  status                  its gateways, their faults and counters\n"
	  "  set GATEWAY FAULT, ...  give a gateway faults, until they are "
	  "cleared\n"
	  "  clear GATEWAY [FAULT]   take them away; `all` is every gateway\n"
	  "  list                    the messages that arrived\n"
	  "  show ID                 one, with its session's transcript; "
	  "--raw: the file\n"
	  "  wait --timeout 30s      until one arrives, or exit status 75\n"
	  "    --to, --from, --subject PATTERN   which ones (also for list); "
	  "a star stands\n"
	  "                          for anything\n"
	  "    --count N             so many of them (default: 1)\n"
	  "    --new                 those that are there already do not "
	  "count\n"
	  "  --store FOLDER          look there, whatever the configuration "
	  "says\n"
	  "  --json                  for programs", verb_lab },
	{ "partner certs", "[-c FILE] [--json]",
	  "what partners' gateways presented",
	  "Lists the gateways of policies that verify certificates (or would, "
	  "as a dry\nrun) with names, issuer, pin, first and last sight and "
	  "the days that are left.\nThe relay keeps the list in its spool.",
	  partner_certs },
	{ "partner import", "[--section 3|4] [--check] FORM",
	  "a partner's form as policies",
	  "Reads a filled form as text (- for standard input) and prints "
	  "`policy` blocks,\nwith what was missing or not understood as "
	  "comments. Section 3 is for mail to\nthe company that issued the "
	  "form, section 4 to the one who filled it in; default\nis what is "
	  "filled. Exit status 0, or 65 when no policy can be made of it, 66 "
	  "when\nit cannot be read.\n"
	  "  --check           also tries all gateways, as `check` does with "
	  "that policy: its\n"
	  "                    --from, --trust, --fail-under, --warn-days, "
	  "--time-limit and\n"
	  "                    exit status; the matrix goes to standard error",
	  partner_import },
	{ "partner export", "[-c FILE] [--listen TITLE]",
	  "our own side of a partner's form",
	  "Prints the domains of relay-domains, their gateways by MX, and the "
	  "names, CA, dates\nand pins of the certificates that the listeners "
	  "present, as `partner import` reads\nthem. What was not found, and "
	  "what partners will stumble over, goes to standard\nerror. Exit "
	  "status 0; 75 when the DNS failed on a domain, 66 when a certificate "
	  "could\nnot be read.\n"
	  "  --listen TITLE    only what that listener presents",
	  partner_export },
	{ "status", "[-c FILE] [--json]", "how the relay is",
	  "The processes, sessions, what waits, and the destinations in "
	  "trouble. Exit status 0,\nor 69 when it is not running.",
	  verb_status },
	{ "queue list", "[--domain D|--sender A|--messages]",
	  "what waits, for whom, and why",
	  "Destinations in the order of their names, each with what its mail "
	  "waits for, or\nmessages one by one. A page of 50 at a time: --limit "
	  "N, --after WHERE (the page\nbefore says where), --all. --json for "
	  "programs. The relay may run or not, and is\nnot disturbed.",
	  verb_queue_list },
	{ "queue show", "ID", "one message: envelope, recipients, attempts",
	  "Who waits, since when and what for, and the first and the last "
	  "seven attempts with\nthe reply and what was demanded and proved of "
	  "TLS. --json for programs. Exit\nstatus 66 when there is no such "
	  "message.", verb_queue_show },
	{ "queue cat", "ID", "the message itself, byte by byte",
	  "Writes the message as it is stored to standard output. Exit status "
	  "66 when there\nis no such message.", verb_queue_cat },
	{ "queue retry", "ID|DOMAIN|SENDER|all", "try it now",
	  "Does not wait for the next attempt, nor for a destination that "
	  "backs off. Mail\non hold stays so. --dry-run only counts.",
	  verb_queue_retry },
	{ "queue hold", "ID|DOMAIN|SENDER|all", "do not deliver it for now",
	  "A domain, a sender or all is a rule for what comes later, too; "
	  "'<>' is the null\nsender. What is on hold does not expire. "
	  "--dry-run only counts what waits.", verb_queue_hold },
	{ "queue release", "ID|DOMAIN|SENDER|all", "end a hold",
	  "Takes the rule away and delivers what it held, unless another one "
	  "holds it still.\n`all` takes all rules away.", verb_queue_release },
	{ "queue remove", "ID|DOMAIN|SENDER|all", "delete it; nobody is told",
	  "Counts first. More than one message takes a yes, or --yes where "
	  "nobody can be\nasked. --dry-run only counts. What is being "
	  "delivered just then is left alone\n(exit status 75).",
	  verb_queue_remove },
	{ "queue bounce", "ID|DOMAIN|SENDER|all", "give it up; the sender is told",
	  "As `queue remove`, with a failure report to the sender.",
	  verb_queue_bounce },
	{ "queue export", "ID|DOMAIN|SENDER|all DIR", "copy messages into files",
	  "Each as ID.eml, the message byte by byte, and ID.envelope, all else "
	  "in readable\nform; rules that hold mail as `holds`. Nothing is "
	  "removed: stop the relay first\nwhere the copies are to go on "
	  "elsewhere.", verb_queue_export },
	{ "queue import", "DIR|FILE.envelope", "take over what was exported",
	  "Durable when it is reported. Ids, ages, attempts and holds are kept; "
	  "what is here\nalready is left alone. Exit status 65 when a file is "
	  "no good, 75 when there is no\nroom.", verb_queue_import },
	{ "queue salvage", "FILE...", "save what can be saved of a damaged store",
	  "FILE is a data.mdb, or a folder with one, as the relay sets it "
	  "aside; a message and\nits body may lie in two of them. Lists what "
	  "was saved and what was not. What was\nsaved goes into a folder of "
	  "its own in the spool, which a relay adopts within a\nminute.\n"
	  "  --dry-run         only lists\n"
	  "  --yes             also what was salvaged before\n"
	  "  --json            for programs\n"
	  "Exit status 65 when something was lost, 66 when a file cannot be "
	  "read, 75 when\nthere is no room.", verb_queue_salvage },
};

const size_t cli_verb_count = sizeof(cli_verbs) / sizeof(cli_verbs[0]);

/* How many words of `words` begin argv; 0 when not all of them do. */
static int match(const char *words, int argc, char **argv)
{
	int count = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (count >= argc || strlen(argv[count]) != len ||
		    strncmp(argv[count], words, len) != 0)
			return 0;
		count++;
		words += len;
		words += strspn(words, " ");
	}
	return count;
}

const struct cli_verb *cli_find(int argc, char **argv, int *words)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		*words = match(cli_verbs[i].words, argc, argv);
		if (*words > 0)
			return &cli_verbs[i];
	}
	return NULL;
}

void cli_help(FILE *out)
{
	fputs("Postern: accepts mail, keeps it safe, forwards it over verified "
	      "TLS.\n\n",
	      out);
	for (size_t i = 0; i < cli_verb_count; i++)
		fprintf(out, "  postern %-14s %-20s %s\n", cli_verbs[i].words,
			cli_verbs[i].usage, cli_verbs[i].summary);
	fputs("\n  postern help VERB, --help, --version\n\n"
	      "-c FILE, --config FILE    instead of " POSTERN_CONF "\n",
	      out);
}

void cli_help_verb(FILE *out, const struct cli_verb *verb)
{
	fprintf(out, "postern %s %s: %s\n\n%s\n", verb->words, verb->usage,
		verb->summary, verb->help);
}

void cli_version(FILE *out)
{
	fputs("postern " POSTERN_VERSION "\n", out);
}

/* Letters that are the same from the front and from the back. */
static size_t likeness(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strcspn(b, " ");
	size_t front = 0, back = 0;

	while (front < a_len && front < b_len && a[front] == b[front])
		front++;
	while (front + back < a_len && front + back < b_len &&
	       a[a_len - back - 1] == b[b_len - back - 1])
		back++;
	return front + back;
}

void cli_unknown(FILE *out, const char *word)
{
	const struct cli_verb *best = NULL;
	size_t best_likeness = 2;

	for (size_t i = 0; i < cli_verb_count; i++) {
		size_t same = likeness(word, cli_verbs[i].words);

		if (same > best_likeness) {
			best = &cli_verbs[i];
			best_likeness = same;
		}
	}
	fprintf(out, "postern: there is no \"%s\"", word);
	if (best)
		fprintf(out, "; did you mean `postern %s`?", best->words);
	fputs(" (postern --help lists all)\n", out);
}
