/*
 * Reads a form from a file or from standard input, of bounded size, and
 * prints what form_policy() makes of it.  Either all of it is printed or
 * nothing; the reason for nothing goes to standard error.
 */
#include "relay/partner.h"

#include "relay/form_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { READ_SIZE = 64 * 1024 };

struct order {
	const char *path; /* "-": standard input */
	unsigned section; /* 0: all that are filled */
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr,
		"postern partner import: %s%s\n"
		"usage: postern partner import [--section 3|4] FORM\n",
		what, word);
	return -1;
}

static int parse_section(const char *text, struct order *order)
{
	if (!text || (strcmp(text, "3") && strcmp(text, "4")))
		return usage("--section must be 3 or 4", "");
	order->section = text[0] == '3' ? FORM_TO_ISSUER : FORM_TO_PARTNER;
	return 0;
}

static int parse_order(int argc, char **argv, struct order *order)
{
	static const char with_value[] = "--section=";
	bool has_options = true;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		int rc = 0;

		if (has_options && !strcmp(word, "--")) {
			has_options = false;
		} else if (has_options && !strcmp(word, "--section")) {
			i++;
			rc = parse_section(i < argc ? argv[i] : NULL, order);
		} else if (has_options &&
			   !strncmp(word, with_value, sizeof(with_value) - 1)) {
			rc = parse_section(word + sizeof(with_value) - 1,
					   order);
		} else if (has_options && word[0] == '-' && word[1]) {
			rc = usage("there is no option ", word);
		} else if (order->path) {
			rc = usage("one form at a time, not also ", word);
		} else {
			order->path = word;
		}
		if (rc)
			return -1;
	}
	return order->path ? 0 : usage("no form is named", "");
}

/* A byte more than a form may have is read, so that form_parse() refuses
 * what is larger instead of using half of it. */
static int read_stream(FILE *in, struct buffer *raw)
{
	while (buffer_len(raw) <= FORM_SIZE_MAX) {
		size_t got = fread(buffer_reserve(raw, READ_SIZE), 1, READ_SIZE,
				   in);

		buffer_added(raw, got);
		if (got < READ_SIZE)
			break;
	}
	return ferror(in) ? -1 : 0;
}

static int read_form(const char *path, struct buffer *raw)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *in = is_stdin ? stdin : fopen(path, "rb");
	int rc = in ? read_stream(in, raw) : -1;

	if (rc)
		fprintf(stderr, "postern: cannot read %s: %s\n",
			is_stdin ? "standard input" : path, strerror(errno));
	if (in && !is_stdin)
		fclose(in);
	return rc;
}

static int convert(struct view raw, unsigned section, struct buffer *out,
		   struct error *error)
{
	struct form form;
	int rc;

	if (form_parse(raw, &form, error))
		return -1;
	rc = form_policy(&form, section, out, error);
	form_clear(&form);
	return rc;
}

static int print(struct view text)
{
	if (fwrite(text.at, 1, text.len, stdout) == text.len && !fflush(stdout))
		return EX_OK;
	fprintf(stderr, "postern: cannot write: %s\n", strerror(errno));
	return EX_IOERR;
}

int partner_import(const char *conf_path, int argc, char **argv)
{
	struct order order = { 0 };
	struct buffer raw = { 0 }, out = { 0 };
	struct error error;
	int status = EX_NOINPUT;

	(void)conf_path;
	if (parse_order(argc, argv, &order))
		return EX_USAGE;
	if (!read_form(order.path, &raw)) {
		status = EX_DATAERR;
		if (!convert(buffer_view(&raw), order.section, &out, &error))
			status = print(buffer_view(&out));
		else
			fprintf(stderr, "postern: %s: %s\n", order.path,
				error.text);
	}
	buffer_clear(&raw);
	buffer_clear(&out);
	return status;
}
