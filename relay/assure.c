/*
 * 530 is the answer that RFC 3207 4 foresees, x.7.10 ("encryption needed")
 * that of the registry of enhanced codes (RFC 5248); many servers have
 * others and say it in words.
 */
#include "relay/assure.h"

#include <string.h>

static bool has_word(const char *text, const char *word)
{
	struct view wanted = view_of(word);

	for (; *text != '\0'; text++)
		if (view_starts_fold(view_of(text), wanted))
			return true;
	return false;
}

enum matrix_state assure_state(const struct reply *reply)
{
	if (reply->code / 100 < 4)
		return MATRIX_FAIL;
	if (reply->code == 530 || strcmp(reply->status, "5.7.10") == 0 ||
	    strcmp(reply->status, "4.7.10") == 0 ||
	    has_word(reply->text, "TLS") || has_word(reply->text, "encrypt"))
		return MATRIX_OK;
	return reply->code / 100 == 4 ? MATRIX_TEMP : MATRIX_FAIL;
}
