/*
 * One session with what was said in it, and one message with its facts.
 */
#include "relay/lab/page_inner.h"

#include "relay/lab/html.h"
#include "relay/lab/part.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* --- sessions ----------------------------------------------------------- */

static bool is_word(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && id[i] != '-')
			return false;
	return len > 0 && len < JOURNAL_ID_MAX;
}

static void add_row(struct buffer *out, const char *name, const char *value)
{
	if (value[0])
		html_add(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", name,
			 value);
}

static void add_facts(struct buffer *out, const struct journal_session *s)
{
	char tls[128];

	snprintf(tls, sizeof(tls), "%s %s", s->version, s->cipher);
	html_add(out, "<dl class=\"facts\" id=\"live-facts\" data-live>\n"
		      "<div><dt>began</dt><dd>");
	page_time(out, s->began);
	html_add(out, "</dd></div>\n");
	add_row(out, "gateway", s->gateway->name);
	add_row(out, "client", s->client);
	add_row(out, "helo", s->helo);
	add_row(out, "TLS", s->is_tls ? tls : "none");
	add_row(out, "SNI", s->sni);
	add_row(out, "client certificate", s->peer);
	add_row(out, "its SHA-256", s->fingerprint);
	add_row(out, "state", s->state == JOURNAL_OVER ?
				      s->outcome :
				      journal_state_word(s->state));
	for (unsigned i = 0; i < s->fault_names; i++)
		add_row(out, "fault played", s->faults[i]);
	for (unsigned i = 0;
	     i < s->message_count && i < JOURNAL_MESSAGES_MAX; i++)
		html_add(out,
			 "<div><dt>message</dt><dd><a href=\"/message/%s\">%s"
			 "</a></dd></div>\n",
			 s->messages[i], s->messages[i]);
	html_add(out, "</dl>\n");
}

/* "   0.001 C: EHLO ...": who speaks gives the line its colour. */
static void add_line(struct buffer *out, struct view line)
{
	struct view text = view_trim(line);
	struct view mark = view_trim(view_from(text, view_index(text, ' ')));
	const char *who = "note";

	if (mark.len > 1 && mark.at[1] == ':')
		who = mark.at[0] == 'S' ? "us" : "them";
	html_add(out, "<span class=\"%s\">", who);
	html_text(out, line);
	html_add(out, "</span>\n");
}

static void add_transcript(struct buffer *out, struct view text)
{
	html_add(out, "<h2>What was said</h2>\n<pre class=\"talk\" "
		      "id=\"live-talk\" data-live tabindex=\"0\" "
		      "aria-label=\"Transcript\">");
	while (text.len > 0) {
		size_t len = view_index(text, '\n');

		add_line(out, view_first(text, len));
		text = view_from(text, len < text.len ? len + 1 : len);
	}
	html_add(out, "</pre>\n");
}

int page_session(struct buffer *out, const struct page_view *view,
		 const char *id)
{
	const struct journal_session *s;
	struct buffer text = { 0 };
	char path[PATH_MAX];
	int status;

	if (!is_word(id))
		return -1;
	s = journal_find(view->set->journal, id);
	snprintf(path, sizeof(path), "%s/sessions/%s.txt", view->set->store,
		 id);
	status = page_read_file(path, PAGE_TEXT_MAX, &text);
	if (status && !s)
		return -1;
	page_begin(out, view, id, false);
	html_add(out, "<h1>Session <code>%s</code></h1>\n", id);
	if (s)
		add_facts(out, s);
	add_transcript(out, buffer_view(&text));
	page_end(out);
	buffer_clear(&text);
	return 0;
}

/* --- messages ----------------------------------------------------------- */

