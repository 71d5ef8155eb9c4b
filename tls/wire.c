/*
 * Moving bytes between a socket and buffers, plain or through TLS.  All
 * that differs between the two lives in the pairs of functions below.
 * A broken write does not end the wire by itself: the peer may have said
 * why before it hung up, and the reader meets the end in any case.
 */
#include "tls/wire.h"

#include "conf/error.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_SIZE = 16 * 1024,   /* one receive; about one TLS record */
	RECORD_SIZE = 16 * 1024, /* plaintext of one record, RFC 8446 5.1 */
	RECORDS_ENOUGH = 64 * 1024, /* encrypted ahead of the socket */
};

static void remember(struct wire *wire, const char *format, va_list args)
{
	char text[ERROR_TEXT_MAX];

	if (wire->error)
		return;
	(void)vsnprintf(text, sizeof(text), format, args);
	wire->error = must_strdup(text);
}

static void note(struct wire *wire, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void note(struct wire *wire, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remember(wire, format, args);
	va_end(args);
}

void wire_fail(struct wire *wire, const char *format, ...)
{
	va_list args;

	if (wire->end != WIRE_OPEN)
		return;
	va_start(args, format);
	remember(wire, format, args);
	va_end(args);
	wire->end = WIRE_FAILED;
}

static void close_wire(struct wire *wire)
{
	if (wire->end == WIRE_OPEN)
		wire->end = wire->is_write_broken ? WIRE_FAILED : WIRE_CLOSED;
}

/* --- receiving ------------------------------------------------------- */

static void meet_eof(struct wire *wire)
{
	if (!wire->secure)
		close_wire(wire);
	else if (wire->has_shaken)
		wire_fail(wire, "the connection ended inside TLS without "
			  "close_notify: what came may be truncated");
	else
		wire_fail(wire, "the peer closed the connection during the "
			  "TLS handshake");
}

/* One receive of at most `most` bytes; false when none came.  What came is
 * copied: room for READ_SIZE that holds a command and is given back at once
 * costs the allocator more. */
static bool fill(struct wire *wire, struct buffer *into, size_t most)
{
	unsigned char bytes[READ_SIZE];
	ssize_t n = recv(wire->fd, bytes, most, 0);

	if (n > 0) {
		buffer_append(into, view_make(bytes, (size_t)n));
		return true;
	}
	if (n == 0)
		meet_eof(wire);
	else if (errno != EAGAIN && errno != EINTR)
		wire_fail(wire, "connection lost: %s", strerror(errno));
	return false;
}

static void receive_plain(struct wire *wire)
{
	size_t room = wire_room(wire);

	(void)fill(wire, &wire->input, room < READ_SIZE ? room : READ_SIZE);
}

static void receive_secure(struct wire *wire)
{
	if (!wire_has_backlog(wire) && !fill(wire, &wire->raw, READ_SIZE))
		return;
	switch (secure_read(wire->secure, &wire->input, wire_room(wire))) {
	case SECURE_MORE:
	case SECURE_DONE:
		break;
	case SECURE_CLOSED:
		close_wire(wire);
		break;
	case SECURE_BROKEN:
		wire_fail(wire, "%s", secure_error(wire->secure));
		break;
	}
}

static void send_secure(struct wire *wire);

static void receive_handshake(struct wire *wire)
{
	if (!fill(wire, &wire->raw, READ_SIZE))
		return;
	switch (secure_handshake(wire->secure)) {
	case SECURE_MORE:
		break;
	case SECURE_DONE:
		wire->receive = receive_secure;
		wire->send = send_secure;
		wire->has_shaken = true;
		break;
	case SECURE_CLOSED:
	case SECURE_BROKEN:
		wire_fail(wire, "%s", secure_error(wire->secure));
		break;
	}
}

bool wire_receive(struct wire *wire)
{
	size_t had = buffer_len(&wire->input);

	wire->receive(wire);
	return buffer_len(&wire->input) > had;
}

size_t wire_room(const struct wire *wire)
{
	size_t len = buffer_len(&wire->input);

	return len < WIRE_INPUT_MAX ? WIRE_INPUT_MAX - len : 0;
}

bool wire_has_backlog(const struct wire *wire)
{
	return wire->has_shaken && (buffer_len(&wire->raw) > 0 ||
				    secure_pending(wire->secure) > 0);
}

/* --- sending --------------------------------------------------------- */

static void break_writing(struct wire *wire)
{
	note(wire, "connection lost: %s", strerror(errno));
	wire->is_write_broken = true;
	buffer_clear(&wire->output);
	buffer_clear(&wire->records);
}

static void drain(struct wire *wire, struct buffer *from)
{
	while (buffer_len(from) > 0 && !wire->is_blocked) {
		struct view all = buffer_view(from);
		ssize_t n = send(wire->fd, all.at, all.len, MSG_NOSIGNAL);

		if (n >= 0) {
			buffer_consume(from, (size_t)n);
			wire->is_blocked = (size_t)n < all.len;
		} else if (errno == EAGAIN) {
			wire->is_blocked = true;
		} else if (errno != EINTR) {
			break_writing(wire);
		}
	}
}

static void send_plain(struct wire *wire)
{
	drain(wire, &wire->output);
}

/* Until the handshake is done, and after close_notify, only records that
 * are ready leave. */
static void send_records(struct wire *wire)
{
	drain(wire, &wire->records);
}

static int encrypt(struct wire *wire)
{
	while (buffer_len(&wire->output) > 0 &&
	       buffer_len(&wire->records) < RECORDS_ENOUGH) {
		struct view piece = view_first(buffer_view(&wire->output),
					       RECORD_SIZE);

		if (secure_write(wire->secure, piece) < 0) {
			wire_fail(wire, "%s", secure_error(wire->secure));
			buffer_clear(&wire->output);
			return -1;
		}
		buffer_consume(&wire->output, piece.len);
	}
	return 0;
}

static void send_secure(struct wire *wire)
{
	do {
		if (encrypt(wire) < 0)
			return;
		drain(wire, &wire->records);
	} while (buffer_len(&wire->output) > 0 && !wire->is_blocked);
}

void wire_send(struct wire *wire)
{
	if (!wire->is_write_broken)
		wire->send(wire);
}

size_t wire_pending(const struct wire *wire)
{
	return buffer_len(&wire->output) + buffer_len(&wire->records);
}

/* --- life ------------------------------------------------------------ */

/* Commands are small and waited for: never held back. */
static void set_options(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int begin_connecting(int fd, const struct net_address *to,
			    const struct net_address *source,
			    struct error *error)
{
	int on = 1;

	if (source && source->sa.any.sa_family) {
		/* the port is chosen with the destination known, so that
		 * many connections can share a local port */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
				 sizeof(on));
		if (bind(fd, &source->sa.any, net_length(source)) < 0)
			return error_errno(error, "cannot use the source "
					   "address");
	}
	if (connect(fd, &to->sa.any, net_length(to)) < 0 &&
	    errno != EINPROGRESS)
		return error_errno(error, "cannot connect");
	return 0;
}

int wire_connect(const struct net_address *to,
		 const struct net_address *source, struct error *error)
{
	int fd = socket(to->sa.any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(error, "cannot make a socket");
	set_options(fd);
	if (begin_connecting(fd, to, source, error) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void wire_init(struct wire *wire, int fd)
{
	*wire = (struct wire){
		.fd = fd, .receive = receive_plain, .send = send_plain,
	};
}

void wire_clear(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	secure_free(wire->secure);
	wire->secure = NULL;
	buffer_clear(&wire->input);
	buffer_clear(&wire->output);
	buffer_clear(&wire->raw);
	buffer_clear(&wire->records);
	free(wire->error);
	wire->error = NULL;
}

static void slim(struct buffer *b)
{
	if (b->data && buffer_len(b) == 0)
		buffer_clear(b);
}

void wire_slim(struct wire *wire)
{
	slim(&wire->input);
	slim(&wire->output);
	slim(&wire->raw);
	slim(&wire->records);
}

void wire_start(struct wire *wire, struct secure *secure)
{
	struct buffer first = wire->records; /* a client's hello */

	wire->secure = secure;
	wire->receive = receive_handshake;
	wire->send = send_records;
	if (buffer_len(&wire->output) == 0)
		return;
	wire->records = wire->output;
	wire->output = (struct buffer){ 0 };
	buffer_append(&wire->records, buffer_view(&first));
	buffer_clear(&first);
}

void wire_finish(struct wire *wire)
{
	if (wire->send == send_secure)
		secure_close(wire->secure);
	if (wire->secure)
		wire->send = send_records;
}
