/*
 * One gateway: what it plays, and a switch for everything that it could.
 */
#include "relay/lab/page_inner.h"

#include "relay/lab/html.h"

#include <stdio.h>
#include <string.h>

/* Three kinds stand for families: a step, and perhaps a code, completes the
 * name. */
static bool is_family(enum fault_kind kind)
{
	return kind == FAULT_REPLY || kind == FAULT_STALL ||
	       kind == FAULT_CLOSE;
}

static void add_active(struct buffer *out, const struct page_view *view,
		       const struct page_gateway *gateway, const char *back)
{
	size_t count = faults_count(gateway->faults);

	html_add(out, "<section aria-labelledby=\"now\">\n"
		      "<h2 id=\"now\">Now</h2>\n"
		      "<div id=\"live-now\" data-live>\n");
	if (count == 0)
		html_add(out, "<p class=\"empty\">It plays by the rules.</p>\n");
	else
		html_add(out, "<ul class=\"rows\">\n");
	for (size_t i = 0; i < count; i++) {
		const struct fault *fault = faults_at(gateway->faults, i);
		struct buffer text = { 0 };
		uint64_t struck;

		fault_print(fault, &text);
		buffer_append_byte(&text, 0);
		struck = faults_struck(gateway->faults, i);
		html_add(out,
			 "<li><div><strong class=\"bad\">%s</strong> <span "
			 "class=\"quiet\">played %llu time%s</span><br>%s"
			 "</div>",
			 (const char *)buffer_view(&text).at,
			 (unsigned long long)struck, struck == 1 ? "" : "s",
			 fault_about(fault->kind)->meaning);
		page_form(out, view, gateway->name, "clear", back);
		html_add(out,
			 "<input type=\"hidden\" name=\"fault\" "
			 "value=\"%s\"><button>Switch off<span "
			 "class=\"away\"> %s</span></button></form></li>\n",
			 (const char *)buffer_view(&text).at,
			 (const char *)buffer_view(&text).at);
		buffer_clear(&text);
	}
	if (count) {
		html_add(out, "</ul>\n");
		page_form(out, view, gateway->name, "clear-all", back);
		html_add(out, "<button>Switch all off</button></form>\n");
	}
	html_add(out, "</div>\n</section>\n");
}

static void add_steps(struct buffer *out, bool may_be_any)
{
	html_add(out, "<label>at <select name=\"step\">");
	if (may_be_any)
		html_add(out, "<option value=\"\">any step</option>");
	for (enum fault_step step = STEP_ANY + 1; step < STEP_COUNT; step++)
		html_add(out, "<option>%s</option>", fault_step_name(step));
	html_add(out, "</select></label> ");
}

static void add_switch(struct buffer *out, const struct page_view *view,
		       const struct page_gateway *gateway,
		       enum fault_kind kind)
{
	const struct fault_about *about = fault_about(kind);
	char back[300];
	bool is_on = faults_have(gateway->faults, kind);

	snprintf(back, sizeof(back), "/gateway/%s#f%u", gateway->name,
		 (unsigned)kind);
	html_add(out, is_on ? "<li id=\"f%u\" class=\"on\">" :
			      "<li id=\"f%u\">",
		 (unsigned)kind);
	html_add(out, "<div><strong>%s</strong>", about->name);
	if (is_on)
		html_add(out, " <span class=\"bad\">on</span>");
	html_add(out, "<br>%s</div>", about->meaning);
	page_form(out, view, gateway->name, "set", back);
	html_add(out, "<input type=\"hidden\" name=\"kind\" value=\"%u\">",
		 (unsigned)kind);
	if (kind == FAULT_REPLY)
		html_add(out, "<label>code <input name=\"code\" "
			      "inputmode=\"numeric\" pattern=\"[45][0-9][0-9]\" "
			      "value=\"450\" size=\"3\" required></label> ");
	if (is_family(kind) || about->has_step)
		add_steps(out, !is_family(kind));
	if (about->unit)
		html_add(out,
			 "<label>%s <input name=\"number\" "
			 "inputmode=\"numeric\" pattern=\"[0-9]+\" "
			 "value=\"%u\" size=\"6\"></label> ",
			 about->unit, about->number);
	html_add(out,
		 "<label>limits <input name=\"limits\" size=\"12\" "
		 "placeholder=\"first 3\" aria-describedby=\"limits\" "
		 "autocomplete=\"off\" spellcheck=\"false\"></label> "
		 "<button>Switch on<span class=\"away\"> %s</span></button>"
		 "</form></li>\n",
		 about->name);
}

static const char *const headings[] = {
	[FAULT_CERTIFICATE] = "Certificate",
	[FAULT_TLS] = "TLS",
	[FAULT_SMTP] = "SMTP",
	[FAULT_DNS] = "DNS",
};

static void add_hint(struct buffer *out, bool is_dns)
{
	html_add(out, "<p class=\"hint\" id=\"limits\">Limits may be left "
		      "out: <code>first 3</code>, <code>every 2</code>, ");
	if (is_dns)
		html_add(out, "<code>to *.example.org</code> (the name that "
			      "is asked for), or several of them.</p>\n");
	else
		html_add(out, "<code>from *@example.org</code>, <code>to "
			      "b@*</code>, or several of them. A session "
			      "that runs meets a fault from its next command "
			      "on; its certificate stays.</p>\n");
}

static void add_contents(struct buffer *out)
{
	html_add(out, "<nav class=\"contents\" aria-label=\"Kinds of "
		      "faults\">");
	for (unsigned class = FAULT_CERTIFICATE; class <= FAULT_DNS; class++)
		html_add(out, "<a href=\"#c%u\">%s</a> ", class,
			 headings[class]);
	html_add(out, "</nav>\n");
}

static void add_class(struct buffer *out, const struct page_view *view,
		      const struct page_gateway *gateway,
		      enum fault_class class)
{
	html_add(out,
		 "<section aria-labelledby=\"c%u\">\n<h2 id=\"c%u\">%s</h2>\n"
		 "<ul class=\"rows\" id=\"live-c%u\" data-live>\n",
		 (unsigned)class, (unsigned)class, headings[class],
		 (unsigned)class);
	for (enum fault_kind kind = 0; kind < FAULT_COUNT; kind++)
		if (fault_about(kind)->class == class)
			add_switch(out, view, gateway, kind);
	html_add(out, "</ul>\n</section>\n");
}

int page_faults(struct buffer *out, const struct page_view *view,
		const char *name)
{
	const struct page_gateway *gateway = NULL;
	char back[300];

	for (size_t i = 0; i < view->set->gateway_count; i++)
		if (strcmp(view->set->gateways[i].name, name) == 0)
			gateway = &view->set->gateways[i];
	if (!gateway)
		return -1;
	snprintf(back, sizeof(back), "/gateway/%s", gateway->name);
	page_begin(out, view, page_title(gateway), false);
	html_add(out, "<h1>%s</h1>\n<p class=\"quiet\">%s",
		 page_title(gateway), gateway->address);
	if (!gateway->is_dns)
		html_add(out, " · preference %u", gateway->preference);
	html_add(out, "</p>\n");
	add_active(out, view, gateway, back);
	add_hint(out, gateway->is_dns);
	if (!gateway->is_dns)
		add_contents(out);
	for (enum fault_class class = FAULT_CERTIFICATE; class <= FAULT_DNS;
	     class++)
		if (!gateway->is_dns || class == FAULT_DNS)
			add_class(out, view, gateway, class);
	page_end(out);
	return 0;
}
