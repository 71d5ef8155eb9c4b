/*
 * Message bodies through the server session: by DATA and by BDAT, line
 * endings and every known way of smuggling, limits, and what the store
 * says in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dialog.h"

#define BEGIN \
	"S: 220*", "C: HELO c", "S: 250*", "C: MAIL FROM:<a@b.example>", \
	"S: 250*", "C: RCPT TO:<c@d.example>", "S: 250*"
#define BEGIN_DATA BEGIN, "C: DATA", "S: 354*", "T: begin"
#define COMMIT "T: commit <a@b.example> <c@d.example>"
#define STORED "S: 250 2.0.0 ID1 stored"

static const struct dialog by_data[] = {
	{ .name = "dots are unstuffed",
	  .lines = { BEGIN_DATA, "C: ..", "C: ..x", "C: .x", "C: a.", "C: ...",
		     "C: .", "B: .", "B: .x", "B: x", "B: a.", "B: ..", COMMIT,
		     STORED } },
	{ .name = "an empty body",
	  .lines = { BEGIN_DATA, "C: .", COMMIT, STORED, "C: QUIT", "S: 221*",
		     "T: close" } },
	{ .name = "8-bit bytes are marked, said or not",
	  .lines = { BEGIN_DATA, "C: Subject: x", "C: ", "R: %c3%a4%0d%0a",
		     "C: .", "B: Subject: x", "B: ", "B: *",
		     COMMIT " 8bit", STORED } },
	{ .name = "8-bit bytes in the header are marked of their own",
	  .lines = { BEGIN_DATA, "R: Subject: %c3%a4%0d%0a%0d%0a", "C: .",
		     "B: Subject: *", "B: ", COMMIT " 8bit utf8-header",
		     STORED } },
	{ .name = "a body line is not taken for header",
	  .lines = { BEGIN_DATA, "C: no field here", "R: X: %c3%a4%0d%0a",
		     "C: .", "B: no field here", "B: X: *", COMMIT " 8bit",
		     STORED } },
	{ .name = "trace lines",
	  .shows_trace = true,
	  .lines = { BEGIN_DATA,
		     "T: trace Received: from c ([127.0.0.1])",
		     "T: trace \\x09by mx.example.org (Postern) with SMTP "
		     "id ID1",
		     "T: trace \\x09for <c@d.example>;",
		     "T: trace \\x09Tue, 24 Nov 2026 23:10:35 +0000", "C: .",
		     COMMIT, STORED } },
	{ .name = "a line of just the length passes, also dot-stuffed",
	  .max_line = 12,
	  .lines = { BEGIN_DATA, "C: 0123456789", "C: ..123456789", "C: .",
		     "B: 0123456789", "B: .123456789", COMMIT, STORED } },
	{ .name = "a longer line is refused, never split",
	  .max_line = 12,
	  .lines = { BEGIN_DATA, "C: 0123456789x", "T: abort", "C: more",
		     "C: .",
		     "S: 554 5.6.0 Message holds a line too long",
		     "C: NOOP", "S: 250*" } },
	{ .name = "a message too large",
	  .max_message = 20,
	  .lines = { BEGIN_DATA, "C: 0123456789", "C: 0123456789", "C: x",
		     "T: abort", "C: .", "S: 552 5.3.4 Message too large",
		     "C: MAIL FROM:<>", "S: 250*" } },
	{ .name = "a message that could never fit",
	  .largest = 20, .is_full = true,
	  .lines = { "S: 220*", "C: EHLO c", "S: 250-*", "S: *",
		     "S: 250-SIZE 20", "S: *", "S: *", "S: *", "S: *", "S: *",
		     "C: MAIL FROM:<> SIZE=21",
		     "S: 552 5.3.4 Message too large",
		     "C: MAIL FROM:<> SIZE=20", "S: 452 4.3.1*" } },
	{ .name = "a message of just that size",
	  .max_message = 24,
	  .lines = { BEGIN_DATA, "C: ..", "C: 0123456789", "C: 0123456", "C: .",
		     "B: .", "B: 0123456789", "B: 0123456", COMMIT, STORED } },
	{ .name = "too many hops",
	  .max_hops = 2,
	  .lines = { BEGIN_DATA, "C: Received: 1", "C: received : 2",
		     "C:  Received: folded", "C: RECEIVED:", "T: abort",
		     "C: ", "C: .", "S: 554 5.4.6*" } },
	{ .name = "Received: in the body is no hop",
	  .max_hops = 1,
	  .lines = { BEGIN_DATA, "C: Received: 1", "C: X-Received: 0", "C: ",
		     "C: Received: 2", "C: .", "B: Received: 1",
		     "B: X-Received: 0", "B: ", "B: Received: 2", COMMIT,
		     STORED } },
};

static const struct dialog by_bdat[] = {
	{ .name = "in chunks; dots mean nothing",
	  .lines = { BEGIN, "C: BDAT 5", "T: begin", "R: a%0d%0a.%0d",
		     "S: 250 2.0.0 5 octets taken", "C: BDAT 3", "R: %0a.b",
		     "S: 250 2.0.0 3 octets taken", "C: BDAT 2 LAST",
		     "R: %0d%0a", "B: a", "B: .", "B: .b", COMMIT, STORED } },
	{ .name = "pipelined, and LAST without octets",
	  .lines = { BEGIN, "C: BDAT 3", "R: a%0d%0a", "C: BDAT 0",
		     "C: bdat 3  ", "R: b%0d%0a", "C: BDAT 0 last", "T: begin",
		     "S: 250*", "S: 250 2.0.0 0 octets taken", "S: 250*",
		     "B: a", "B: b", COMMIT, STORED, "C: QUIT", "S: 221*",
		     "T: close" } },
	{ .name = "nothing but BDAT 0 LAST",
	  .lines = { BEGIN, "C: BDAT 0 LAST", "T: begin", COMMIT, STORED } },
	{ .name = "no end of line at the end",
	  .max_line = 12,
	  .lines = { BEGIN, "C: BDAT 10 LAST", "R: 0123456789", "T: begin",
		     "B: 0123456789", COMMIT, STORED } },
	{ .name = "a last line that would become too long",
	  .max_line = 12,
	  .lines = { BEGIN, "C: BDAT 11 LAST", "R: 0123456789x", "T: begin",
		     "S: 554 5.6.0 Message holds a line too long",
		     "T: abort" } },
	{ .name = "a refused BDAT swallows its octets",
	  .lines = { "S: 220*", "C: BDAT 10", "C: QUIT1234", "S: 503*",
		     "C: HELO c", "S: 250*", "C: BDAT 6 LAST", "C: QUIT",
		     "S: 503*", "C: MAIL FROM:<>", "S: 250*", "C: BDAT 6",
		     "C: QUIT", "S: 503*", "C: RCPT TO:<bad", "S: 501*",
		     "C: BDAT 6", "C: QUIT", "S: 554 5.5.1*" } },
	{ .name = "a BDAT whose length cannot be read ends the session",
	  .is_uncut = true,
	  .lines = { BEGIN, "C: BDAT 5x", "S: 501 5.5.4*", "T: close",
		     "C: QUIT" } },
	{ .name = "a length beyond all numbers", .is_uncut = true,
	  .lines = { BEGIN, "C: BDAT 99999999999999999999999", "S: 501*",
		     "T: close" } },
	{ .name = "a chunk too large is refused before it is stored",
	  .max_message = 10,
	  .lines = { BEGIN, "C: BDAT 6", "R: abcd%0d%0a", "T: begin",
		     "S: 250*", "C: BDAT 6", "T: abort", "R: NOOP%0d%0a",
		     "S: 552 5.3.4*", "C: BDAT 6 LAST", "R: QUIT%0d%0a",
		     "S: 503*", "C: MAIL FROM:<>", "S: 250*" } },
	{ .name = "DATA and BDAT are not mixed",
	  .lines = { BEGIN, "C: BDAT 2", "R: ab", "T: begin", "S: 250*",
		     "C: RCPT TO:<x@y.example>", "S: 503*", "C: NOOP",
		     "S: 250*", "C: MAIL FROM:<>", "S: 503*", "C: RSET",
		     "S: 250*", "T: abort" } },
	{ .name = "DATA after BDAT", .is_uncut = true,
	  .lines = { BEGIN, "C: BDAT 2", "R: ab", "T: begin", "S: 250*",
		     "C: DATA", "S: 503*" } },
	{ .name = "a bare LF by BDAT",
	  .lines = { BEGIN, "C: BDAT 4", "R: a%0ab%0d", "T: begin", "T: abort",
		     "S: 554 5.6.0 Message holds a LF without CR",
		     "C: BDAT 1 LAST", "R: x", "S: 503*" } },
	{ .name = "a CR at a chunk's end that nothing completes",
	  .lines = { BEGIN, "C: BDAT 2", "R: a%0d", "T: begin", "S: 250*",
		     "C: BDAT 1 LAST", "R: x", "T: abort",
		     "S: 554 5.6.0 Message holds a CR without LF" } },
	{ .name = "a CR at the very end",
	  .lines = { BEGIN, "C: BDAT 2 LAST", "R: a%0d", "T: begin", "T: abort",
		     "S: 554 5.6.0 Message holds a CR without LF" } },
	{ .name = "newlines are normalised by BDAT too",
	  .normalises_newlines = true,
	  .lines = { BEGIN, "C: BDAT 5", "R: a%0ab%0dc", "T: begin", "S: 250*",
		     "C: BDAT 1", "R: %0d", "S: 250*", "C: BDAT 2",
		     "R: %0ad", "S: 250*", "C: BDAT 1", "R: %0d", "S: 250*",
		     "C: BDAT 1", "R: e", "S: 250*", "C: BDAT 1 LAST",
		     "R: %0d", "B: a", "B: b", "B: c", "B: d", "B: e", COMMIT,
		     STORED } },
	{ .name = "BINARYMIME is not offered",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example> BODY=BINARYMIME",
		     "S: 555 5.5.4*" } },
};

static const struct dialog stores[] = {
	{ .name = "250 comes with the store's word only",
	  .waits_for_store = true,
	  .lines = { BEGIN_DATA, "C: x", "C: .", "C: NOOP", "B: x", COMMIT,
		     "E: stored", STORED, "S: 250 2.0.0 Ok" } },
	{ .name = "the store is full at the end",
	  .waits_for_store = true,
	  .lines = { BEGIN_DATA, "C: .", COMMIT, "E: no-room",
		     "S: 452 4.3.1*", "C: MAIL FROM:<>", "S: 250*" } },
	{ .name = "the store fails at the end",
	  .waits_for_store = true,
	  .lines = { BEGIN_DATA, "C: .", COMMIT, "E: failed",
		     "S: 451 4.3.0*", "C: NOOP", "S: 250*" } },
	{ .name = "the store fails amid the body: read on, one reply",
	  .lines = { BEGIN_DATA, "C: x", "E: failed", "C: y", "C: .",
		     "S: 451 4.3.0*", "C: NOOP", "S: 250*" } },
	{ .name = "the store fails between chunks",
	  .lines = { BEGIN, "C: BDAT 1", "R: x", "T: begin", "S: 250*",
		     "E: no-room", "C: BDAT 6 LAST", "R: QUIT%0d%0a",
		     "S: 452 4.3.1*", "C: NOOP", "S: 250*" } },
	{ .name = "the store fails in a chunk",
	  .lines = { BEGIN, "C: BDAT 6", "R: QU", "T: begin", "E: no-room",
		     "R: IT%0d%0a", "S: 452 4.3.1*", "C: NOOP", "S: 250*" } },
};

/*
 * VU#302671 and its kin.  Each would-be end of the first message stands
 * before commands that must never be obeyed; the message is read to the
 * one true end and then refused once.
 */
