/*
 * Stored records: whatever stands in the store, decoding it ends, stays in
 * its bounds and frees what it made.  The first byte chooses the kind; the
 * frame is made right again, so that the fuzzer gets past the checksum.
 */
#include <stddef.h>
#include <stdint.h>

#include "queue/clock.h"
#include "queue/holds.h"
#include "queue/message.h"

static const char id[] = "01M87YD6QR00CCAZER93TGJA6S";

static void read_message(struct view raw)
{
	struct message_record message;
	struct lane_parts parts;
	struct body_place place;
	struct view rest;

	if (!message_lanes(raw, &parts, &rest))
		lane_parts_clear(&parts);
	(void)message_place(raw, &place);
	if (!message_unpack(raw, id, &message))
		message_record_clear(&message);
}

static void read_job(struct view raw)
{
	struct progress progress;

	if (!progress_unpack(raw, id, &progress))
		progress_clear(&progress);
}

static void read_others(struct view raw)
{
	struct lane_record lane;
	struct clock_record record;
	struct hold hold;
	struct job_key key;
	char text[MESSAGE_ID_LEN + 1];

	(void)lane_unpack(raw, &lane);
	(void)clock_unpack(raw, &record);
	(void)hold_unpack(raw, &hold);
	(void)key_parse(raw, &key);
	(void)key_parse_id(raw, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char kinds[] = "MJLZH";
	struct buffer record = { NULL, 0, 0, 0 };
	char kind;

	if (!size)
		return 0;
	kind = kinds[data[0] % 5];
	record_begin(&record);
	buffer_append(&record, view_make(data + 1, size - 1));
	record_seal(&record, (enum record_kind)kind,
		    kind == 'M' || kind == 'J' ? id : NULL, 0);
	if (kind == 'M')
		read_message(buffer_view(&record));
	else if (kind == 'J')
		read_job(buffer_view(&record));
	else
		read_others(buffer_view(&record));
	read_others(view_make(data, size));
	buffer_clear(&record);
	return 0;
}
