/*
 * Whatever mail brings: what the page shows of it is bounded by what came,
 * and no byte of it is markup.
 */
#include "relay/lab/html.h"
#include "relay/lab/part.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view message = view_make(data, size);
	struct part_texts texts;
	struct buffer subject = { 0 }, shown = { 0 };

	part_texts(message, &texts);
	part_field(message, "Subject", &subject);
	/* Latin-1 becomes at most three bytes of UTF-8 a byte. */
	if (buffer_len(&texts.text) > 3 * size ||
	    buffer_len(&texts.html) > 3 * size ||
	    buffer_len(&subject) > 3 * size)
		abort();
	html_text(&shown, buffer_view(&texts.text));
	html_text(&shown, buffer_view(&subject));
	for (size_t i = shown.start; i < shown.end; i++)
		if (strchr("<>\"'", shown.data[i]))
			abort();
	part_texts_clear(&texts);
	buffer_clear(&subject);
	buffer_clear(&shown);
	return 0;
}
