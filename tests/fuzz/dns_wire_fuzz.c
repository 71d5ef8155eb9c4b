/*
 * Whatever a resolver or a worker sends: it is refused, or it comes out
 * the same when it is written again.
 */
#include "relay/dns_wire.h"

#include "relay/dns_rdata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must_equal(struct buffer *again, struct view in)
{
	if (!view_equal(buffer_view(again), in))
		abort();
	buffer_clear(again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view in = view_make(data, size);
	struct dns_question question;
	struct dns_answer answer;
	struct dns_record record;
	struct buffer again = { 0 };
	enum dns_type type;
	uint32_t id;

	if (dns_wire_get_question(in, &question) == 0) {
		dns_wire_put_question(&again, &question);
		must_equal(&again, in);
	}
	if (dns_wire_get_answer(in, &id, &type, &answer) == 0) {
		dns_wire_put_answer(&again, id, type, &answer);
		must_equal(&again, in);
		dns_answer_clear(&answer);
	}
	if (size > 0 && dns_type_known(data[0]))
		dns_rdata_read((enum dns_type)data[0], view_from(in, 1),
			       &record);
	return 0;
}
