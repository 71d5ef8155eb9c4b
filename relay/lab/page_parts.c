/*
 * What all views have in common.
 */
#include "relay/lab/page_inner.h"

#include "relay/lab/html.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void page_begin(struct buffer *out, const struct page_view *view,
		const char *title, bool refreshes)
{
	html_add(out,
		 "<!doctype html>\n<html lang=\"en\">\n<head>\n"
		 "<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" "
		 "content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"color-scheme\" content=\"light dark\">\n"
		 "<title>%s – lab %s</title>\n"
		 "<link rel=\"stylesheet\" href=\"/style.css\">\n"
		 "<link rel=\"icon\" href=\"data:,\">\n"
		 "<script src=\"/page.js\" defer></script>\n",
		 title, view->set->title);
	/* Who lets no script run looks again by himself. */
	if (refreshes)
		html_add(out, "<noscript><meta http-equiv=\"refresh\" "
			      "content=\"10\"></noscript>\n");
	html_add(out,
		 "</head>\n<body>\n"
		 "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
		 "<header>\n<a class=\"brand\" href=\"/\">Postern lab "
		 "<b>%s</b></a>\n"
		 "<nav aria-label=\"Sections\">"
		 "<a href=\"/#gateways\">Gateways</a> "
		 "<a href=\"/#messages\">Messages</a> "
		 "<a href=\"/#sessions\">Sessions</a></nav>\n"
		 "<p id=\"status\" role=\"status\"></p>\n</header>\n"
		 "<main id=\"main\">\n",
		 view->set->title);
	if (view->trouble)
		html_add(out, "<p class=\"trouble\" role=\"alert\">%s</p>\n",
			 view->trouble);
}

void page_end(struct buffer *out)
{
	html_add(out, "</main>\n</body>\n</html>\n");
}

const char *page_title(const struct page_gateway *gateway)
{
	return gateway->is_dns ? "DNS" : gateway->name;
}

void page_time(struct buffer *out, int64_t when)
{
	time_t seconds = (time_t)(when / 1000);
	struct tm tm;
	char date[40], clock[20];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	html_add(out, "<time datetime=\"%s\" title=\"%s\">%s</time>", date,
		 date, clock);
}

void page_form(struct buffer *out, const struct page_view *view,
	       const char *gateway, const char *action, const char *back)
{
	html_add(out,
		 "<form method=\"post\" action=\"/faults\">"
		 "<input type=\"hidden\" name=\"token\" value=\"%s\">"
		 "<input type=\"hidden\" name=\"gateway\" value=\"%s\">"
		 "<input type=\"hidden\" name=\"do\" value=\"%s\">"
		 "<input type=\"hidden\" name=\"back\" value=\"%s\">",
		 view->token, gateway, action, back);
}

int page_read_file(const char *path, size_t most, struct buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = 1;

	if (fd < 0)
		return -1;
	while (n > 0 && buffer_len(out) < most) {
		size_t room = most - buffer_len(out);

		n = read(fd, buffer_reserve(out, room < 65536 ? room : 65536),
			 room < 65536 ? room : 65536);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buffer_added(out, (size_t)n);
	}
	close(fd);
	return n < 0 ? -1 : 0;
}

void page_says(struct buffer *out, const struct page_view *view,
	       const char *title, const char *text)
{
	page_begin(out, view, title, false);
	html_add(out, "<h1>%s</h1>\n<p>%s</p>\n<p><a href=\"/\">To the "
		      "overview</a></p>\n",
		 title, text);
	page_end(out);
}
