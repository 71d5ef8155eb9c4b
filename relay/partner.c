/*
 * Reads a form from a file or from standard input, of bounded size, and
 * prints what form_policy() makes of it.  Either all of it is printed or
 * nothing; the reason for nothing goes to standard error, and so does what
 * the probe found.
 */
#include "relay/partner.h"

#include "relay/form_policy.h"
#include "relay/partner_check.h"
#include "relay/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { READ_SIZE = 64 * 1024 };

struct order {
	const char *path; /* "-": standard input */
	unsigned section; /* 0: all that are filled */
	bool is_checked;
	struct check_order check;
};

static int parse_section(const char *text, struct order *order,
			 struct error *error)
{
	if (strcmp(text, "3") != 0 && strcmp(text, "4") != 0)
		return error_set(error, "--section must be 3 or 4");
	order->section = text[0] == '3' ? FORM_TO_ISSUER : FORM_TO_PARTNER;
	return 0;
}

static int parse_order(int argc, char **argv, struct order *order,
		       struct error *error)
{
	struct check_order *check = &order->check;
	const char *section = NULL;
	const struct words_option options[] = {
		{ .name = "--section", .text = &section },
		{ .name = "--check", .flag = &order->is_checked },
		{ .name = "--from", .text = &check->from },
		{ .name = "--trust", .text = &check->trust },
		{ .name = "--fail-under", .number = &check->fail_under,
		  .max = CHECK_FACTOR_MOST },
		{ .name = "--warn-days", .number = &check->warn_days,
		  .max = CHECK_DAYS_MOST },
		{ .name = "--time-limit", .number = &check->limit,
		  .max = CHECK_LIMIT_MOST },
	};

	check->limit = CHECK_LIMIT_DEFAULT;
	if (words_parse(argc, argv, options,
			sizeof(options) / sizeof(options[0]), &order->path,
			error) ||
	    (section != NULL && parse_section(section, order, error)))
		return -1;
	if (!order->is_checked &&
	    (check->from || check->trust || check->fail_under ||
	     check->warn_days || check->limit != CHECK_LIMIT_DEFAULT))
		return error_set(error, "without --check nothing is probed");
	return order->path ? 0 : error_set(error, "no form is named");
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

static int import(const char *conf_path, const struct order *order,
		  struct view raw)
{
	struct buffer out = { 0 };
	struct error error;
	int status = EX_DATAERR;

	if (!convert(raw, order->section, &out, &error))
		status = print(buffer_view(&out));
	else
		fprintf(stderr, "postern: %s: %s\n", order->path, error.text);
	/* The policy alone goes where it may be redirected to. */
	if (status == EX_OK && order->is_checked)
		status = partner_check(conf_path, buffer_view(&out),
				       &order->check, stderr);
	buffer_clear(&out);
	return status;
}

int partner_import(const char *conf_path, int argc, char **argv)
{
	struct order order = { 0 };
	struct buffer raw = { 0 };
	struct error error;
	int status = EX_NOINPUT;

	if (parse_order(argc, argv, &order, &error)) {
		fprintf(stderr,
			"postern partner import: %s\n"
			"usage: postern partner import [--section 3|4] "
			"[--check] FORM\n",
			error.text);
		return EX_USAGE;
	}
	if (!read_form(order.path, &raw))
		status = import(conf_path, &order, buffer_view(&raw));
	buffer_clear(&raw);
	return status;
}
