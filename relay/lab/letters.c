/*
 * Comes in: a Maildir.  Goes out: an array, sorted by the files' names,
 * which begin with the time of arrival.  A file that a mail program moves
 * from new to cur meanwhile is found in one of the two, and taken once.
 */
#include "relay/lab/letters.h"

#include "conf/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 16 * 1024 };

/* --- the files ------------------------------------------------------- */

/* "SECONDS.MmicrosQid.gateway", flags behind a colon; false: not ours. */
static bool take_name(struct letter *letter, const char *file)
{
	size_t len = strcspn(file, ":");
	const char *id = memchr(file, 'Q', len);

	if (!id || (size_t)(file + len - id) < MESSAGE_ID_LEN + 2 ||
	    id[MESSAGE_ID_LEN + 1] != '.')
		return false;
	snprintf(letter->id, sizeof(letter->id), "%.*s", MESSAGE_ID_LEN,
		 id + 1);
	letter->name = view_string(view_make(file, len));
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct letter *)a)->name,
		      ((const struct letter *)b)->name);
}

static size_t label_length(struct view head)
{
	struct view rest = head, name, value;

	while (label_next(&rest, &name, &value))
		;
	return head.len - rest.len;
}

/* Up to the empty line behind the header. */
static bool is_whole(struct view head)
{
	return head.len && memmem(head.at, head.len, "\r\n\r\n", 4);
}

static int read_head(struct letter *letter)
{
	int fd = open(letter->path, O_RDONLY | O_CLOEXEC);
	struct stat facts;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	if (fstat(fd, &facts) == 0)
		letter->size = (uint64_t)facts.st_size;
	while (!is_whole(buffer_view(&letter->head)) &&
	       buffer_len(&letter->head) < LETTER_HEAD_MAX) {
		n = read(fd, buffer_reserve(&letter->head, PIECE), PIECE);
		if (n <= 0)
			break;
		buffer_added(&letter->head, (size_t)n);
	}
	close(fd);
	letter->label_len = label_length(buffer_view(&letter->head));
	return n < 0 ? -1 : 0;
}

static void letter_clear(struct letter *letter)
{
	free(letter->path);
	free(letter->name);
	buffer_clear(&letter->head);
}

/* Of the letters that are there, `sorted` are. */
static void add(struct letters *letters, size_t sorted, const char *folder,
		const char *file)
{
	struct letter letter = { 0 };
	struct buffer path = { 0 };

	if (!take_name(&letter, file))
		return;
	buffer_printf(&path, "%s/%s", folder, file);
	letter.path = view_string(buffer_view(&path));
	buffer_clear(&path);
	if ((sorted && bsearch(&letter, letters->at, sorted,
			       sizeof(*letters->at), by_name)) ||
	    read_head(&letter)) {
		letter_clear(&letter);
		return;
	}
	letters->at = must_realloc(letters->at, (letters->count + 1) *
							sizeof(*letters->at));
	letters->at[letters->count++] = letter;
}

static int refresh_part(struct letters *letters, const char *store,
			const char *part, struct error *error)
{
	size_t sorted = letters->count;
	char folder[PATH_MAX];
	const struct dirent *entry;
	DIR *files;

	snprintf(folder, sizeof(folder), "%s/%s", store, part);
	files = opendir(folder);
	if (!files)
		return error_errno(error, "%s", folder);
	while ((entry = readdir(files)))
		if (entry->d_name[0] != '.')
			add(letters, sorted, folder, entry->d_name);
	closedir(files);
	if (letters->count)
		qsort(letters->at, letters->count, sizeof(*letters->at),
		      by_name);
	return 0;
}

int letters_refresh(struct letters *letters, const char *store,
		    struct error *error)
{
	return refresh_part(letters, store, "new", error) ||
			       refresh_part(letters, store, "cur", error) ?
		       -1 :
		       0;
}

void letters_clear(struct letters *letters)
{
	for (size_t i = 0; i < letters->count; i++)
		letter_clear(&letters->at[i]);
	free(letters->at);
	memset(letters, 0, sizeof(*letters));
}

const struct letter *letters_find(const struct letters *letters,
				  const char *id)
{
	for (size_t i = 0; i < letters->count; i++)
		if (strcmp(letters->at[i].id, id) == 0)
			return &letters->at[i];
	return NULL;
}

/* --- what a letter says ---------------------------------------------- */

static struct view label_of(const struct letter *letter)
{
	return view_first(buffer_view(&letter->head), letter->label_len);
}

struct view letter_field(const struct letter *letter, const char *name)
{
	return label_find(label_of(letter), name);
}

static struct view without_cr(struct view line)
{
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

void letter_header(const struct letter *letter, const char *name,
		   struct buffer *out)
{
	struct view rest = view_from(buffer_view(&letter->head),
				     letter->label_len);
	bool is_within = false;

	while (rest.len > 0) {
		struct view line = without_cr(view_cut(&rest, '\n'));
		struct view value = line;

		if (line.len == 0)
			break;
		if (line.at[0] == ' ' || line.at[0] == '\t') {
			if (is_within)
				buffer_append(out, line);
			continue;
		}
		if (is_within)
			break;
		is_within = view_equal_fold(view_trim(view_cut(&value, ':')),
					    view_of(name));
		if (is_within)
			buffer_append(out, view_trim(value));
	}
}

static bool address_fits(const char *pattern, struct view value)
{
	char *wanted = view_string(label_address(view_of(pattern)));
	char *address = view_string(label_address(value));
	bool fits = fault_matches(wanted, address);

	free(address);
	free(wanted);
	return fits;
}

static bool is_to(const struct letter *letter, const char *pattern)
{
	struct view rest = label_of(letter), name, value;

	while (label_next(&rest, &name, &value))
		if (view_equal(name, VIEW("To")) &&
		    address_fits(pattern, value))
			return true;
	return false;
}

static bool has_subject(const struct letter *letter, const char *pattern)
{
	struct buffer subject = { 0 }, anywhere = { 0 };
	char *text;
	bool fits;

	letter_header(letter, "Subject", &subject);
	buffer_printf(&anywhere, "%s%s%s", strchr(pattern, '*') ? "" : "*",
		      pattern, strchr(pattern, '*') ? "" : "*");
	buffer_append_byte(&anywhere, '\0');
	text = view_string(buffer_view(&subject));
	fits = fault_matches((const char *)buffer_view(&anywhere).at, text);
	free(text);
	buffer_clear(&subject);
	buffer_clear(&anywhere);
	return fits;
}

bool letter_fits(const struct letter *letter,
		 const struct letter_filter *filter)
{
	if (filter->to && !is_to(letter, filter->to))
		return false;
	if (filter->from &&
	    !address_fits(filter->from, letter_field(letter, "From")))
		return false;
	return !filter->subject || has_subject(letter, filter->subject);
}
