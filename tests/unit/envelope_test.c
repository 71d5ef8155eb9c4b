/*
 * What is stored comes back as it was, and bytes that were touched do not
 * come back at all.
 */
#include "queue/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/clock.h"
#include "queue/message.h"
#include "queue/pack.h"

static const char id[] = "01M87YD6QR00CCAZER93TGJA6S";

static struct envelope *envelope(void)
{
	struct envelope *e = envelope_new();
	struct recipient *r;

	memcpy(e->id, id, sizeof(e->id));
	free(e->sender);
	e->sender = must_strdup("anna@example.net");
	e->envid = must_strdup("");
	e->ret = RETURN_HEADERS;
	e->is_8bit = e->has_utf8_header = true;
	e->size = 5;
	e->longest_line = 77;
	e->accepted = 1795564800;
	e->accepted_wall = -1;
	r = envelope_add(e, "bernd@tuv.com", "tuv.com");
	r->orcpt = must_strdup("rfc822;Bernd@tuv.com");
	r->notify = NOTIFY_DELAY | NOTIFY_FAILURE;
	envelope_add(e, "carla@xn--bcher-kva.example",
		     "xn--bcher-kva.example");
	return e;
}

static struct buffer message(void)
{
	struct buffer out = { NULL, 0, 0, 0 };
	struct lane_parts parts = { NULL, 0 };
	struct envelope *e = envelope();

	lane_parts_add(&parts, "*.tuv.com", 0);
	lane_parts_add(&parts, "xn--bcher-kva.example", 1);
	message_pack(&out, &parts, e, (struct body_place){ 5, 0 },
		     VIEW("hello"));
	lane_parts_clear(&parts);
	envelope_free(e);
	return out;
}

static void an_envelope_comes_back_as_it_was(void **state)
{
	struct buffer raw = message();
	struct message_record m;

	(void)state;
	assert_int_equal(message_unpack(buffer_view(&raw), id, &m), 0);
	assert_string_equal(m.envelope->id, id);
	assert_string_equal(m.envelope->sender, "anna@example.net");
	assert_string_equal(m.envelope->envid, "");
	assert_int_equal(m.envelope->ret, RETURN_HEADERS);
	assert_true(m.envelope->is_8bit && m.envelope->has_utf8_header);
	assert_false(m.envelope->needs_utf8 || m.envelope->is_report);
	assert_int_equal(m.envelope->size, 5);
	assert_int_equal(m.envelope->longest_line, 77);
	assert_int_equal(m.envelope->accepted, 1795564800);
	assert_int_equal(m.envelope->accepted_wall, -1);
	assert_int_equal(m.envelope->recipient_count, 2);
	assert_string_equal(m.envelope->recipients[0].orcpt,
			    "rfc822;Bernd@tuv.com");
	assert_int_equal(m.envelope->recipients[0].notify,
			 NOTIFY_DELAY | NOTIFY_FAILURE);
	assert_null(m.envelope->recipients[1].orcpt);
	assert_string_equal(m.envelope->recipients[1].domain,
			    "xn--bcher-kva.example");
	assert_int_equal(m.parts.count, 2);
	assert_string_equal(m.parts.at[0].lane, "*.tuv.com");
	assert_int_equal(m.parts.at[1].part, 1);
	assert_true(view_equal(m.small_body, VIEW("hello")));
	message_record_clear(&m);
	buffer_clear(&raw);
}

static int read_message(struct view raw)
{
	struct message_record m;
	int rc = message_unpack(raw, id, &m);

	if (!rc)
		message_record_clear(&m);
	return rc;
}

static int read_job(struct view raw)
{
	struct progress p;
	int rc = progress_unpack(raw, id, &p);

	if (!rc)
		progress_clear(&p);
	return rc;
}

static int read_lane(struct view raw)
{
	struct lane_record lane;

	return lane_unpack(raw, &lane);
}

static int read_clock(struct view raw)
{
	struct clock_record record;

	return clock_unpack(raw, &record);
}

/* Each flipped bit of each byte, and every shorter length. */
static void assert_frail(const struct buffer *raw, int (*read)(struct view))
{
	struct view whole = buffer_view(raw);
	unsigned char *copy = malloc(whole.len);

	assert_int_equal(read(whole), 0);
	for (size_t i = 0; i < whole.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, whole.at, whole.len);
			copy[i] ^= (unsigned char)(1 << bit);
			assert_int_equal(read(view_make(copy, whole.len)), -1);
		}
	for (size_t len = 0; len < whole.len; len++) {
		unsigned char *cut = malloc(len ? len : 1);

		memcpy(cut, whole.at, len);
		assert_int_equal(read(view_make(cut, len)), -1);
		free(cut);
	}
	free(copy);
}

static void a_touched_message_is_none(void **state)
{
	struct buffer raw = message();

	(void)state;
	assert_frail(&raw, read_message);
	assert_int_equal(record_open(buffer_view(&raw), RECORD_MESSAGE,
				     "01M87YD6QR00CCAZER93TGJA6T", NULL,
				     &(struct view){ NULL, 0 }), -1);
	buffer_clear(&raw);
}

static struct progress progress(unsigned attempts)
{
	struct progress p = { .due = 12345 };
	struct result r = { .reply_code = 450 };

	progress_open(&p, 3, NULL);
	progress_open(&p, 7, "450 other");
	for (unsigned i = 0; i < attempts; i++) {
		result_set(&r, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
			   "attempt %u", i);
		progress_attempt(&p, &r, 1000 + i);
	}
	return p;
}

