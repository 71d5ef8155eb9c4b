/*
 * Labels of the lab's messages: whatever a client says and sends, the block
 * in front has the lines that were written, and reading ends behind it.
 */
#include "relay/lab/label.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { LINES = 11 }; /* of the label below, SNI and certificate included */

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_within(struct view part, struct view all)
{
	return part.len == 0 ||
	       (part.at >= all.at && part.at + part.len <= all.at + all.len);
}

static void read_all(struct view file)
{
	struct view rest = file, name, value;
	unsigned lines = 0;

	for (; label_next(&rest, &name, &value); lines++) {
		require(is_within(name, file) && is_within(value, file));
		require(value.len <= LABEL_VALUE_MAX + 3);
		require(!memchr(value.at, '\n', value.len));
		require(is_within(label_address(value), value));
	}
	require(lines == LINES);
	require(view_starts_fold(rest, VIEW("Received: ")));
}

static void write_and_read(const char *said, struct view message)
{
	struct tls_facts facts = { .is_tls = true };
	struct label_path to = { said, said };
	struct label label = {
		.gateway = "mx5.example", .session = "s", .client = said,
		.helo = said, .protocol = "ESMTPS", .facts = &facts,
		.from = { said, said }, .to = &to, .to_count = 1,
	};
	struct buffer out = { 0 };

	memcpy(facts.sni, said, strnlen(said, sizeof(facts.sni) - 1));
	label_write(&out, &label);
	buffer_append(&out, VIEW("Received: from x\r\n"));
	buffer_append(&out, message);
	read_all(buffer_view(&out));
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view all = view_make(data, size), rest = all, name, value;
	char *said = view_string(all);

	write_and_read(said, all);
	while (label_next(&rest, &name, &value))
		require(is_within(value, all));
	require(is_within(label_find(all, "To"), all));
	require(is_within(label_address(all), all));
	require(is_within(label_params(all), all));
	require(label_foreign(all) <= size / 6);
	free(said);
	return 0;
}
