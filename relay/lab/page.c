/*
 * HTTP: which request is whose, and what every answer bears.  See page.h.
 * Answers are made whole and at once; the library's connections, their time
 * and their memory are bounded.
 */
#include "relay/lab/page.h"

#include "conf/log.h"
#include "relay/lab/page_inner.h"
#include "relay/listen.h"

#include <ev.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	CONNECTIONS = 64,
	PATIENCE = 30,          /* s, of a connection at rest */
	MEMORY = 32 * 1024,     /* of a connection, for its request */
	FORM_MAX = 4096,
	HTTP_PORT = 80,
	TAG_MAX = 40,
};

struct page {
	struct page_settings set;
	struct net_address address;
	struct MHD_Daemon *daemon;
	struct letters letters;
	char token[PAGE_TOKEN_LEN + 1];
	ev_io events;
	ev_timer timer;
};

/* What a path gives. */
enum kind { KIND_PAGE, KIND_STYLE, KIND_SCRIPT, KIND_SOURCE, KIND_FRAME };

static const struct {
	const char *type, *policy;
} kinds[] = {
	[KIND_PAGE] = { "text/html; charset=utf-8",
			"default-src 'none'; style-src 'self'; "
			"script-src 'self'; connect-src 'self'; "
			"img-src data:; frame-src 'self'; "
			"form-action 'self'; base-uri 'none'; "
			"frame-ancestors 'none'" },
	[KIND_STYLE] = { "text/css; charset=utf-8", "default-src 'none'" },
	[KIND_SCRIPT] = { "text/javascript; charset=utf-8",
			  "default-src 'none'" },
	[KIND_SOURCE] = { "text/plain; charset=utf-8",
			  "sandbox; default-src 'none'; "
			  "frame-ancestors 'none'" },
	/* Foreign HTML: an origin of its own, no script, no network. */
	[KIND_FRAME] = { "text/html; charset=utf-8",
			 "sandbox; default-src 'none'; "
			 "style-src 'unsafe-inline'; img-src data:; "
			 "form-action 'none'; base-uri 'none'; "
			 "frame-ancestors 'self'" },
};

/* --- answers ------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, enum kind kind)
{
	static const struct {
		const char *name, *value;
	} always[] = {
		{ "X-Content-Type-Options", "nosniff" },
		/* With no-referrer a form's Origin would be null. */
		{ "Referrer-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cache-Control", "no-store" },
	};

	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		MHD_add_response_header(response, always[i].name,
					always[i].value);
	MHD_add_response_header(response, "Content-Type", kinds[kind].type);
	MHD_add_response_header(response, "Content-Security-Policy",
				kinds[kind].policy);
}

/* The buffer's bytes are copied and it is emptied. */
static enum MHD_Result reply(struct MHD_Connection *connection,
			     unsigned status, enum kind kind,
			     struct buffer *body)
{
	struct view bytes = buffer_view(body);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		bytes.len, (void *)(uintptr_t)bytes.at, MHD_RESPMEM_MUST_COPY);
	const char *asked = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, "If-None-Match");
	char tag[TAG_MAX];
	enum MHD_Result result;

	snprintf(tag, sizeof(tag), "\"%08x-%zx\"",
		 bytes_crc32c(0, bytes.at, bytes.len), bytes.len);
	if (!response) {
		buffer_clear(body);
		return MHD_NO;
	}
	if (status == MHD_HTTP_OK && asked && strcmp(asked, tag) == 0) {
		MHD_destroy_response(response);
		response = MHD_create_response_from_buffer(
			0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
		status = MHD_HTTP_NOT_MODIFIED;
	}
	buffer_clear(body);
	add_headers(response, kind);
	MHD_add_response_header(response, "ETag", tag);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD, POST");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result redirect(struct MHD_Connection *connection,
				const char *where)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	add_headers(response, KIND_PAGE);
	MHD_add_response_header(response, "Location", where);
	result = MHD_queue_response(connection, MHD_HTTP_SEE_OTHER, response);
	MHD_destroy_response(response);
	return result;
}

static struct page_view look(struct page *page)
{
	struct page_view view = {
		.set = &page->set,
		.letters = &page->letters,
		.token = page->token,
	};
	struct error error;

	if (letters_refresh(&page->letters, page->set.store, &error))
		log_say(LOG_WARNING, "warning", "%s", error.text);
	return view;
}

static enum MHD_Result refuse(struct page *page,
			      struct MHD_Connection *connection,
			      unsigned status, const char *why)
{
	struct page_view view = { .set = &page->set };
	struct buffer body = { 0 };

	page_says(&body, &view, "This is refused", why);
	return reply(connection, status, KIND_PAGE, &body);
}