static const struct {
	const char *bytes;
	const char *refusal; /* NULL: it is a harmless part of the body */
} smuggled[] = {
	{ "%0a.%0a", "LF without CR" },
	{ "%0a.%0d%0a", "LF without CR" },
	{ "%0d%0a.%0a", "LF without CR" },
	{ "%0d.%0d", "CR without LF" },
	{ "%0d.%0d%0a", "CR without LF" },
	{ "%0d%0a.%0d", "CR without LF" },
	{ "%0d%0a.%0d.%0d%0a", "CR without LF" },
	{ "%0d%0a.%0d%0d%0a", "CR without LF" },
	{ "%0d%0d%0a.%0d%0d%0a", "CR without LF" },
	{ "%0d.%0a", "CR without LF" },
	{ "%0a.%0d", "LF without CR" },
	{ "%0a%0d.%0a%0d", "LF without CR" },
	{ "%0d%0a%00.%0d%0a", "NUL byte" },
	{ "%0d%0a.%00%0d%0a", "NUL byte" },
	{ "%0d%00%0a.%0d%0a", "CR without LF" },
	{ "%0d%0a.%0d%00%0a", "CR without LF" },
	{ "%00%0d%0a.%00%0d%00%0a", "NUL byte" },
	{ "%0d%0a. %0d%0a", NULL },
	{ "%0d%0a.%09%0d%0a", NULL },
	{ "%0d%0a .%0d%0a", NULL },
	{ "%0b.%0b", NULL },
	{ "%0c.%0c", NULL },
	{ "%0d%0a.%0b%0d%0a", NULL },
	{ "%85.%85", NULL },
	{ "%c2%85.%c2%85", NULL },
	{ "%e2%80%a8.%e2%80%a8", NULL },
	{ "%e2%80%a9.%e2%80%a9", NULL },
	{ "%1a", NULL },
	{ "%0d%0a%1a%0d%0a", NULL },
	{ "%0d%0a..%0d%0a", NULL },
	{ "%0d%0a.x%0d%0a", NULL },
};

