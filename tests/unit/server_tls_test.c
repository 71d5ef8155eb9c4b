/*
 * The carrier and TLS: STARTTLS and TLS from the first byte, streams that
 * are cut off, handshakes that never come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "tests/unit/stage.h"
#include "tls/conn.h"

struct client {
	struct conn *conn;
	struct buffer seen;
	bool is_secure, is_over;
};

static void on_client(struct conn *conn, enum conn_event event, void *arg)
{
	struct client *c = arg;

	if (event == CONN_SECURE)
		c->is_secure = true;
	if (event == CONN_CLOSED || event == CONN_FAILED)
		c->is_over = true;
	buffer_append(&c->seen, conn_input(conn));
	conn_consume(conn, conn_input(conn).len);
}

static bool client_sees(struct stage *w, struct client *c, const char *text)
{
	double until = ev_time() + 5;
	bool is_there = false;

	while (!is_there && ev_time() < until && !c->is_over) {
		stage_turn(w);
		buffer_append_byte(&c->seen, '\0');
		is_there = strstr((char *)c->seen.data + c->seen.start, text);
		c->seen.end--;
	}
	return is_there;
}

static void client_says(struct client *c, const char *text)
{
	buffer_reset(&c->seen);
	conn_write(c->conn, view_of(text));
}

static void client_dials(struct stage *w, struct client *c)
{
	struct net_address to = { 0 };

	to.sa.v4 = w->at;
	c->conn = conn_connect(w->loop, &to, NULL, on_client, c);
}

static void client_secures(struct stage *w, struct client *c,
			   struct tls_context *context)
{
	struct demand demand = { .level = TLS_MAY };
	struct error error;
	double until = ev_time() + 5;

	assert_int_equal(conn_start_client(c->conn, context, &demand, &error),
			 0);
	while (!c->is_secure && ev_time() < until)
		stage_turn(w);
	assert_true(c->is_secure);
}

static void mail_over_starttls(void **state)
{
	struct stage *w = stage_new();
	struct client c = { 0 };
	struct error error;
	struct tls_context *context = tls_client_context(&error);

	(void)state;
	w->listener.tls = LISTEN_REQUIRED;
	stage_tls(w);
	stage_start(w);
	client_dials(w, &c);
	assert_true(client_sees(w, &c, "220 "));
	client_says(&c, "EHLO c\r\nMAIL FROM:<>\r\n");
	assert_true(client_sees(w, &c, "250 STARTTLS\r\n530 5.7.0"));
	client_says(&c, "STARTTLS\r\n");
	assert_true(client_sees(w, &c, "220 2.0.0"));
	client_secures(w, &c, context);
	client_says(&c, ENVELOPE "DATA\r\n");
	assert_true(client_sees(w, &c, "354 "));
	client_says(&c, "x\r\n.\r\nQUIT\r\n");
	assert_true(client_sees(w, &c, "stored\r\n221 "));
	assert_true(w->memory.was_tls);
	buffer_append_byte(&w->memory.body, '\0');
	assert_non_null(strstr((char *)w->memory.body.data,
			       ") with ESMTPS id 01TEST"));
	assert_non_null(strstr((char *)w->memory.body.data, "(using TLSv1."));
	conn_free(c.conn);
	buffer_clear(&c.seen);
	tls_context_free(context);
	stage_free(w);
}

static void truncated_tls_is_no_message(void **state)
{
	struct stage *w = stage_new();
	struct client c = { 0 };
	struct error error;
	struct tls_context *context = tls_client_context(&error);

	(void)state;
	w->listener.tls = LISTEN_IMPLICIT;
	stage_tls(w);
	stage_start(w);
	client_dials(w, &c);
	stage_turns(w, 0.02);
	client_secures(w, &c, context);
	assert_true(client_sees(w, &c, "220 "));
	client_says(&c, ENVELOPE "DATA\r\n");
	assert_true(client_sees(w, &c, "354 "));
	client_says(&c, "x\r\n");
	stage_turns(w, 0.05);
	conn_free(c.conn); /* no close_notify */
	stage_turns(w, 0.1);
	assert_int_equal(w->memory.aborted, 1);
	assert_int_equal(w->memory.committed, 0);
	assert_int_equal(server_sessions(w->server), 0);
	buffer_clear(&c.seen);
	tls_context_free(context);
	stage_free(w);
}

static void handshake_that_never_is(void **state)
{
	struct stage *w = stage_new();
	int fd;

	(void)state;
	w->listener.tls = LISTEN_MAY;
	w->conf.timeout_starttls = 1;
	stage_tls(w);
	stage_start(w);
	/* plaintext in a packet of its own, where a handshake should be */
	fd = stage_dial(w);
	SEES(w, fd, "220 ");
	stage_say(w, fd, "EHLO c\r\nSTARTTLS\r\n");
	SEES(w, fd, "220 2.0.0");
	stage_say(w, fd, "MAIL FROM:<evil@x.example>\r\n");
	(void)stage_sees(w, fd, "", 2);
	assert_null(strstr(w->seen, "250"));
	close(fd);
	stage_turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	/* silence */
	fd = stage_dial(w);
	SEES(w, fd, "220 ");
	stage_say(w, fd, "EHLO c\r\nSTARTTLS\r\n");
	SEES(w, fd, "220 2.0.0");
	w->seen_len = 0;
	assert_true(stage_sees(w, fd, "", 3));
	assert_null(strstr(w->seen, "421"));
	close(fd);
	stage_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_over_starttls),
		cmocka_unit_test(truncated_tls_is_no_message),
		cmocka_unit_test(handshake_that_never_is),
	};

	return cmocka_run_group_tests(tests, stage_begin, stage_end);
}