/* --- which page ---------------------------------------------------------- */

static void add_lines(struct buffer *out, const char *const *lines)
{
	for (; *lines; lines++)
		buffer_append(out, view_of(*lines));
}

static int make_style(struct buffer *out, const struct page_view *view,
		      const char *rest)
{
	(void)view, (void)rest;
	add_lines(out, page_style);
	return 0;
}

static int make_script(struct buffer *out, const struct page_view *view,
		       const char *rest)
{
	(void)view, (void)rest;
	add_lines(out, page_script);
	return 0;
}

static int make_overview(struct buffer *out, const struct page_view *view,
			 const char *rest)
{
	(void)rest;
	page_overview(out, view);
	return 0;
}

/* `/before/` NAME `after`; the longest first where one is another's end. */
static const struct {
	const char *before, *after;
	enum kind kind;
	int (*make)(struct buffer *out, const struct page_view *view,
		    const char *rest);
} paths[] = {
	{ "/",		 NULL,	    KIND_PAGE,   make_overview	  },
	{ "/style.css",	NULL,      KIND_STYLE,	make_style	       },
	{ "/page.js",	  NULL,	    KIND_SCRIPT, make_script	      },
	{ "/gateway/", "",	   KIND_PAGE,   page_faults	     },
	{ "/session/", "",	   KIND_PAGE,   page_session	    },
	{ "/message/", "/html",   KIND_FRAME,  page_message_html   },
	{ "/message/", "/source", KIND_SOURCE, page_message_source },
	{ "/message/", "",	   KIND_PAGE,   page_message	    },
};

/* Whether the path is of that row; `name` gets what stands between. */
static bool is_at(const char *path, size_t row, char *name, size_t room)
{
	const char *before = paths[row].before, *after = paths[row].after;
	size_t head = strlen(before), len = strlen(path), tail;

	if (!after)
		return strcmp(path, before) == 0;
	tail = strlen(after);
	if (len <= head + tail || strncmp(path, before, head) != 0 ||
	    strcmp(path + len - tail, after) != 0 ||
	    len - head - tail >= room)
		return false;
	memcpy(name, path + head, len - head - tail);
	name[len - head - tail] = '\0';
	return !strchr(name, '/');
}

static enum MHD_Result show(struct page *page,
			    struct MHD_Connection *connection,
			    const char *path)
{
	struct page_view view;
	struct buffer body = { 0 };
	char name[300] = "";

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (!is_at(path, i, name, sizeof(name)))
			continue;
		view = look(page);
		if (paths[i].make(&body, &view, name) == 0)
			return reply(connection, MHD_HTTP_OK, paths[i].kind,
				     &body);
		break;
	}
	buffer_clear(&body);
	view = (struct page_view){ .set = &page->set };
	page_says(&body, &view, "Not found",
		  "There is nothing of that name, or it is there no longer.");
	return reply(connection, MHD_HTTP_NOT_FOUND, KIND_PAGE, &body);
}

/* --- who asks ------------------------------------------------------------- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A name that an attacker's DNS turned to us is neither. */
static bool is_host_ours(struct MHD_Connection *connection)
{
	const char *host = header(connection, "Host");
	struct net_address address;
	uint16_t port = HTTP_PORT;
	struct view name;

	if (!host || net_split_port(view_of(host), &name, &port))
		return false;
	return view_equal_fold(name, VIEW("localhost")) ||
	       net_parse(name, &address) == 0;
}

/* Browsers say at least one of the two with every form, truthfully. */
static bool is_from_here(struct MHD_Connection *connection)
{
	const char *site = header(connection, "Sec-Fetch-Site");
	const char *origin = header(connection, "Origin");
	const char *host = header(connection, "Host");
	char own[300];

	snprintf(own, sizeof(own), "http://%s", host);
	return (!site || strcmp(site, "same-origin") == 0) &&
	       (!origin || strcmp(origin, own) == 0);
}

/* --- forms ----------------------------------------------------------------- */

static enum MHD_Result obey(struct page *page,
			    struct MHD_Connection *connection,
			    struct view form)
{
	struct page_view view = look(page);
	struct error error = { .text = "" };
	struct buffer text = { 0 };
	char *back = NULL;
	enum MHD_Result result;

	if (page_obey(&view, form, &back, &error) == 0) {
		result = redirect(connection, back);
	} else {
		bytes_escape(&text, view_of(error.text), sizeof(error.text));
		buffer_append_byte(&text, 0);
		result = refuse(page, connection, MHD_HTTP_BAD_REQUEST,
				(const char *)buffer_view(&text).at);
		buffer_clear(&text);
	}
	free(back);
	return result;
}

