/*
 * libconfuse as a grammar: every option is a list of strings, and a
 * callback for each value files it under the section that is open, with
 * its place.  Its own results are thrown away, because there the last one
 * wins.  Sections open at their mark (scan.h) and close at libconfuse's
 * validation.  Included files are parsed by a nested call, so that bytes
 * come from nowhere but struct conf_files.
 */
#include "conf/tree.h"

#include "conf/option.h"
#include "conf/scan.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 4, INCLUDE_MAX = 16, TYPO_MAX = 64 };

struct reader {
	struct tree *tree;
	struct conf_files *files;
	const struct grammar *grammar;
	struct error *error;
	bool has_failed;
	struct section *open[DEPTH_MAX];
	size_t depth;
	const char *including[INCLUDE_MAX];
	size_t include_depth;
};

/* libconfuse hands its callbacks no argument, and its lexer is one for the
 * whole process anyway.  Set only while tree_read() runs. */
static _Thread_local struct reader *reader;

uint64_t hash_bytes(uint64_t hash, struct view bytes)
{
	uint64_t len = bytes.len;

	hash = hash ? hash : 0xcbf29ce484222325u;
	for (size_t i = 0; i < sizeof(len); i++)
		hash = (hash ^ (len >> 8 * i & 0xff)) * 0x100000001b3u;
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ bytes.at[i]) * 0x100000001b3u;
	return hash;
}

const struct setting *section_find(const struct section *section,
				   const char *name)
{
	for (size_t i = 0; i < section->setting_count; i++)
		if (!strcmp(section->settings[i].name, name))
			return &section->settings[i];
	return NULL;
}

static int fail(const cfg_t *cfg, const char *text)
{
	/* The first one is the cause. */
	if (!reader->has_failed)
		error_set(reader->error, "%s:%d: %s", cfg->filename, cfg->line,
			  text);
	reader->has_failed = true;
	return -1;
}

static struct place place_here(const cfg_t *cfg)
{
	for (size_t i = reader->tree->file_count; i-- > 0;)
		if (!strcmp(reader->tree->files[i], cfg->filename))
			return (struct place){ reader->tree->files[i],
					       (unsigned)cfg->line };
	return (struct place){ reader->tree->files[0], (unsigned)cfg->line };
}

static int fail_twice(const cfg_t *cfg, const char *what, const char *name,
		      struct place first)
{
	struct buffer text = { 0 };
	char *string;

	buffer_printf(&text, "%s \"%s\" was given before at %s:%u; give it once",
		      what, name, first.file, first.line);
	string = view_string(buffer_view(&text));
	fail(cfg, string);
	free(string);
	buffer_clear(&text);
	return -1;
}

/* Edits that make one name of the other (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[TYPO_MAX], len = strlen(b);

	if (len >= TYPO_MAX)
		return TYPO_MAX;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[len];
}

static const struct grammar *grammar_of(const struct grammar *grammar,
					const char *kind)
{
	const struct grammar *found = NULL;

	if (!strcmp(grammar->kind, kind))
		return grammar;
	for (size_t i = 0; grammar->sections[i] && !found; i++)
		found = grammar_of(grammar->sections[i], kind);
	return found;
}

/* The known name that was probably meant; NULL when none is near. */
static const char *nearest(const struct grammar *grammar, const char *name)
{
	size_t best = strlen(name) / 3 + 2, far;
	const char *found = NULL;

	for (size_t i = 0; grammar->options[i].name; i++) {
		far = distance(name, grammar->options[i].name);
		if (far < best) {
			best = far;
			found = grammar->options[i].name;
		}
	}
	for (size_t i = 0; grammar->sections[i]; i++) {
		far = distance(name, grammar->sections[i]->kind);
		if (far < best) {
			best = far;
			found = grammar->sections[i]->kind;
		}
	}
	return found;
}

