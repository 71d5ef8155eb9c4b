/*
 * Composes Received:.  What the client said goes in only as far as it is
 * made of bytes that a host name or an address literal has; all else
 * becomes '?', so that nobody writes header lines through EHLO.
 */
#include "relay/smtp/trace.h"

#include <stdio.h>
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

void trace_date(int64_t now, char out[TRACE_DATE_LEN + 1])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day_count = now / 86400, second = now % 86400;
	int year, month, day, weekday;
	char text[64];

	if (second < 0) {
		second += 86400;
		day_count--;
	}
	civil(day_count, &year, &month, &day);
	weekday = (int)((day_count % 7 + 7) % 7);
	snprintf(text, sizeof(text),
		 "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000",
		 days + 3 * weekday, day, months + 3 * (month - 1), year,
		 (int)(second / 3600), (int)(second / 60 % 60),
		 (int)(second % 60));
	snprintf(out, TRACE_DATE_LEN + 1, "%.*s", TRACE_DATE_LEN, text);
}

static bool is_host_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') ||
	       (byte != '\0' && strchr(".-_:[]", byte) != NULL);
}

static void write_helo(struct buffer *out, const char *helo)
{
	size_t i, len = strnlen(helo, TRACE_NAME_MAX);

	if (len == 0)
		buffer_append(out, VIEW("unknown"));
	for (i = 0; i < len; i++)
		buffer_append_byte(out, is_host_byte(helo[i])
						? (unsigned char)helo[i]
						: '?');
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

void trace_write(struct buffer *out, const struct trace *trace)
{
	char date[TRACE_DATE_LEN + 1], client[NET_TEXT_MAX];

	net_literal(trace->client, client);
	trace_date(trace->now, date);
	buffer_append(out, VIEW("Received: from "));
	write_helo(out, trace->helo);
	buffer_printf(out, " (%s)\r\n", client);
	if (trace->facts && trace->facts->is_tls)
		buffer_printf(out, "\t(using %s with cipher %s)\r\n",
			      trace->facts->version, trace->facts->cipher);
	buffer_printf(out, "\tby %s (Postern) with %s id %s", trace->hostname,
		      trace->protocol, trace->id);
	if (is_plain(trace->recipient))
		buffer_printf(out, "\r\n\tfor <%s>", trace->recipient);
	buffer_printf(out, ";\r\n\t%s\r\n", date);
}
