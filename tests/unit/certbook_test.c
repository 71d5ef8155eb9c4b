/*
 * The book of partners' certificates: what changes it, what is told of it
 * and how often, and what becomes of text that is none.
 */
#include "relay/certbook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 24 * 3600, NOW = 1780000000 };

static char told[512];

static void hear(void *arg, enum certbook_news news,
		 const struct certbook_entry *old,
		 const struct certbook_entry *now)
{
	size_t len = strlen(told);

	(void)arg;
	if (news == CERTBOOK_CHANGED)
		snprintf(told + len, sizeof(told) - len, "%s:%s>%s ",
			 now->host, old->sha256, now->sha256);
	else
		snprintf(told + len, sizeof(told) - len, "%s:%u ", now->host,
			 now->warned);
}

static const char *merge(struct certbook *book, struct certbook *seen,
			 int64_t now)
{
	told[0] = '\0';
	certbook_merge(book, seen, now, hear, NULL);
	certbook_clear(seen);
	return told;
}

static struct certbook_entry *see(struct certbook *seen, const char *host,
				  const char *sha256, int64_t at, int64_t ends)
{
	struct certbook_entry *e = certbook_get(seen, "*.tuv.com", host);

	snprintf(e->sha256, sizeof(e->sha256), "%s", sha256);
	snprintf(e->verdict, sizeof(e->verdict), "deliver");
	e->first_seen = e->last_seen = at;
	e->not_after = ends;
	return e;
}

static void a_change_is_told_by_what_differs(void **state)
{
	struct certbook_entry old = {
		.pin = "sha256:1", .names = "mx5.de.tuv.com",
		.issuer = "D-TRUST", .not_after = NOW,
	};
	struct certbook_entry now = old;
	char text[CERTBOOK_TEXT_MAX];

	(void)state;
	now.not_after = NOW + 365 * (int64_t)DAY;
	certbook_change_text(&old, &now, text);
	assert_string_equal(text, "certificate changed: the same key; ends "
				  "2027-05-28, before 2026-05-28");
	snprintf(now.pin, sizeof(now.pin), "sha256:2");
	snprintf(now.issuer, sizeof(now.issuer), "Mallory");
	memset(now.names, 'x', sizeof(now.names) - 1);
	certbook_change_text(&old, &now, text);
	assert_non_null(strstr(text, "another key; bears xxx"));
	assert_non_null(strstr(text, "before mx5.de.tuv.com; issued by "
				     "Mallory, before D-TRUST; ends "));
	now.names[0] = '\0';
	certbook_change_text(&old, &now, text);
	assert_non_null(strstr(text, "bears none, before mx5"));
}

static void a_change_is_told_once(void **state)
{
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 };
	int64_t far = NOW + 300 * (int64_t)DAY;
	const struct certbook_entry *e;

	(void)state;
	see(&seen, "mx5", "a", NOW, far);
	see(&seen, "mx6", "a", NOW, far);
	assert_string_equal(merge(&book, &seen, NOW), "");
	see(&seen, "mx5", "a", NOW + 60, far);
	assert_string_equal(merge(&book, &seen, NOW + 60), "");
	see(&seen, "mx5", "b", NOW + 120, far + DAY);
	assert_string_equal(merge(&book, &seen, NOW + 120), "mx5:a>b ");
	see(&seen, "mx5", "b", NOW + 180, far + DAY);
	assert_string_equal(merge(&book, &seen, NOW + 180), "");
	e = certbook_find(&book, "*.tuv.com", "mx5");
	assert_int_equal(e->changes, 1);
	assert_string_equal(e->previous, "a");
	assert_int_equal(e->first_seen, NOW + 120);
	assert_int_equal(e->last_seen, NOW + 180);
	/* what another worker saw before is no change back */
	see(&seen, "mx5", "a", NOW + 100, far);
	assert_string_equal(merge(&book, &seen, NOW + 200), "");
	/* the same host under another agreement has its own entry */
	assert_null(certbook_find(&book, "*.other", "mx5"));
	certbook_clear(&book);
}