enum { SMUGGLED = sizeof(smuggled) / sizeof(smuggled[0]) };

static void smuggling(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SMUGGLED; i++) {
		char raw[256], reply[128];
		struct dialog dialog = {
			.name = smuggled[i].bytes,
			.lines = { BEGIN_DATA, raw, "C: .", "T: abort", reply,
				   "C: NOOP", "S: 250 2.0.0 Ok" },
		};

		if (!smuggled[i].refusal)
			continue;
		snprintf(raw, sizeof(raw),
			 "R: x%sMAIL FROM:<evil@x.example>%%0d%%0a",
			 smuggled[i].bytes);
		snprintf(reply, sizeof(reply),
			 "S: 554 5.6.0 Message holds a %s",
			 smuggled[i].refusal);
		dialog_play(&dialog);
	}
}

/* What ends no message in any mode, normalised or not; one message comes
 * out, and the commands are part of it. */
static void no_other_end(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < SMUGGLED; i++) {
		char raw[256];
		struct dialog dialog = {
			.name = smuggled[i].bytes,
			.normalises_newlines = true,
			.accepts_everything = true,
			.max_errors = 1,
			.lines = { BEGIN_DATA, raw, "C: .", "C: NOOP" },
		};

		if (strstr(smuggled[i].bytes, "%00"))
			continue; /* NUL: refused in any mode */
		snprintf(raw, sizeof(raw), "R: x%sQUIT%%0d%%0a",
			 smuggled[i].bytes);
		dialog_stores_one(&dialog, "QUIT");
		dialog.normalises_newlines = false;
		if (!smuggled[i].refusal)
			dialog_stores_one(&dialog, "QUIT");
	}
}