static void fail_unknown(const cfg_t *cfg, const char *name)
{
	const struct grammar *grammar = grammar_of(reader->grammar, cfg->name);
	const char *near = grammar ? nearest(grammar, name) : NULL;
	bool is_root = grammar == reader->grammar;
	char text[ERROR_TEXT_MAX];
	int len;

	len = snprintf(text, sizeof(text), "unknown option \"%.64s\"", name);
	if (!is_root)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				" in %s \"%.64s\"", cfg->name, cfg->title);
	if (near)
		snprintf(text + len, sizeof(text) - (size_t)len,
			 "; did you mean \"%s\"?", near);
	else
		snprintf(text + len, sizeof(text) - (size_t)len,
			 "; the manual lists those there are");
	fail(cfg, text);
}

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *format, va_list args)
{
	static const char unknown[] = "no such option '";
	struct buffer shown = { 0 };
	char text[ERROR_TEXT_MAX], *string;

	vsnprintf(text, sizeof(text), format, args);
	bytes_escape(&shown, view_of(text), 200);
	string = view_string(buffer_view(&shown));
	if (!strncmp(string, unknown, strlen(unknown))) {
		string[strlen(string) - 1] = '\0';
		fail_unknown(cfg, string + strlen(unknown));
	} else {
		fail(cfg, string);
	}
	free(string);
	buffer_clear(&shown);
}

static int open_section(const cfg_t *cfg)
{
	struct section *parent = reader->open[reader->depth - 1];
	struct section *section;

	for (size_t i = 0; i < parent->section_count; i++) {
		section = &parent->sections[i];
		if (!strcmp(section->kind, cfg->name) &&
		    !strcmp(section->title, cfg->title))
			return fail_twice(cfg, cfg->name, cfg->title,
					  section->at);
	}
	if (reader->depth == DEPTH_MAX)
		return fail(cfg, "sections nested too deeply");
	parent->sections = must_realloc(parent->sections,
					(parent->section_count + 1) *
						sizeof(*parent->sections));
	section = &parent->sections[parent->section_count++];
	*section = (struct section){ .kind = must_strdup(cfg->name),
				     .title = must_strdup(cfg->title),
				     .at = place_here(cfg) };
	reader->open[reader->depth++] = section;
	return 0;
}

static int on_section_end(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	(void)opt;
	reader->depth--;
	return 0;
}

static struct setting *open_setting(const cfg_t *cfg, const char *name)
{
	struct section *section = reader->open[reader->depth - 1];
	const struct setting *before = section_find(section, name);
	struct setting *setting;

	if (before) {
		fail_twice(cfg, "option", name, before->at);
		return NULL;
	}
	section->settings = must_realloc(section->settings,
					 (section->setting_count + 1) *
						 sizeof(*section->settings));
	setting = &section->settings[section->setting_count++];
	*setting = (struct setting){ .name = must_strdup(name),
				     .at = place_here(cfg) };
	return setting;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value,
		    void *result)
{
	struct section *section = reader->open[reader->depth - 1];
	struct setting *setting;

	*(const char **)result = value;
	if (!strcmp(opt->name, SCAN_MARK))
		return open_section(cfg);
	/* libconfuse has just emptied the list: a new assignment. */
	if (opt->nvalues == 1)
		setting = open_setting(cfg, opt->name);
	else
		setting = &section->settings[section->setting_count - 1];
	if (!setting)
		return -1;
	if (!strcmp(value, SCAN_MARK))
		return 0;
	setting->words = must_realloc(setting->words, (setting->count + 1) *
						      sizeof(*setting->words));
	setting->words[setting->count++] =
		(struct word){ must_strdup(value), place_here(cfg) };
	return 0;
}