/* Two machines behind one address, one of them renewed. */
static void two_certificates_by_turns_are_soon_known(void **state)
{
	static const char *const told_of[] = {
		"mx5:a>b ", "mx5:b>a mx5:30 ", "mx5:a>b ", "", "", "", "",
	};
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 };
	int64_t soon = NOW + 20 * (int64_t)DAY, far = NOW + 300 * (int64_t)DAY;
	char text[CERTBOOK_TEXT_MAX];
	struct certbook_entry *e;
	size_t i;

	(void)state;
	see(&seen, "mx5", "a", NOW, soon);
	assert_string_equal(merge(&book, &seen, NOW), "mx5:30 ");
	for (i = 0; i < sizeof(told_of) / sizeof(told_of[0]); i++) {
		int64_t at = NOW + 60 * (int64_t)(i + 1);

		see(&seen, "mx5", i % 2 ? "a" : "b", at, i % 2 ? soon : far);
		assert_string_equal(merge(&book, &seen, at), told_of[i]);
	}
	e = certbook_find(&book, "*.tuv.com", "mx5");
	assert_int_equal(e->changes, 7);
	e->flips = CERTBOOK_FLIPS_TOLD;
	certbook_change_text(e, e, text);
	assert_non_null(strstr(text, "two certificates by turns"));
	/* a third one is news, and so is one that comes back much later */
	see(&seen, "mx5", "c", NOW + DAY, far);
	assert_string_equal(merge(&book, &seen, NOW + DAY), "mx5:b>c ");
	see(&seen, "mx5", "b", NOW + 3 * (int64_t)DAY, far);
	assert_string_equal(merge(&book, &seen, NOW + 3 * (int64_t)DAY),
			    "mx5:c>b ");
	certbook_clear(&book);
}

static void a_host_without_a_certificate_keeps_its_last_one(void **state)
{
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 };
	int64_t far = NOW + 300 * (int64_t)DAY;
	struct certbook_entry *e;

	(void)state;
	e = see(&seen, "mx5", "", NOW, 0);
	snprintf(e->verdict, sizeof(e->verdict), "starttls-not-supported");
	e->would_failed = 2;
	assert_string_equal(merge(&book, &seen, NOW), "");
	see(&seen, "mx5", "a", NOW + 1, far);
	assert_string_equal(merge(&book, &seen, NOW + 1), "");
	e = see(&seen, "mx5", "", NOW + 2, 0);
	e->would_failed = 3;
	snprintf(e->would, sizeof(e->would), "starttls-not-supported");
	assert_string_equal(merge(&book, &seen, NOW + 2), "");
	e = certbook_find(&book, "*.tuv.com", "mx5");
	assert_string_equal(e->sha256, "a");
	assert_int_equal(e->not_after, far);
	assert_int_equal(e->would_failed, 5);
	assert_string_equal(e->would, "starttls-not-supported");
	certbook_clear(&book);
}

static void an_end_is_warned_of_at_30_7_and_1_days(void **state)
{
	static const struct {
		int64_t days; /* left */
		const char *told;
	} rows[] = {
		{ 40, "" }, { 31, "" }, { 30, "mx5:30 " }, { 29, "" },
		{ 8, "" },  { 7, "mx5:7 " }, { 3, "" }, { 1, "mx5:1 " },
		{ 0, "" },  { -5, "" },
	};
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 };
	int64_t end = NOW + 100 * (int64_t)DAY;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now = end - rows[i].days * DAY;

		see(&seen, "mx5", "a", now, end);
		assert_string_equal(merge(&book, &seen, now), rows[i].told);
		/* and not again */
		assert_string_equal(merge(&book, &seen, now), "");
	}
	/* a new certificate that is short from the start */
	see(&seen, "mx5", "b", end + 6 * (int64_t)DAY, end + 10 * (int64_t)DAY);
	assert_string_equal(merge(&book, &seen, end + 6 * (int64_t)DAY),
			    "mx5:a>b mx5:7 ");
	certbook_clear(&book);
}

