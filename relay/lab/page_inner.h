/*
 * Between the page's rooms: what a view sees, and what it makes.
 */
#ifndef RELAY_LAB_PAGE_INNER_H
#define RELAY_LAB_PAGE_INNER_H

#include "relay/lab/letters.h"
#include "relay/lab/page.h"

enum {
	PAGE_TOKEN_LEN = 32,
	PAGE_ROWS = 100,           /* sessions or messages in a list */
	PAGE_TEXT_MAX = 512 * 1024, /* of a body or a transcript */
};

struct page_view {
	const struct page_settings *set;
	struct letters *letters;   /* fresh */
	const char *token;
	const char *trouble;       /* what a form came to; NULL: nothing */
};

/* Whole documents.  -1: there is no such thing. */
void page_overview(struct buffer *out, const struct page_view *view);
int page_faults(struct buffer *out, const struct page_view *view,
		const char *gateway);
int page_session(struct buffer *out, const struct page_view *view,
		 const char *id);
int page_message(struct buffer *out, const struct page_view *view,
		 const char *id);
/* The HTML part alone, as it came: only for a sandboxed frame. */
int page_message_html(struct buffer *out, const struct page_view *view,
		      const char *id);
/* The file as it lies there. */
int page_message_source(struct buffer *out, const struct page_view *view,
			const char *id);
void page_says(struct buffer *out, const struct page_view *view,
	       const char *title, const char *text);

/* Lines, ended by NULL. */
extern const char *const page_style[], *const page_script[];

/* --- parts of them ---------------------------------------------------- */

void page_begin(struct buffer *out, const struct page_view *view,
		const char *title, bool refreshes);
void page_end(struct buffer *out);
/* What a gateway is called in a heading. */
const char *page_title(const struct page_gateway *gateway);
/* A moment in UTC milliseconds. */
void page_time(struct buffer *out, int64_t when);
/* The hidden fields of every form. */
void page_form(struct buffer *out, const struct page_view *view,
	       const char *gateway, const char *action, const char *back);
/* A file's beginning; -1: it cannot be read. */
int page_read_file(const char *path, size_t most, struct buffer *out);

/* --- forms --------------------------------------------------------------- */

/* Obeys a form; *back is where to go then, to be freed.  -1 with the
 * reason. */
int page_obey(const struct page_view *view, struct view form, char **back,
	      struct error *error);

#endif