static void a_job_keeps_its_first_and_last_seven_attempts(void **state)
{
	struct progress p = progress(20), q;
	struct buffer raw = { NULL, 0, 0, 0 };

	(void)state;
	progress_pack(&raw, &p, "one", id, 3);
	assert_int_equal(progress_unpack(buffer_view(&raw), id, &q), 0);
	assert_int_equal(q.attempts, 20);
	assert_int_equal(q.log_count, 14);
	assert_string_equal(q.log[6].text, "attempt 6");
	assert_string_equal(q.log[7].text, "attempt 13");
	assert_string_equal(progress_last(&q)->text, "attempt 19");
	assert_int_equal(q.due, 12345);
	assert_int_equal(q.open_count, 2);
	assert_null(q.open[0].reason);
	assert_string_equal(q.open[1].reason, "450 other");
	progress_clear(&p);
	progress_clear(&q);
	buffer_clear(&raw);
}

static void an_attempt_keeps_what_the_host_proved(void **state)
{
	struct progress p = { .due = 1 }, q;
	struct result r = {
		.proof = {
			.level = "verify", .verdict = "next-host",
			.reason_code = "certificate-not-yet-valid",
			.version = "TLSv1.3",
			.cipher = "TLS_CHACHA20_POLY1305_SHA256",
			.name = "mx5.example.test", .issuer = "CA X",
			.pin = "sha256:00", .pinned = 2,
		},
	};
	struct buffer raw = { NULL, 0, 0, 0 };
	char text[PROOF_TEXT_MAX];

	(void)state;
	progress_open(&p, 0, NULL);
	result_set(&r, OUTCOME_DEFERRED, BLAME_HOST, "4.7.5", "no");
	progress_attempt(&p, &r, 1000);
	progress_pack(&raw, &p, "one", id, 3);
	assert_int_equal(progress_unpack(buffer_view(&raw), id, &q), 0);
	assert_memory_equal(&progress_last(&q)->proof, &r.proof,
			    sizeof(r.proof));
	proof_text(&progress_last(&q)->proof, text);
	assert_string_equal(text, "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 "
				  "unverified name=mx5.example.test "
				  "issuer=\"CA X\" pin=sha256:00");
	progress_clear(&p);
	progress_clear(&q);
	buffer_clear(&raw);
}

static void a_long_text_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	proof_field(out, sizeof(out), "abcdef\xc3\xbc");
	assert_string_equal(out, "abcdef");
	proof_field(out, sizeof(out), "abcde\xc3\xbc");
	assert_string_equal(out, "abcde\xc3\xbc");
	proof_field(out, sizeof(out), "");
	assert_string_equal(out, "");
}

static void a_touched_job_is_none(void **state)
{
	struct progress p = progress(2);
	struct buffer raw = { NULL, 0, 0, 0 };

	(void)state;
	progress_pack(&raw, &p, "one", id, 3);
	assert_frail(&raw, read_job);
	progress_clear(&p);
	buffer_clear(&raw);
}

static void a_touched_lane_or_clock_is_none(void **state)
{
	struct lane_record lane = { .name = "one", .due = 5, .text = "why" };
	struct buffer raw = { NULL, 0, 0, 0 };

	(void)state;
	lane_pack(&raw, &lane);
	assert_frail(&raw, read_lane);
	buffer_reset(&raw);
	clock_pack(&raw, (struct clock_record){ 1, 2 });
	assert_frail(&raw, read_clock);
	buffer_clear(&raw);
}

/* With the right checksum over wrong contents: counts and lengths that the
 * rest cannot hold. */
static void an_impossible_content_is_refused(void **state)
{
	struct buffer good = message();
	struct view whole = buffer_view(&good);

	(void)state;
	for (size_t i = RECORD_FRAME; i + 4 <= whole.len; i++) {
		struct buffer raw = { NULL, 0, 0, 0 };

		buffer_append(&raw, whole);
		memset(raw.data + raw.start + i, 0xff, 4);
		record_seal(&raw, RECORD_MESSAGE, id, 0);
		/* good or not: it must not run off */
		read_message(buffer_view(&raw));
		buffer_clear(&raw);
	}
	buffer_clear(&good);
}

static void keys_sort_by_lane_then_due_then_id(void **state)
{
	struct key keys[] = {
		key_due("a", 1, id, 0),	  key_due("a", 2, id, 0),
		key_due("a", 256, id, 0), key_due("a", 256, id, 1),
		key_due("ab", 0, id, 0),  key_due("b", 0, id, 0),
	};
	struct job_key out;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(keys) / sizeof(*keys); i++) {
		size_t least = keys[i].len < keys[i + 1].len ?
				       keys[i].len : keys[i + 1].len;

		assert_true(memcmp(keys[i].at, keys[i + 1].at, least) < 0);
	}
	assert_int_equal(key_parse(key_view(&keys[3]), &out), 0);
	assert_string_equal(out.lane, "a");
	assert_int_equal(out.due, 256);
	assert_string_equal(out.id, id);
	assert_int_equal(out.part, 1);
	for (size_t len = 0; len < keys[3].len; len++)
		assert_int_equal(key_parse(view_make(keys[3].at, len), &out),
				 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_comes_back_as_it_was),
		cmocka_unit_test(a_touched_message_is_none),
		cmocka_unit_test(a_job_keeps_its_first_and_last_seven_attempts),
		cmocka_unit_test(an_attempt_keeps_what_the_host_proved),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(a_touched_job_is_none),
		cmocka_unit_test(a_touched_lane_or_clock_is_none),
		cmocka_unit_test(an_impossible_content_is_refused),
		cmocka_unit_test(keys_sort_by_lane_then_due_then_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
