/*
 * The kinds of options that name hosts, addresses, networks, mailboxes,
 * domains and files.  Second file of the room option.
 */
#include "conf/option.h"

#include "conf/addr.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void *field(void *base, size_t offset)
{
	return (char *)base + offset;
}

void strings_add(struct strings *strings, char *text)
{
	strings->at = must_realloc(strings->at, (strings->count + 1) *
						sizeof(*strings->at));
	strings->at[strings->count++] = text;
}

void strings_clear(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->at[i]);
	free(strings->at);
	*strings = (struct strings){ 0 };
}

void blob_clear(struct conf_blob *blob)
{
	/* The snapshot's own copy, which may be a key. */
	bytes_wipe((void *)(uintptr_t)blob->bytes.at, blob->bytes.len);
	free((void *)(uintptr_t)blob->bytes.at);
	free(blob->path);
	*blob = (struct conf_blob){ 0 };
}

int blob_read(struct reading *r, char *path, struct conf_blob *blob)
{
	struct view bytes;

	if (files_get(r->files, path, &bytes, r->error))
		return -1;
	if (!bytes.len)
		return error_set(r->error, "%s: it is empty", path);
	r->conf->generation = hash_bytes(r->conf->generation, bytes);
	blob->path = must_strdup(path);
	blob->bytes = view_make(view_string(bytes), bytes.len);
	blob->is_exposed = files_mode(r->files, path) & S_IROTH;
	return 0;
}

int set_path(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);

	if (!word)
		return -1;
	*(char **)field(base, option->at) = files_beside(word->at.file,
							word->text);
	return 0;
}

int set_file(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);
	char *path;
	int rc;

	if (!word)
		return -1;
	path = files_beside(word->at.file, word->text);
	rc = blob_read(r, path, field(base, option->at));
	free(path);
	if (rc) {
		struct error why = *r->error;

		option_fault(r, word->at, "%s = %s", option->name, why.text);
	}
	return rc;
}

int set_host(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);
	char host[ADDR_DOMAIN_MAX + 1];
	struct net_address address;
	struct error why;

	if (!word)
		return -1;
	if (!net_parse(view_of(word->text), &address))
		return option_wrong(r, option, word, "must be a host name, "
				    "not an address");
	if (domain_canonical(view_of(word->text), host, &why))
		return option_wrong(r, option, word, "must be a host name; %s",
				    why.text);
	*(char **)field(base, option->at) = must_strdup(host);
	return 0;
}

int set_mailbox(struct reading *r, const struct option *option,
		const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);
	struct address parsed, *copy;
	struct error why;

	if (!word)
		return -1;
	if (address_parse(view_of(word->text), &parsed, &why))
		return option_wrong(r, option, word, "must be a mail address, "
				    "as in admin@example.org; %s", why.text);
	copy = must_alloc(sizeof(*copy));
	*copy = parsed;
	*(struct address **)field(base, option->at) = copy;
	return 0;
}

static int parse_address(struct reading *r, const struct option *option,
			 const struct word *word, struct net_address *out)
{
	struct view text = view_of(word->text);

	if (option->max && (net_parse_port(text, (uint16_t)option->max, out) ||
			    !net_port(out)))
		return option_wrong(r, option, word, "must be an address, with "
				    "a port if need be, as in 192.0.2.1:53 or "
				    "[2001:db8::1]:53");
	if (!option->max && net_parse(text, out))
		return option_wrong(r, option, word, "must be an address "
				    "without a port, as in 192.0.2.1 or "
				    "2001:db8::1");
	return 0;
}

int set_address(struct reading *r, const struct option *option,
		const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);

	return word ? parse_address(r, option, word, field(base, option->at)) :
		      -1;
}

int set_addresses(struct reading *r, const struct option *option,
		  const struct setting *setting, void *base)
{
	struct net_address **at = field(base, option->at);
	size_t *count = field(base, option->count_at);

	*at = must_alloc(setting->count * sizeof(**at));
	for (*count = 0; *count < setting->count; ++*count)
		if (parse_address(r, option, &setting->words[*count],
				  &(*at)[*count]))
			return -1;
	return 0;
}

int set_blocks(struct reading *r, const struct option *option,
	       const struct setting *setting, void *base)
{
	struct net_block **at = field(base, option->at);
	size_t *count = field(base, option->count_at);
	struct error why;

	*at = must_alloc(setting->count * sizeof(**at));
	for (*count = 0; *count < setting->count; ++*count) {
		const struct word *word = &setting->words[*count];

		if (net_block_parse(view_of(word->text), &(*at)[*count], &why))
			return option_wrong(r, option, word, "%s", why.text);
	}
	return 0;
}

int set_strings(struct reading *r, const struct option *option,
		const struct setting *setting, void *base)
{
	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];

		if (!word->text[0])
			return option_wrong(r, option, word, "is empty");
		strings_add(field(base, option->at), must_strdup(word->text));
	}
	return 0;
}

char *pattern_canonical(struct view text, struct error *error)
{
	char pattern[ADDR_DOMAIN_MAX + 3];
	size_t star = text.len > 2 && text.at[0] == '*' && text.at[1] == '.' ?
			      2 : 0;

	if (view_equal(text, VIEW("*")))
		return must_strdup("*");
	if (text.len && text.at[0] == '.') {
		error_set(error, "begins with a dot; write \"*%.*s\", in "
			  "quotes", (int)text.len, (const char *)text.at);
		return NULL;
	}
	if (view_index(view_from(text, star), '*') < text.len - star) {
		error_set(error, "a * may stand alone, as in \"*\", or before "
			  "the first dot, as in \"*.example.org\"");
		return NULL;
	}
	memcpy(pattern, "*.", 2);
	if (domain_canonical(view_from(text, star), pattern + star, error)) {
		error_prefix(error, "must be a domain, \"*.\" and a domain, "
			     "or \"*\"");
		return NULL;
	}
	return must_strdup(pattern);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int set_patterns(struct reading *r, const struct option *option,
		 const struct setting *setting, void *base)
{
	struct strings *strings = field(base, option->at);
	struct error why;

	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];
		char *pattern = pattern_canonical(view_of(word->text), &why);

		if (!pattern)
			return option_wrong(r, option, word, "%s", why.text);
		strings_add(strings, pattern);
	}
	if (strings->count)
		qsort(strings->at, strings->count, sizeof(*strings->at),
		      compare_strings);
	strings->is_sorted = true;
	return 0;
}
