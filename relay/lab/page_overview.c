/*
 * The first page: gateways, messages, sessions, newest first.
 */
#include "relay/lab/page_inner.h"

#include "relay/lab/html.h"
#include "relay/lab/part.h"

#include <string.h>

/* --- gateways ----------------------------------------------------------- */

static void add_fault(struct buffer *out, const struct page_view *view,
		      const struct page_gateway *gateway, size_t index)
{
	const struct fault *fault = faults_at(gateway->faults, index);
	struct buffer text = { 0 };

	fault_print(fault, &text);
	buffer_append_byte(&text, 0);
	html_add(out, "<li class=\"fault\"><span title=\"%s\">%s</span> ",
		 fault_about(fault->kind)->meaning,
		 (const char *)buffer_view(&text).at);
	page_form(out, view, gateway->name, "clear", "/#gateways");
	html_add(out,
		 "<input type=\"hidden\" name=\"fault\" value=\"%s\">"
		 "<button class=\"x\" aria-label=\"Switch off %s of %s\">"
		 "&times;</button></form></li>\n",
		 (const char *)buffer_view(&text).at,
		 (const char *)buffer_view(&text).at, gateway->name);
	buffer_clear(&text);
}

static void add_number(struct buffer *out, const char *what, uint64_t number)
{
	html_add(out, "<div><dt>%s</dt><dd>%llu</dd></div>", what,
		 (unsigned long long)number);
}

static void add_numbers(struct buffer *out, const struct journal_gateway *n)
{
	html_add(out, "</p>\n<dl class=\"numbers\">");
	add_number(out, "sessions", n->connections);
	add_number(out, "in TLS", n->handshakes);
	add_number(out, "messages", n->messages);
	add_number(out, "refusals", n->refusals);
	add_number(out, "faults played", n->faults);
	html_add(out, "</dl>\n");
}

static const struct journal_gateway *find_counters(const struct page_view *view,
						   const char *name)
{
	const struct journal_gateway *at = journal_gateways(view->set->journal);

	while (at && strcmp(at->name, name) != 0)
		at = at->next;
	return at;
}

static void add_gateway(struct buffer *out, const struct page_view *view,
			const struct page_gateway *gateway)
{
	static const struct journal_gateway none;
	const struct journal_gateway *n = find_counters(view, gateway->name);
	size_t count = faults_count(gateway->faults);

	if (!n)
		n = &none;
	html_add(out,
		 "<article class=\"card%s\">\n<h3><a href=\"/gateway/%s\">%s"
		 "</a></h3>\n<p class=\"quiet\">%s",
		 count ? " faulty" : "", gateway->name, page_title(gateway),
		 gateway->address);
	if (!gateway->is_dns) {
		html_add(out, " · preference %u%s", gateway->preference,
			 n->open ? " · busy" : "");
		add_numbers(out, n);
	} else {
		html_add(out, " · answers for the domains</p>\n");
	}
	if (count) {
		html_add(out, "<ul class=\"faults\" aria-label=\"Faults of "
			      "%s\">\n",
			 gateway->name);
		for (size_t i = 0; i < count; i++)
			add_fault(out, view, gateway, i);
		html_add(out, "</ul>\n");
	}
	html_add(out,
		 "<p><a class=\"more\" href=\"/gateway/%s\">%s<span "
		 "class=\"away\"> of %s</span></a></p>\n</article>\n",
		 gateway->name, count ? "Change faults" : "Switch faults on",
		 page_title(gateway));
}

static void add_gateways(struct buffer *out, const struct page_view *view)
{
	html_add(out, "<section aria-labelledby=\"gateways\">\n"
		      "<h2 id=\"gateways\">Gateways</h2>\n"
		      "<div class=\"cards\" id=\"live-gateways\" data-live>\n");
	for (size_t i = 0; i < view->set->gateway_count; i++)
		add_gateway(out, view, &view->set->gateways[i]);
	html_add(out, "</div>\n</section>\n");
}

/* --- messages ----------------------------------------------------------- */

static void add_field(struct buffer *out, const struct letter *letter,
		      const char *name)
{
	html_text(out, letter_field(letter, name));
}

/* The first of them, and how many more there are. */
static void add_addresses(struct buffer *out, const struct letter *letter,
			  const char *name)
{
	struct view rest = view_first(buffer_view(&letter->head),
				      letter->label_len);
	struct view line, value, address = VIEW("");
	unsigned count = 0;

	while (label_next(&rest, &line, &value))
		if (view_equal(line, view_of(name)) && count++ == 0)
			address = label_address(value);
	if (address.len)
		html_text(out, address);
	else
		html_add(out, "&lt;&gt;");
	if (count > 1)
		html_add(out, " <span class=\"quiet\">and %u more</span>",
			 count - 1);
}

/* The version; the cipher for who points at it. */
static void add_tls(struct buffer *out, struct view tls)
{
	if (view_equal(tls, VIEW("none"))) {
		html_add(out, "<span class=\"bad\">in the clear</span>");
		return;
	}
	html_add(out, "<span title=\"");
	html_text(out, tls);
	html_add(out, "\">");
	html_text(out, view_first(tls, view_index(tls, ' ')));
	html_add(out, "</span>");
}

static void add_subject(struct buffer *out, const struct letter *letter)
{
	struct view head = view_from(buffer_view(&letter->head),
				     letter->label_len);
	struct buffer subject = { 0 };

	part_field(head, "Subject", &subject);
	if (buffer_len(&subject))
		html_text(out, buffer_view(&subject));
	else
		html_add(out, "(no subject)");
	buffer_clear(&subject);
}

