/*
 * Composes Received:.  What the client said goes in only as far as it is
 * made of bytes that a host name or an address literal has; all else
 * becomes '?', so that nobody writes header lines through EHLO.
 */
#include "relay/smtp/trace.h"

#include <string.h>

const char *trace_protocol(bool is_esmtp, bool is_utf8, bool is_tls)
{
	if (!is_esmtp)
		return "SMTP";
	if (is_utf8)
		return is_tls ? "UTF8SMTPS" : "UTF8SMTP";
	return is_tls ? "ESMTPS" : "ESMTP";
}

/* Days since 1970-01-01 as year, month, day: the calendar repeats every
 * 400 years, and years that begin in March have their leap day last. */
static void civil(int64_t days, int *year, int *month, int *day)
{
	int64_t era, rest, of_era, of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	rest = days - era * 146097;
	of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
	of_year = rest - (365 * of_era + of_era / 4 - of_era / 100);
	shifted = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(of_era + era * 400 + (*month <= 2));
}

static char *put_text(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

static char *put_number(char *at, int value, int digits, char after)
{
	for (int i = digits; i-- > 0; value /= 10)
		at[i] = (char)('0' + value % 10);
	at[digits] = after;
	return at + digits + 1;
}

void trace_date(int64_t now, char out[TRACE_DATE_LEN + 1])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day_count = now / 86400, second = now % 86400;
	int year, month, day, weekday;
	char *at = out;

	if (second < 0) {
		second += 86400;
		day_count--;
	}
	civil(day_count, &year, &month, &day);
	weekday = (int)((day_count % 7 + 7) % 7);
	at = put_text(at, days + (size_t)(3 * weekday), 3);
	at = put_text(at, ", ", 2);
	at = put_number(at, day, 2, ' ');
	at = put_text(at, months + (size_t)(3 * (month - 1)), 3);
	at = put_text(at, " ", 1);
	at = put_number(at, year, 4, ' ');
	at = put_number(at, (int)(second / 3600), 2, ':');
	at = put_number(at, (int)(second / 60 % 60), 2, ':');
	at = put_number(at, (int)(second % 60), 2, ' ');
	put_text(at, "+0000", sizeof("+0000"));
}

static bool is_host_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') ||
	       (byte != '\0' && strchr(".-_:[]", byte) != NULL);
}

static void write_helo(struct buffer *out, const char *helo)
{
	char shown[TRACE_NAME_MAX];
	size_t i, len = strnlen(helo, TRACE_NAME_MAX);

	for (i = 0; i < len; i++)
		shown[i] = is_host_byte(helo[i]) ? helo[i] : '?';
	buffer_append(out, len > 0 ? view_make(shown, len) : VIEW("unknown"));
}

/* Only what is plain in every header: an address that needs SMTPUTF8, or
 * that would fold the line, is left out. */
static bool is_plain(const char *recipient)
{
	size_t i;

	if (!recipient || strlen(recipient) > TRACE_NAME_MAX)
		return false;
	for (i = 0; recipient[i] != '\0'; i++)
		if (recipient[i] < ' ' || recipient[i] > '~')
			return false;
	return true;
}

static void append(struct buffer *out, const char *const *words)
{
	while (*words)
		buffer_append_text(out, *words++);
}

void trace_write(struct buffer *out, const struct trace *trace)
{
	char date[TRACE_DATE_LEN + 1], client[NET_TEXT_MAX];

	net_literal(trace->client, client);
	trace_date(trace->now, date);
	buffer_append(out, VIEW("Received: from "));
	write_helo(out, trace->helo);
	append(out, (const char *const[]){ " (", client, ")\r\n", NULL });
	if (trace->facts && trace->facts->is_tls)
		append(out, (const char *const[]){
				    "\t(using ", trace->facts->version,
				    " with cipher ", trace->facts->cipher,
				    ")\r\n", NULL });
	append(out, (const char *const[]){ "\tby ", trace->hostname,
					   " (Postern) with ", trace->protocol,
					   " id ", trace->id, NULL });
	if (is_plain(trace->recipient))
		append(out, (const char *const[]){
				    "\r\n\tfor <", trace->recipient, ">",
				    NULL });
	append(out, (const char *const[]){ ";\r\n\t", date, "\r\n", NULL });
}
