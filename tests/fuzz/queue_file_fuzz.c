/*
 * Envelopes from a file, orders on a control socket and what is meant by a
 * word of the command line: whatever they say, reading them ends, stays in
 * its bounds and frees what it made.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "relay/control.h"
#include "relay/queue_file.h"

static void read_words(struct view line)
{
	char small[8], large[600];

	while (line.len) {
		struct view other = line;

		(void)control_word(&other, small, sizeof(small));
		if (control_word(&line, large, sizeof(large)))
			break;
	}
}

static void read_selector(struct view text)
{
	struct selector selector;
	struct error error;
	char *word = view_string(text);

	if (!selector_parse(word, &selector, &error) &&
	    hold_is_possible(&selector) &&
	    key_hold(&selector).len > KEY_MAX)
		abort();
	free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_make(data, size);
	struct buffer whole = { NULL, 0, 0, 0 };
	struct restored restored;
	struct error error;

	buffer_append(&whole, VIEW("postern-envelope: 1\n"));
	buffer_append(&whole, text);
	if (!queue_file_read(buffer_view(&whole), &restored, &error)) {
		free(restored_places(&restored));
		restored_clear(&restored);
	}
	buffer_clear(&whole);
	read_words(text);
	read_selector(text);
	return 0;
}
