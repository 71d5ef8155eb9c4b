/*
 * Messages and descriptors pass between supervisor and child; the end of
 * one side is seen by the other.
 */
#include "relay/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void open_channel(int ends[2])
{
	struct error error;

	assert_int_equal(channel_pair(ends, &error), 0);
}

static void a_descriptor_arrives_and_closes_on_exec(void **state)
{
	struct channel_message in = { CHANNEL_LISTENER, 4000000000u, -1 }, out;
	int ends[2], pipe_ends[2];
	char byte = 0;

	(void)state;
	open_channel(ends);
	assert_int_equal(pipe(pipe_ends), 0);
	in.fd = pipe_ends[1];
	assert_int_equal(channel_send(ends[0], &in), 0);
	close(pipe_ends[1]);
	assert_int_equal(channel_receive(ends[1], &out), 1);
	assert_int_equal(out.kind, CHANNEL_LISTENER);
	assert_int_equal(out.number, 4000000000u);
	assert_true(fcntl(out.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(out.fd, "x", 1), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	close(out.fd);
	close(pipe_ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void nothing_the_last_word_and_the_end_are_told_apart(void **state)
{
	const struct channel_message in = { CHANNEL_STOP, 0, -1 };
	struct channel_message out;
	int ends[2];

	(void)state;
	open_channel(ends);
	assert_int_equal(channel_receive(ends[1], &out), 0);
	assert_int_equal(channel_send(ends[0], &in), 0);
	close(ends[0]);
	assert_int_equal(channel_receive(ends[1], &out), 1);
	assert_int_equal(out.fd, -1);
	assert_int_equal(channel_receive(ends[1], &out), -1);
	assert_int_equal(channel_send(ends[1], &in), -1);
	close(ends[1]);
}

static void what_is_no_message_ends_the_channel(void **state)
{
	static const char junk[] = "\377\377\377\377\377\377\377\377\377";
	struct channel_message out;
	int ends[2];

	(void)state;
	open_channel(ends);
	assert_int_equal(send(ends[0], junk, 8, 0), 8);
	assert_int_equal(send(ends[0], junk, 3, 0), 3);
	assert_int_equal(channel_receive(ends[1], &out), -1);
	assert_int_equal(channel_receive(ends[1], &out), -1);
	close(ends[0]);
	close(ends[1]);
}

static void a_child_that_does_not_read_is_noticed(void **state)
{
	const struct channel_message in = { CHANNEL_STOP, 0, -1 };
	int ends[2], sent = 0;

	(void)state;
	open_channel(ends);
	while (sent < 1000000 && channel_send(ends[0], &in) == 0)
		sent++;
	assert_in_range(sent, 100, 999999);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_arrives_and_closes_on_exec),
		cmocka_unit_test(
			nothing_the_last_word_and_the_end_are_told_apart),
		cmocka_unit_test(what_is_no_message_ends_the_channel),
		cmocka_unit_test(a_child_that_does_not_read_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
