/*
 * Between the supervisor and its children: one datagram a message, the
 * descriptor riding along as SCM_RIGHTS.  What is malformed counts as the
 * other side being gone.
 */
#include "relay/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire {
	uint32_t kind, number;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int channel_pair(int ends[2], struct error *error)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, ends) < 0)
		return error_errno(error, "socketpair");
	return 0;
}

int channel_send(int channel, const struct channel_message *message)
{
	struct wire wire = { (uint32_t)message->kind, message->number };
	struct iovec iov = { &wire, sizeof(wire) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	ssize_t n;

	if (message->fd >= 0) {
		struct cmsghdr *rights;

		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &message->fd, sizeof(int));
	}
	do
		n = sendmsg(channel, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(wire) ? 0 : -1;
}

static int passed_descriptor(struct msghdr *header)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(header);
	int fd;

	if (!rights || rights->cmsg_level != SOL_SOCKET ||
	    rights->cmsg_type != SCM_RIGHTS ||
	    rights->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(rights), sizeof(int));
	return fd;
}

int channel_receive(int channel, struct channel_message *message)
{
	struct wire wire;
	struct iovec iov = { &wire, sizeof(wire) };
	union control control = { 0 };
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	do
		n = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	message->fd = passed_descriptor(&header);
	if (n != (ssize_t)sizeof(wire) || wire.kind < CHANNEL_BUNDLE ||
	    wire.kind > CHANNEL_STOP_NOW) {
		if (message->fd >= 0)
			close(message->fd);
		return -1;
	}
	message->kind = (enum channel_kind)wire.kind;
	message->number = wire.number;
	return 1;
}
