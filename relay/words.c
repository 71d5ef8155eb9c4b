/*
 * Comes in: argv.  Goes out: what the table points to.  A repeated option
 * is an error: one of the two was not meant.
 */
#include "relay/words.h"

#include <string.h>

#include "conf/bytes.h"

struct reader {
	int argc, at;
	char **argv;
	const struct words_option *options;
	size_t count;
	unsigned long long seen; /* a bit for each option */
	struct error *error;
};

static int set_value(const struct words_option *option, const char *value,
		     struct error *error)
{
	uint64_t number;

	if (option->text != NULL) {
		*option->text = value;
		return 0;
	}
	if (view_number(view_of(value), option->max, &number) != 0)
		return error_set(error, "%s takes a number of 0 to %u, not "
				 "\"%s\"", option->name, option->max, value);
	*option->number = (unsigned)number;
	return 0;
}

static int set_option(struct reader *r, const struct words_option *option,
		      const char *value)
{
	unsigned long long bit = 1ull << (option - r->options);

	if (r->seen & bit)
		return error_set(r->error, "%s stands there twice",
				 option->name);
	r->seen |= bit;
	if (option->flag != NULL && value != NULL)
		return error_set(r->error, "%s takes no value", option->name);
	if (option->flag != NULL) {
		*option->flag = true;
		return 0;
	}
	if (value == NULL && r->at + 1 < r->argc)
		value = r->argv[++r->at];
	if (value == NULL)
		return error_set(r->error, "%s needs a value", option->name);
	return set_value(option, value, r->error);
}

static int read_option(struct reader *r)
{
	const char *word = r->argv[r->at];
	size_t len = strcspn(word, "=");
	size_t i;

	for (i = 0; i < r->count; i++)
		if (strlen(r->options[i].name) == len &&
		    strncmp(r->options[i].name, word, len) == 0)
			return set_option(r, &r->options[i],
					  word[len] == '=' ? word + len + 1
							   : NULL);
	return error_set(r->error, "there is no option %s", word);
}

int words_parse(int argc, char **argv, const struct words_option *options,
		size_t count, const char **target, struct error *error)
{
	struct reader r = { argc, 0, argv, options, count, 0, error };
	bool has_options = true;

	for (; r.at < argc; r.at++) {
		const char *word = argv[r.at];

		if (has_options && strcmp(word, "--") == 0) {
			has_options = false;
		} else if (has_options && word[0] == '-' && word[1] != '\0') {
			if (read_option(&r) != 0)
				return -1;
		} else if (*target != NULL) {
			return error_set(error, "one at a time, not also %s",
					 word);
		} else {
			*target = word;
		}
	}
	return 0;
}