/* --- the library ----------------------------------------------------------- */

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *data,
				  size_t *len, void **state)
{
	struct page *page = arg;
	struct buffer *form = *state;
	bool is_post = strcmp(method, "POST") == 0;

	(void)version;
	/* The first call brings the header only. */
	if (!form) {
		*state = must_alloc(sizeof(*form));
		return MHD_YES;
	}
	if (*len > 0) {
		/* What is too long is read to its end and counted. */
		if (buffer_len(form) <= FORM_MAX)
			buffer_append(form, view_make(data, *len));
		*len = 0;
		return MHD_YES;
	}
	if (!is_host_ours(connection))
		return refuse(page, connection, MHD_HTTP_MISDIRECTED_REQUEST,
			      "Ask by the address, or by localhost.");
	if (!is_post && strcmp(method, "GET") != 0 &&
	    strcmp(method, "HEAD") != 0)
		return refuse(page, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "GET, HEAD and POST are what can be asked.");
	if (!is_post)
		return show(page, connection, path);
	if (strcmp(path, "/faults") != 0)
		return refuse(page, connection, MHD_HTTP_NOT_FOUND,
			      "No form is sent there.");
	if (!is_from_here(connection))
		return refuse(page, connection, MHD_HTTP_FORBIDDEN,
			      "This form is not the lab's.");
	if (buffer_len(form) > FORM_MAX)
		return refuse(page, connection, MHD_HTTP_CONTENT_TOO_LARGE,
			      "No form of the lab's is that long.");
	return obey(page, connection, buffer_view(form));
}

static void on_completed(void *arg, struct MHD_Connection *connection,
			 void **state, enum MHD_RequestTerminationCode code)
{
	struct buffer *form = *state;

	(void)arg, (void)connection, (void)code;
	if (form)
		buffer_clear(form);
	free(form);
	*state = NULL;
}

/* Of the library's complaints a lab wants none; clients come and go. */
__attribute__((format(printf, 2, 0)))
static void on_complaint(void *arg, const char *format, va_list args)
{
	char text[256];

	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_say(LOG_DEBUG, "http", "%s", text);
}

static void wait_for_more(struct page *page)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;

	ev_timer_stop(page->set.loop, &page->timer);
	if (MHD_get_timeout(page->daemon, &wait) != MHD_YES)
		return;
	ev_timer_set(&page->timer, (double)wait / 1000, 0.);
	ev_timer_start(page->set.loop, &page->timer);
}

static void on_event(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct page *page = watcher->data;

	(void)loop, (void)events;
	MHD_run(page->daemon);
	wait_for_more(page);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct page *page = watcher->data;

	(void)loop, (void)events;
	MHD_run(page->daemon);
	wait_for_more(page);
}

static int start(struct page *page, struct error *error)
{
	const union MHD_DaemonInfo *info;
	socklen_t len = sizeof(page->address);
	int fd = listen_bind(&page->address, error);

	if (fd < 0)
		return error_prefix(error, "http");
	getsockname(fd, &page->address.sa.any, &len);
	page->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
		page, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)PATIENCE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		NULL, MHD_OPTION_END);
	if (!page->daemon) {
		close(fd);
		return error_set(error, "http: the library does not start");
	}
	info = MHD_get_daemon_info(page->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&page->events, on_event, info->epoll_fd, EV_READ);
	ev_timer_init(&page->timer, on_timer, 0., 0.);
	page->events.data = page->timer.data = page;
	ev_io_start(page->set.loop, &page->events);
	wait_for_more(page);
	return 0;
}

static void make_token(char token[PAGE_TOKEN_LEN + 1])
{
	unsigned char chance[PAGE_TOKEN_LEN / 2];

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		abort();
	for (size_t i = 0; i < sizeof(chance); i++)
		snprintf(token + 2 * i, 3, "%02x", chance[i]);
}

struct page *page_new(const struct page_settings *settings,
		      const struct net_address *address, struct error *error)
{
	struct page *page = must_alloc(sizeof(*page));

	page->set = *settings;
	page->address = *address;
	make_token(page->token);
	if (start(page, error)) {
		page_free(page);
		return NULL;
	}
	return page;
}

void page_free(struct page *page)
{
	if (!page)
		return;
	if (page->daemon) {
		ev_io_stop(page->set.loop, &page->events);
		ev_timer_stop(page->set.loop, &page->timer);
		MHD_stop_daemon(page->daemon);
	}
	letters_clear(&page->letters);
	free(page);
}

const struct net_address *page_address(const struct page *page)
{
	return &page->address;
}