/* The clock of an ISO date, which stands there as a whole for who asks. */
static void add_clock(struct buffer *out, struct view date)
{
	html_add(out, "<time datetime=\"");
	html_text(out, date);
	html_add(out, "\" title=\"");
	html_text(out, date);
	html_add(out, "\">");
	html_text(out, view_first(view_from(date, 11), 8));
	html_add(out, "</time>");
}

static void add_message(struct buffer *out, const struct letter *letter)
{
	html_add(out, "<tr><td data-label=\"at\">");
	add_clock(out, letter_field(letter, "Received"));
	html_add(out, "</td><td data-label=\"subject\" class=\"wide\"><a "
		      "href=\"/message/%s\">",
		 letter->id);
	add_subject(out, letter);
	html_add(out, "</a></td><td data-label=\"from\">");
	add_addresses(out, letter, "From");
	html_add(out, "</td><td data-label=\"to\">");
	add_addresses(out, letter, "To");
	html_add(out, "</td><td data-label=\"gateway\" class=\"name\">");
	add_field(out, letter, "Gateway");
	html_add(out, "</td><td data-label=\"TLS\" class=\"name\">");
	add_tls(out, letter_field(letter, "TLS"));
	html_add(out, "</td></tr>\n");
}

static void add_rest(struct buffer *out, size_t count, const char *what)
{
	if (count > PAGE_ROWS)
		html_add(out,
			 "<p class=\"quiet\">The last %u of %llu %s.</p>\n",
			 (unsigned)PAGE_ROWS, (unsigned long long)count, what);
}

static void add_messages(struct buffer *out, const struct page_view *view)
{
	const struct letters *letters = view->letters;

	html_add(out, "<section aria-labelledby=\"messages\">\n"
		      "<h2 id=\"messages\">Messages</h2>\n"
		      "<div id=\"live-messages\" data-live>\n");
	if (letters->count == 0) {
		html_add(out, "<p class=\"empty\">None has come yet. Send one "
			      "to any of the gateways above.</p>\n");
	} else {
		html_add(out, "<table>\n<thead><tr><th>at (UTC)</th>"
			      "<th>subject</th><th>from</th><th>to</th>"
			      "<th>gateway</th><th>TLS</th></tr></thead>\n"
			      "<tbody>\n");
		for (size_t i = 0; i < letters->count && i < PAGE_ROWS; i++)
			add_message(out,
				    &letters->at[letters->count - 1 - i]);
		html_add(out, "</tbody>\n</table>\n");
		add_rest(out, letters->count, "messages");
	}
	html_add(out, "</div>\n</section>\n");
}

/* --- sessions ----------------------------------------------------------- */

static void add_session_faults(struct buffer *out,
			       const struct journal_session *s)
{
	for (unsigned i = 0; i < s->fault_names; i++)
		html_add(out, "%s<span class=\"bad\">%s</span>", i ? ", " : "",
			 s->faults[i]);
	if (s->fault_names == 0)
		html_add(out, "–");
}

static void add_session(struct buffer *out, const struct journal_session *s)
{
	html_add(out, "<tr><td data-label=\"at\"><a href=\"/session/%s\">",
		 s->id);
	page_time(out, s->began);
	html_add(out,
		 "</a></td><td data-label=\"gateway\" class=\"name\">%s</td>"
		 "<td data-label=\"client\">%s%s%s</td>"
		 "<td data-label=\"TLS\" class=\"name\"><span title=\"%s\">%s"
		 "</span></td><td data-label=\"state\">",
		 s->gateway->name, s->client, s->helo[0] ? " " : "", s->helo,
		 s->is_tls ? s->cipher : "", s->is_tls ? s->version : "–");
	if (s->state == JOURNAL_OVER)
		html_add(out, "%s", s->outcome);
	else
		html_add(out, "<strong>%s</strong> %s",
			 journal_state_word(s->state), s->command);
	html_add(out, "</td><td data-label=\"faults\">");
	add_session_faults(out, s);
	html_add(out, "</td></tr>\n");
}

/* The journal is of all labs. */
static bool is_ours(const struct page_view *view,
		    const struct journal_session *s)
{
	for (size_t i = 0; i < view->set->gateway_count; i++)
		if (strcmp(view->set->gateways[i].name, s->gateway->name) == 0)
			return true;
	return false;
}

static void add_sessions(struct buffer *out, const struct page_view *view)
{
	const struct journal_session *s = journal_newest(view->set->journal);
	bool any = false;
	size_t count = 0;

	for (const struct journal_session *at = s; at && !any; at = at->older)
		any = is_ours(view, at);
	html_add(out, "<section aria-labelledby=\"sessions\">\n"
		      "<h2 id=\"sessions\">Sessions</h2>\n"
		      "<div id=\"live-sessions\" data-live>\n");
	if (!any)
		html_add(out, "<p class=\"empty\">Nobody has called yet.</p>\n");
	else
		html_add(out, "<table>\n<thead><tr><th>at (UTC)</th>"
			      "<th>gateway</th><th>client</th><th>TLS</th>"
			      "<th>state</th><th>faults played</th></tr>"
			      "</thead>\n<tbody>\n");
	for (; s; s = s->older)
		if (is_ours(view, s) && count++ < PAGE_ROWS)
			add_session(out, s);
	if (any)
		html_add(out, "</tbody>\n</table>\n");
	add_rest(out, count, "sessions");
	html_add(out, "</div>\n</section>\n");
}

void page_overview(struct buffer *out, const struct page_view *view)
{
	page_begin(out, view, "Overview", true);
	html_add(out, "<h1 class=\"away\">Lab %s</h1>\n", view->set->title);
	add_gateways(out, view);
	add_messages(out, view);
	add_sessions(out, view);
	page_end(out);
}