static const struct dialog normalised[] = {
	{ .name = "lone LF and CR become CRLF",
	  .normalises_newlines = true,
	  .lines = { BEGIN_DATA, "R: a%0ab%0dc%0d%0d%0a%0a%0d%0a", "C: .",
		     "B: a", "B: b", "B: c", "B: ", "B: ", "B: ", COMMIT,
		     STORED } },
	{ .name = "still only CRLF.CRLF ends it",
	  .normalises_newlines = true,
	  .lines = { BEGIN_DATA, "R: a%0a.%0d%0ab%0d.%0d%0ac%0d%0a.%0ad%0d%0a",
		     "C: .", "B: a", "B: .", "B: b", "B: .", "B: c", "B: ",
		     "B: d", COMMIT, STORED } },
	{ .name = "NUL is refused all the same",
	  .normalises_newlines = true,
	  .lines = { BEGIN_DATA, "R: a%00b%0d%0a", "T: abort", "C: .",
		     "S: 554 5.6.0 Message holds a NUL byte" } },
	{ .name = "a command ends in CRLF all the same", .is_uncut = true,
	  .normalises_newlines = true,
	  .lines = { "S: 220*", "R: NOOP%0aNOOP%0d%0a", "S: 500 5.5.2*",
		     "T: close" } },
};

static const struct dialog commands[] = {
	{ .name = "a true end between bare ones, and what stands behind it",
	  .lines = { BEGIN_DATA, "R: x%0d%0d%0a.%0d%0a%0aNOOP%0d%0a",
		     "T: abort", "S: 554 5.6.0*", "S: 500 5.5.2*",
		     "T: close" } },
	{ .name = "a bare LF in a command",
	  .lines = { "S: 220*", "R: NOOP%0aMAIL FROM:<a@b.example>%0d%0a",
		     "S: 500 5.5.2 Lines end in CRLF and nothing else",
		     "T: close" } },
	{ .name = "a bare CR in a command",
	  .lines = { "S: 220*", "R: NOOP%0dRSET%0d%0a", "S: 500 5.5.2*",
		     "T: close" } },
	{ .name = "CR CR LF",
	  .lines = { "S: 220*", "R: NOOP%0d%0d%0a", "S: 500*", "T: close" } },
	{ .name = "a NUL behind a good address",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: MAIL FROM:<>",
		     "S: 250*", "R: RCPT TO:<ok@d.example>%00junk%0d%0a",
		     "S: 500 5.5.2 NUL in a command", "C: NOOP", "S: 250*" } },
	{ .name = "a NUL at the end of a verb",
	  .lines = { "S: 220*", "R: NOOP%00%0d%0a", "S: 500*" } },
};

static void play(const struct dialog *dialogs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		dialog_play(&dialogs[i]);
}

#define GROUP(group) \
	static void test_##group(void **state) \
	{ \
		(void)state; \
		play(group, sizeof(group) / sizeof(group[0])); \
	}

GROUP(by_data)
GROUP(by_bdat)
GROUP(stores)
GROUP(normalised)
GROUP(commands)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_data),
		cmocka_unit_test(test_by_bdat),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(smuggling),
		cmocka_unit_test(no_other_end),
		cmocka_unit_test(test_normalised),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