static int parse_file(cfg_t *cfg, char *path)
{
	struct tree *tree = reader->tree;
	struct buffer text = { 0 };
	struct view raw;
	FILE *stream;
	int rc = -1;

	tree->files = must_realloc(tree->files, (tree->file_count + 1) *
						sizeof(*tree->files));
	tree->files[tree->file_count++] = path;
	reader->including[reader->include_depth++] = path;
	if (files_get(reader->files, path, &raw, reader->error) ||
	    scan_text(raw, path, &text, reader->error)) {
		reader->has_failed = true;
	} else {
		tree->hash = hash_bytes(tree->hash, raw);
		stream = fmemopen(text.data, buffer_len(&text), "r");
		if (!stream)
			abort();
		cfg->filename = must_strdup(path);
		rc = cfg_parse_fp(cfg, stream) == CFG_SUCCESS ? 0 : -1;
		fclose(stream);
	}
	buffer_clear(&text);
	reader->include_depth--;
	return rc;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int count,
		      const char **words)
{
	char *file = cfg->filename, *path;
	int line = cfg->line, rc;

	(void)opt;
	if (count != 1 || !words[0][0])
		return fail(cfg, "include takes one file: include(\"FILE\")");
	path = files_beside(file, words[0]);
	for (size_t i = 0; i < reader->include_depth; i++) {
		if (strcmp(reader->including[i], path))
			continue;
		free(path);
		return fail(cfg, "this file includes itself, by way of other "
			    "files or at once");
	}
	if (reader->include_depth == INCLUDE_MAX) {
		free(path);
		return fail(cfg, "files included too deeply");
	}
	rc = parse_file(cfg, path);
	if (cfg->filename != file)
		free(cfg->filename);
	cfg->filename = file;
	cfg->line = line;
	/* A file that cannot be read is the fault of the line that asks. */
	if (rc && reader->error->text[0] && files_mode(reader->files, path) == 0)
		error_prefix(reader->error, "%s:%d", file, line);
	return rc;
}

static cfg_opt_t *build_options(const struct grammar *grammar)
{
	size_t names = 0, sections = 0, n = 0;
	cfg_opt_t *options;

	while (grammar->options[names].name)
		names++;
	while (grammar->sections[sections])
		sections++;
	options = must_alloc((names + sections + 3) * sizeof(*options));
	for (size_t i = 0; i < names; i++)
		options[n++] = (cfg_opt_t)CFG_STR_LIST_CB(
			grammar->options[i].name, 0, CFGF_NODEFAULT, on_value);
	for (size_t i = 0; i < sections; i++) {
		cfg_opt_t *inner = build_options(grammar->sections[i]);

		options[n] = (cfg_opt_t)CFG_SEC(grammar->sections[i]->kind,
						inner,
						CFGF_MULTI | CFGF_TITLE);
		options[n++].validcb = on_section_end;
	}
	options[n++] = (cfg_opt_t)CFG_FUNC("include", on_include);
	options[n++] = (cfg_opt_t)CFG_STR_LIST_CB(SCAN_MARK, 0, CFGF_NODEFAULT,
						  on_value);
	options[n] = (cfg_opt_t)CFG_END();
	return options;
}

static void free_options(cfg_opt_t *options)
{
	for (size_t i = 0; options[i].name; i++)
		if (options[i].type == CFGT_SEC)
			free_options(options[i].subopts);
	free(options);
}

int tree_read(struct tree *tree, const char *path, struct conf_files *files,
	      const struct grammar *grammar, struct error *error)
{
	struct reader here = { .tree = tree, .files = files,
			       .grammar = grammar, .error = error };
	cfg_opt_t *options = build_options(grammar);
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	int rc;

	if (!cfg)
		abort();
	memset(tree, 0, sizeof(*tree));
	error->text[0] = '\0';
	here.open[here.depth++] = &tree->root;
	tree->root.kind = must_strdup("root");
	reader = &here;
	cfg_set_error_function(cfg, on_error);
	rc = parse_file(cfg, must_strdup(path));
	tree->root.at = (struct place){ tree->files[0], 1 };
	cfg_free(cfg);
	reader = NULL;
	free_options(options);
	if (rc && !here.has_failed)
		error_set(error, "%s: cannot be parsed", path);
	return rc;
}

static void section_clear(struct section *section)
{
	for (size_t i = 0; i < section->setting_count; i++) {
		struct setting *setting = &section->settings[i];

		for (size_t n = 0; n < setting->count; n++)
			free(setting->words[n].text);
		free(setting->words);
		free(setting->name);
	}
	for (size_t i = 0; i < section->section_count; i++)
		section_clear(&section->sections[i]);
	free(section->settings);
	free(section->sections);
	free(section->kind);
	free(section->title);
}

void tree_clear(struct tree *tree)
{
	section_clear(&tree->root);
	for (size_t i = 0; i < tree->file_count; i++)
		free(tree->files[i]);
	free(tree->files);
	memset(tree, 0, sizeof(*tree));
}
