/*
 * The kinds of options that are one plain word: numbers with their units,
 * choices, text.  Every refusal names the place, the option, the word, and
 * what would be right.
 */
#include "conf/option.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	char letter;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ 'G', 1024u * 1024 * 1024 },
	{ 'M', 1024u * 1024	   },
	{ 'K', 1024		   },
	{ 0,   0		   },
};

static const struct unit time_units[] = {
	{ 'w', 7 * 24 * 3600 },
	{ 'd', 24 * 3600     },
	{ 'h', 3600	     },
	{ 'm', 60	     },
	{ 's', 1	     },
	{ 0,   0	     },
};

static void *field(void *base, size_t offset)
{
	return (char *)base + offset;
}

char *place_text(struct place at)
{
	struct buffer text = { 0 };
	char *string;

	buffer_printf(&text, at.line ? "%s:%u" : "%s", at.file, at.line);
	string = view_string(buffer_view(&text));
	buffer_clear(&text);
	return string;
}

int option_fault(struct reading *r, struct place at, const char *format, ...)
{
	char *where = place_text(at);
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error_set(r->error, "%s: %s", where, text);
	free(where);
	return -1;
}

int option_wrong(struct reading *r, const struct option *option,
		 const struct word *word, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return option_fault(r, word->at, "%s = \"%.100s\": %s", option->name,
			    word->text, text);
}

const struct word *option_word(struct reading *r, const struct option *option,
			       const struct setting *setting)
{
	if (setting->count == 1 && setting->words[0].text[0])
		return &setting->words[0];
	option_fault(r, setting->at, "%s takes one value", option->name);
	return NULL;
}

/* Digits with at most one unit behind; overflow is a refusal. */
static int parse_units(struct view text, const struct unit *units,
		       uint64_t *value)
{
	uint64_t factor = 1;
	unsigned char last = text.len ? text.at[text.len - 1] : '\0';

	for (; units->letter; units++)
		if ((last | 0x20) == (units->letter | 0x20)) {
			factor = units->factor;
			text.len--;
			break;
		}
	if (view_number(text, UINT64_MAX / factor, value))
		return -1;
	*value *= factor;
	return 0;
}

/* A number in the largest unit that divides it, as an operator writes it. */
static void show_units(char out[32], uint64_t value, const struct unit *units)
{
	while (units->letter && (!value || value % units->factor))
		units++;
	if (units->letter)
		snprintf(out, 32, "%" PRIu64 "%c", value / units->factor,
			 units->letter);
	else
		snprintf(out, 32, "%" PRIu64, value);
}

static int set_number(struct reading *r, const struct option *option,
		      const struct setting *setting, const struct unit *units,
		      uint64_t *value)
{
	static const struct unit none[] = { { 0, 0 } };
	const struct word *word = option_word(r, option, setting);
	char least[32], most[32];

	if (!word)
		return -1;
	if (!parse_units(view_of(word->text), units ? units : none, value) &&
	    *value >= option->min && *value <= option->max)
		return 0;
	show_units(least, option->min, units ? units : none);
	show_units(most, option->max, units ? units : none);
	return option_wrong(r, option, word, "must be a %s from %s to %s",
			    !units		 ? "number" :
			    units == size_units ? "size, as in 512K, 35M or 1G," :
						  "time, as in 30s, 10m, 4h or "
						  "5d,",
			    least, most);
}

int set_count(struct reading *r, const struct option *option,
	      const struct setting *setting, void *base)
{
	uint64_t value;

	if (set_number(r, option, setting, NULL, &value))
		return -1;
	*(uint32_t *)field(base, option->at) = (uint32_t)value;
	return 0;
}

int set_port(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	uint64_t value;

	if (set_number(r, option, setting, NULL, &value))
		return -1;
	*(uint16_t *)field(base, option->at) = (uint16_t)value;
	return 0;
}

int set_size(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	return set_number(r, option, setting, size_units,
			  field(base, option->at));
}

int set_seconds(struct reading *r, const struct option *option,
		const struct setting *setting, void *base)
{
	uint64_t value;

	if (set_number(r, option, setting, time_units, &value))
		return -1;
	*(uint32_t *)field(base, option->at) = (uint32_t)value;
	return 0;
}

int set_text(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);

	if (!word)
		return -1;
	if (strlen(word->text) > option->max)
		return option_wrong(r, option, word, "is longer than %" PRIu64
				    " bytes", option->max);
	*(char **)field(base, option->at) = must_strdup(word->text);
	return 0;
}

int set_choice(struct reading *r, const struct option *option,
	       const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);
	const struct choice *choice = option->choices;
	struct buffer words = { 0 };

	if (!word)
		return -1;
	for (; choice->word; choice++)
		if (!strcmp(choice->word, word->text)) {
			*(int *)field(base, option->at) = choice->value;
			return 0;
		}
	for (choice = option->choices; choice->word; choice++)
		buffer_printf(&words, "%s%s",
			      choice == option->choices ? "" :
			      choice[1].word		? ", " :
							  " or ",
			      choice->word);
	option_wrong(r, option, word, "must be %.*s", (int)buffer_len(&words),
		     (const char *)words.data);
	buffer_clear(&words);
	return -1;
}

int set_flag(struct reading *r, const struct option *option,
	     const struct setting *setting, void *base)
{
	static const struct choice choices[] = {
		{ "yes", 1 },
		{ "no",	0 },
		{ NULL,	0 },
	};
	struct option as_choice = { .name = option->name, .choices = choices };
	int value;

	if (set_choice(r, &as_choice, setting, &value))
		return -1;
	*(bool *)field(base, option->at) = value;
	return 0;
}

/* The default takes the same way as what an operator writes. */
static int apply_default(struct reading *r, const struct option *option,
			 void *base)
{
	struct setting setting = { .name = must_strdup(option->name) };
	struct view rest = view_of(option->by_default);
	struct place at = { "default", 0 };
	int rc;

	setting.at = at;
	while (rest.len) {
		setting.words = must_realloc(setting.words,
					     (setting.count + 1) *
						     sizeof(*setting.words));
		setting.words[setting.count++] = (struct word){
			view_string(view_cut(&rest, ' ')), at };
	}
	rc = option->set(r, option, &setting, base);
	for (size_t i = 0; i < setting.count; i++)
		free(setting.words[i].text);
	free(setting.words);
	free(setting.name);
	return rc;
}

static bool is_known(const struct option *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return true;
	return false;
}

int options_apply(struct reading *r, const struct option *table,
		  const struct section *section, void *base)
{
	/* libconfuse also takes paths of options ("policy=x|tls"). */
	for (size_t i = 0; i < section->setting_count; i++)
		if (!is_known(table, section->settings[i].name))
			return option_fault(r, section->settings[i].at,
					    "unknown option \"%s\" here",
					    section->settings[i].name);
	for (const struct option *option = table; option->name; option++) {
		const struct setting *setting = section_find(section,
							     option->name);

		if (setting ? option->set(r, option, setting, base) :
			      option->by_default &&
				      apply_default(r, option, base))
			return -1;
	}
	return 0;
}
