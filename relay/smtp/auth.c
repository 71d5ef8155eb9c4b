/*
 * Comes in: what a server offers, a user and a password.  Goes out: base64
 * in the caller's buffer.  Working memory that held the password is wiped.
 */
#include "relay/smtp/auth.h"

#include <string.h>

unsigned auth_offered(struct view mechanisms)
{
	unsigned found = 0;
	struct view word;

	while (mechanisms.len > 0) {
		word = view_cut(&mechanisms, ' ');
		if (view_equal_fold(word, VIEW("PLAIN")))
			found |= AUTH_PLAIN;
		else if (view_equal_fold(word, VIEW("LOGIN")))
			found |= AUTH_LOGIN;
	}
	return found;
}

void auth_base64(struct buffer *out, struct view bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char *to = buffer_reserve(out, (bytes.len + 2) / 3 * 4);
	size_t i, at = 0;
	uint32_t three;

	for (i = 0; i < bytes.len; i += 3) {
		three = (uint32_t)bytes.at[i] << 16;
		if (i + 1 < bytes.len)
			three |= (uint32_t)bytes.at[i + 1] << 8;
		if (i + 2 < bytes.len)
			three |= bytes.at[i + 2];
		to[at++] = (unsigned char)digits[three >> 18];
		to[at++] = (unsigned char)digits[three >> 12 & 63];
		to[at++] = (unsigned char)digits[three >> 6 & 63];
		to[at++] = (unsigned char)digits[three & 63];
		if (i + 1 >= bytes.len)
			to[at - 2] = '=';
		if (i + 2 >= bytes.len)
			to[at - 1] = '=';
	}
	buffer_added(out, at);
}

void auth_plain(struct buffer *out, const char *user, const char *password)
{
	struct buffer plain = { 0 };

	/* Reserved whole, so that no growing leaves a copy behind. */
	buffer_reserve(&plain, strlen(user) + strlen(password) + 2);
	buffer_append_byte(&plain, '\0');
	buffer_append(&plain, view_of(user));
	buffer_append_byte(&plain, '\0');
	buffer_append(&plain, view_of(password));
	auth_base64(out, buffer_view(&plain));
	buffer_wipe(&plain);
}

enum { TELLING = 8 };

static bool holds_piece(struct view text, struct view secret)
{
	size_t len = secret.len < TELLING ? secret.len : TELLING, i;

	for (i = 0; len > 0 && i + len <= secret.len; i++)
		if (memmem(text.at, text.len, secret.at + i, len) != NULL)
			return true;
	return false;
}

bool auth_is_told(const char *text, const char *user, const char *password)
{
	struct view whole = view_of(text), secret = view_of(password);
	struct buffer plain = { 0 }, login = { 0 };
	bool is_told;

	auth_plain(&plain, user, password);
	auth_base64(&login, secret);
	is_told = holds_piece(whole, buffer_view(&plain)) ||
		  holds_piece(whole, buffer_view(&login)) ||
		  memmem(text, whole.len, password, secret.len) != NULL;
	buffer_wipe(&plain);
	buffer_wipe(&login);
	return is_told;
}
