/*
 * The relay's store for server.h: each verb is the queue's of the same
 * meaning.  The session's TLS facts are in the trace line already.
 */
#include "relay/store.h"

static bool has_room(void *store, uint64_t size)
{
	return queue_has_room(store, size);
}

static uint64_t largest(void *store)
{
	return queue_largest(store);
}

static void *begin(void *store, intake_callback *call, void *arg)
{
	return intake_new(store, call, arg);
}

static const char *id(void *message)
{
	return intake_id(message);
}

static void append(void *message, struct view bytes)
{
	intake_append(message, bytes);
}

static bool is_full(void *message)
{
	return intake_is_full(message);
}

static void commit(void *message, struct envelope *envelope,
		   const struct tls_facts *facts)
{
	(void)facts;
	intake_commit(message, envelope);
}

static void forget(void *message)
{
	intake_abort(message);
}

const struct store_verbs store_queue = {
	.has_room = has_room,
	.largest = largest,
	.begin = begin,
	.id = id,
	.append = append,
	.is_full = is_full,
	.commit = commit,
	.abort = forget,
};