static void who_is_not_met_any_more_is_forgotten(void **state)
{
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 };

	(void)state;
	see(&seen, "mx5", "a", NOW, NOW + 60 * (int64_t)DAY);
	merge(&book, &seen, NOW);
	/* no warning of what nobody has used for a month */
	assert_string_equal(merge(&book, &seen, NOW + 31 * (int64_t)DAY), "");
	assert_string_equal(merge(&book, &seen, NOW + 59 * (int64_t)DAY), "");
	assert_int_equal(book.count, 1);
	merge(&book, &seen, NOW + 401 * (int64_t)DAY);
	assert_int_equal(book.count, 0);
	certbook_clear(&book);
}

static void the_book_is_bounded(void **state)
{
	struct certbook book = { NULL, 0 };
	char host[32];
	int i;

	(void)state;
	for (i = 0; i < CERTBOOK_MAX + 10; i++) {
		snprintf(host, sizeof(host), "mx%d", i);
		certbook_get(&book, "*", host)->last_seen = NOW + i;
	}
	assert_int_equal(book.count, CERTBOOK_MAX);
	assert_null(certbook_find(&book, "*", "mx9"));
	assert_non_null(certbook_find(&book, "*", "mx10"));
	certbook_clear(&book);
}

static void what_is_written_is_read(void **state)
{
	struct certbook book = { NULL, 0 }, seen = { NULL, 0 }, again;
	struct buffer text = { 0 };
	struct certbook_entry *e;
	size_t i;

	(void)state;
	e = see(&seen, "mx5.de.tuv.com[192.0.2.1]:25", "sha256:ab", NOW,
		NOW + 90 * (int64_t)DAY);
	snprintf(e->names, sizeof(e->names), "mx5.de.tuv.com mx6.de.tuv.com");
	snprintf(e->issuer, sizeof(e->issuer), "D-TRUST SSL Class 3 CA");
	e->would_failed = 7;
	e->not_before = -5;
	merge(&book, &seen, NOW);
	e = certbook_get(&book, "*", "b");
	e->last_seen = 1;
	certbook_write(&book, &text);
	again = (struct certbook){ NULL, 0 };
	assert_int_equal(certbook_read(&again, buffer_view(&text)), 0);
	assert_int_equal(again.count, 2);
	book.entries[0].not_before = 0; /* before 1970 */
	assert_memory_equal(again.entries, book.entries, 2 * sizeof(*e));
	certbook_clear(&again);
	/* cut anywhere, or with a byte that is another: never more */
	for (i = 0; i < buffer_len(&text); i++) {
		unsigned char *at = text.data + text.start + i, old = *at;

		certbook_read(&again, view_first(buffer_view(&text), i));
		*at = i % 3 ? '\0' : '\t';
		certbook_read(&again, buffer_view(&text));
		*at = old;
	}
	certbook_clear(&again);
	assert_int_equal(certbook_read(&again, VIEW("")), 0);
	assert_int_equal(certbook_read(&again, VIEW("something else\n")), 1);
	assert_int_equal(certbook_read(&again,
				       VIEW("postern-certificates 1\n\n\n")),
			 2);
	assert_int_equal(again.count, 0);
	certbook_clear(&book);
	buffer_clear(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_told_by_what_differs),
		cmocka_unit_test(a_change_is_told_once),
		cmocka_unit_test(two_certificates_by_turns_are_soon_known),
		cmocka_unit_test(
			a_host_without_a_certificate_keeps_its_last_one),
		cmocka_unit_test(an_end_is_warned_of_at_30_7_and_1_days),
		cmocka_unit_test(who_is_not_met_any_more_is_forgotten),
		cmocka_unit_test(the_book_is_bounded),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