static void add_label(struct buffer *out, const struct letter *letter)
{
	struct view rest = view_first(buffer_view(&letter->head),
				      letter->label_len);
	struct view name, value;

	html_add(out, "<dl class=\"facts\">\n");
	while (label_next(&rest, &name, &value)) {
		html_add(out, "<div><dt>");
		html_text(out, name);
		html_add(out, "</dt><dd>");
		if (view_equal(name, VIEW("Session"))) {
			html_add(out, "<a href=\"/session/");
			html_path(out, value);
			html_add(out, "\">");
			html_text(out, value);
			html_add(out, "</a>");
		} else if (view_equal(name, VIEW("TLS")) &&
			   view_equal(value, VIEW("none"))) {
			html_add(out, "<span class=\"bad\">none: it came in "
				      "the clear</span>");
		} else {
			html_text(out, value);
		}
		html_add(out, "</dd></div>\n");
	}
	html_add(out, "</dl>\n");
}

/* A mail program may have moved the file since it was seen first. */
static const struct letter *read_letter(const struct page_view *view,
					const char *id, size_t most,
					struct buffer *file)
{
	const struct letter *letter = letters_find(view->letters, id);
	struct error ignored;

	if (!letter || page_read_file(letter->path, most, file) == 0)
		return letter;
	letters_clear(view->letters);
	letters_refresh(view->letters, view->set->store, &ignored);
	letter = letters_find(view->letters, id);
	return letter && page_read_file(letter->path, most, file) == 0 ? letter :
									 NULL;
}

static struct view message_of(const struct letter *letter,
			      const struct buffer *file)
{
	return view_from(buffer_view(file), letter->label_len);
}

static struct view without_end(struct view text)
{
	while (text.len > 0 && (text.at[text.len - 1] == '\n' ||
				text.at[text.len - 1] == '\r'))
		text.len--;
	return text;
}

static void add_body(struct buffer *out, const struct letter *letter,
		     const struct part_texts *texts)
{
	if (texts->has_text) {
		html_add(out, "<h2>Text</h2>\n<pre class=\"body\">");
		html_text(out, without_end(buffer_view(&texts->text)));
		html_add(out, "</pre>\n");
	}
	if (texts->has_html)
		html_add(out,
			 "<h2>HTML</h2>\n<iframe sandbox "
			 "title=\"The HTML part, without scripts and "
			 "network\" src=\"/message/%s/html\"></iframe>\n",
			 letter->id);
	if (texts->others)
		html_add(out, "<p class=\"quiet\">%u more part%s; see the "
			      "source.</p>\n",
			 texts->others, texts->others == 1 ? "" : "s");
}

int page_message(struct buffer *out, const struct page_view *view,
		 const char *id)
{
	struct buffer file = { 0 }, subject = { 0 };
	const struct letter *letter = read_letter(view, id, PAGE_TEXT_MAX,
						  &file);
	struct part_texts texts;
	struct view message;

	if (!letter) {
		buffer_clear(&file);
		return -1;
	}
	message = message_of(letter, &file);
	part_texts(message, &texts);
	part_field(message, "Subject", &subject);
	if (!buffer_len(&subject))
		buffer_append(&subject, VIEW("(no subject)"));
	page_begin(out, view, id, false);
	html_add(out, "<h1>");
	html_text(out, buffer_view(&subject));
	html_add(out, "</h1>\n");
	add_label(out, letter);
	add_body(out, letter, &texts);
	html_add(out, "<details>\n<summary>Header</summary>\n<pre>");
	html_text(out, part_header(message));
	html_add(out, "</pre>\n</details>\n<p><a href=\"/message/%s/source\">"
		      "The whole source</a></p>\n",
		 letter->id);
	page_end(out);
	part_texts_clear(&texts);
	buffer_clear(&subject);
	buffer_clear(&file);
	return 0;
}

int page_message_html(struct buffer *out, const struct page_view *view,
		      const char *id)
{
	struct buffer file = { 0 };
	const struct letter *letter = read_letter(view, id, PAGE_TEXT_MAX,
						  &file);
	struct part_texts texts = { 0 };

	if (letter)
		part_texts(message_of(letter, &file), &texts);
	buffer_append(out, buffer_view(&texts.html));
	buffer_clear(&file);
	part_texts_clear(&texts);
	return letter && texts.has_html ? 0 : -1;
}

int page_message_source(struct buffer *out, const struct page_view *view,
			const char *id)
{
	return read_letter(view, id, SIZE_MAX, out) ? 0 : -1;
}
