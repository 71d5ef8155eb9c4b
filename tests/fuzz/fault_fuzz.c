/*
 * A lab's faults from arbitrary bytes.  What is accepted must be written as
 * it is read, and a refusal must say something.
 */
#include "conf/fault.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_again(const struct fault *fault)
{
	struct buffer first = { 0 }, second = { 0 };
	struct fault again;
	struct error error;

	fault_print(fault, &first);
	require(!fault_parse(buffer_view(&first), &again, &error));
	require(fault_is_same(fault, &again));
	require(fault->number == again.number && fault->first == again.first &&
		fault->every == again.every);
	fault_print(&again, &second);
	require(view_equal(buffer_view(&first), buffer_view(&second)));
	fault_clear(&again);
	buffer_clear(&first);
	buffer_clear(&second);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct error error = { "" };
	struct fault fault;

	if (fault_parse(view_make(data, size), &fault, &error)) {
		require(*error.text);
		return 0;
	}
	check_again(&fault);
	(void)fault_matches(fault.from, "user@host.example");
	(void)fault_matches(fault.to, "");
	fault_clear(&fault);
	return 0;
}
