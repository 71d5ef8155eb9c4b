/*
 * Comes in: a matrix.  Goes out: the table of the partner's form, two lines
 * a row, and the line of CSV.  Host names are canonical, so that nothing
 * here needs escaping but the address that was asked about.
 */
#include "relay/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/score.h"

enum { NAME_LEAST = 20, NAME_MOST = 45, DAY = 24 * 60 * 60 };

void matrix_clear(struct matrix *matrix)
{
	size_t i;

	for (i = 0; i < matrix->count; i++)
		facts_clear(&matrix->rows[i].facts);
	free(matrix->rows);
	memset(matrix, 0, sizeof(*matrix));
}

size_t matrix_columns(const struct matrix *matrix,
		      enum matrix_stage out[MATRIX_STAGES])
{
	size_t i, count = 0;

	for (i = 0; i < MATRIX_STAGES; i++) {
		if (matrix->is_assured && i > MATRIX_CAN_USE &&
		    i != MATRIX_SENDER)
			continue;
		out[count++] = (enum matrix_stage)i;
	}
	return count;
}

const char *matrix_title(const struct matrix *matrix, enum matrix_stage stage)
{
	static const char *const titles[] = {
		[MATRIX_CONNECT] = "Connect",  [MATRIX_ALLOWED] = "Allowed",
		[MATRIX_CAN_USE] = "Can Use",  [MATRIX_TLS_ADV] = "TLS Adv",
		[MATRIX_CERT] = "Cert OK",     [MATRIX_TLS_NEG] = "TLS Neg",
		[MATRIX_SENDER] = "Sndr OK",   [MATRIX_RECIPIENT] = "Rcvr OK",
	};

	if (matrix->is_assured && stage == MATRIX_SENDER)
		return "Refuses";
	return titles[stage];
}

const char *matrix_key(const struct matrix *matrix, enum matrix_stage stage)
{
	static const char *const keys[] = {
		[MATRIX_CONNECT] = "connect",  [MATRIX_ALLOWED] = "allowed",
		[MATRIX_CAN_USE] = "can_use",  [MATRIX_TLS_ADV] = "tls_adv",
		[MATRIX_CERT] = "cert",        [MATRIX_TLS_NEG] = "tls_neg",
		[MATRIX_SENDER] = "sender",    [MATRIX_RECIPIENT] = "recipient",
	};

	if (matrix->is_assured && stage == MATRIX_SENDER)
		return "refuses";
	return keys[stage];
}

const char *matrix_state_text(enum matrix_state state)
{
	static const char *const texts[] = {
		[MATRIX_UNREACHED] = "-", [MATRIX_OK] = "OK",
		[MATRIX_FAIL] = "FAIL",   [MATRIX_TEMP] = "TEMP",
		[MATRIX_UNASKED] = "-",
	};

	return texts[state];
}

const struct judgement *matrix_judgement(const struct matrix_row *row)
{
	if (row->has_would)
		return &row->would;
	return row->is_judged ? &row->judgement : NULL;
}

void matrix_demand(const struct matrix *matrix, const struct matrix_row *row,
		   struct demand *demand)
{
	const struct demand_question question = {
		.policy = matrix->policy,
		.domain = matrix->domain,
		.source = row->source,
		.host = row->host,
		.conf = matrix->conf,
		.is_dry_run = true,
	};

	tls_demand(&question, demand);
}

int64_t matrix_days_left(const struct matrix *matrix,
			 const struct facts_certificate *certificate)
{
	int64_t left = certificate->not_after - matrix->now;

	return left >= 0 ? left / DAY : -((DAY - 1 - left) / DAY);
}

bool matrix_is_ending(const struct matrix *matrix,
		      const struct matrix_row *row)
{
	const struct tls_facts *facts = &row->facts;
	size_t i;

	if (matrix->warn_days == 0 || facts->presented == 0 ||
	    facts->chain == CHAIN_UNREADABLE)
		return false;
	if (matrix_days_left(matrix, &facts->leaf) < matrix->warn_days)
		return true;
	/* The anchor, which is the last, is trusted whatever its dates. */
	for (i = 0; i + 1 < facts->verified_count; i++)
		if (matrix_days_left(matrix, &facts->verified[i]) <
		    matrix->warn_days)
			return true;
	return false;
}

void matrix_host(const struct matrix_row *row, char out[RESULT_HOST_MAX])
{
	char address[NET_TEXT_MAX] = "no address";

	if (row->address.sa.any.sa_family != AF_UNSPEC)
		net_text(&row->address, address);
	snprintf(out, RESULT_HOST_MAX, "%.180s[%s]:%u", row->host, address,
		 (unsigned)row->port);
}

/* --- the table ------------------------------------------------------- */

static const char *colour(enum matrix_state state)
{
	switch (state) {
	case MATRIX_OK: return "\033[32m";
	case MATRIX_FAIL: return "\033[31m";
	case MATRIX_TEMP: return "\033[33m";
	case MATRIX_UNREACHED:
	case MATRIX_UNASKED: break;
	}
	return "";
}

/* Blanks are owed until something follows them. */
struct line {
	struct buffer *out;
	size_t owed;
};

static void put(struct line *line, const char *paint, const char *text,
		int width)
{
	size_t len = strlen(text), wide = (size_t)abs(width);
	size_t pad = len < wide ? wide - len : 0;

	if (width < 0)
		line->owed += pad;
	if (len > 0) {
		buffer_printf(line->out, "%*s%s%s%s", (int)line->owed, "",
			      paint, text, paint[0] != '\0' ? "\033[0m" : "");
		line->owed = 0;
	}
	line->owed += width < 0 ? 2 : pad + 2;
}

static void end_line(struct line *line)
{
	buffer_append_byte(line->out, '\n');
	line->owed = 0;
}

static void row_name(const struct matrix_row *row, char *out, size_t room)
{
	if (row->port == 25)
		snprintf(out, room, "%s", row->host);
	else if (strchr(row->host, ':') != NULL)
		snprintf(out, room, "[%s]:%u", row->host,
			 (unsigned)row->port);
	else
		snprintf(out, room, "%s:%u", row->host, (unsigned)row->port);
}

static void row_address(const struct matrix_row *row, char *out, size_t room)
{
	char address[NET_TEXT_MAX] = "no address";

	if (row->address.sa.any.sa_family != AF_UNSPEC)
		net_text(&row->address, address);
	snprintf(out, room, "[%s]", address);
}

static int name_width(const struct matrix *matrix)
{
	size_t i, len, width = NAME_LEAST;
	char text[ADDR_DOMAIN_MAX + 16];

	for (i = 0; i < matrix->count; i++) {
		row_name(&matrix->rows[i], text, sizeof(text));
		len = strlen(text);
		if (len > width)
			width = len;
		row_address(&matrix->rows[i], text, sizeof(text));
		len = strlen(text);
		if (len > width)
			width = len;
	}
	return (int)(width < NAME_MOST ? width : NAME_MOST);
}

enum { CELL_WIDTH = 8 };

static void text_heads(const struct matrix *matrix, int width,
		       struct buffer *out)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);
	struct line line = { out, 0 };

	put(&line, "", "MX Server", width);
	put(&line, "", "Pref", -5);
	for (i = 0; i < count; i++)
		put(&line, "", matrix_title(matrix, columns[i]), CELL_WIDTH);
	end_line(&line);
}

static void text_row(const struct matrix *matrix, const struct matrix_row *row,
		     int width, bool is_coloured, struct buffer *out)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);
	struct line line = { out, 0 };
	const struct matrix_cell *cell;
	char text[ADDR_DOMAIN_MAX + 16];

	row_name(row, text, sizeof(text));
	put(&line, "", text, width);
	snprintf(text, sizeof(text), "%u", row->preference);
	put(&line, "", text, -5);
	for (i = 0; i < count; i++) {
		cell = &row->cells[columns[i]];
		put(&line, is_coloured ? colour(cell->state) : "",
		    matrix_state_text(cell->state), CELL_WIDTH);
	}
	end_line(&line);
	row_address(row, text, sizeof(text));
	put(&line, "", text, width);
	put(&line, "", "", -5);
	for (i = 0; i < count; i++) {
		cell = &row->cells[columns[i]];
		text[0] = '\0';
		if (cell->state != MATRIX_UNREACHED &&
		    cell->state != MATRIX_UNASKED)
			snprintf(text, sizeof(text), "(%ums)", cell->ms);
		put(&line, "", text, CELL_WIDTH);
	}
	end_line(&line);
}

static void text_average(const struct matrix *matrix, int width,
			 struct buffer *out)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);
	struct line line = { out, 0 };
	char text[16];
	int average;

	put(&line, "", "Average", width);
	put(&line, "", "", -5);
	for (i = 0; i < count; i++) {
		average = score_average(matrix, columns[i]);
		if (average == SCORE_UNKNOWN)
			snprintf(text, sizeof(text), "-");
		else
			snprintf(text, sizeof(text), "%d%%", average);
		put(&line, "", text, CELL_WIDTH);
	}
	end_line(&line);
}

static void text_factor(const struct matrix *matrix, struct buffer *out)
{
	int score = score_total(matrix);

	buffer_printf(out, "%s for \"", matrix->is_assured
						? "Assured TLS Factor"
						: "Confidence Factor");
	bytes_escape(out, view_of(matrix->recipient), ADDR_PATH_MAX * 2);
	if (score == SCORE_UNKNOWN)
		buffer_printf(out, "\": unknown, all gateways put it off\n");
	else
		buffer_printf(out, "\": %d\n", score);
}

void matrix_text(const struct matrix *matrix, bool is_coloured,
		 struct buffer *out)
{
	int width = name_width(matrix);
	size_t i;

	text_factor(matrix, out);
	if (matrix->count == 0) {
		buffer_printf(out, "No gateway: %s %s\n",
			      matrix->verdict->status, matrix->verdict->text);
		return;
	}
	text_heads(matrix, width, out);
	for (i = 0; i < matrix->count; i++)
		text_row(matrix, &matrix->rows[i], width, is_coloured, out);
	text_average(matrix, width, out);
}

/* --- CSV (RFC 4180) -------------------------------------------------- */

/* A spreadsheet takes =, +, - and @ in front for a formula. */
static void csv_text(const char *text, struct buffer *out)
{
	bool is_formula = strchr("=+-@", text[0]) != NULL && text[0] != '\0';

	buffer_append_byte(out, '"');
	if (is_formula)
		buffer_append_byte(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buffer_append_byte(out, '"');
		buffer_append_byte(out, (unsigned char)*text);
	}
	buffer_append_byte(out, '"');
}

static void csv_number(int number, struct buffer *out)
{
	if (number == SCORE_UNKNOWN)
		buffer_printf(out, ",");
	else
		buffer_printf(out, ",%d", number);
}

void matrix_csv(const struct matrix *matrix, struct buffer *out)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, at = 0, count = matrix_columns(matrix, columns);

	buffer_printf(out, "Addr,CF,Ans,Con,HELO,TLS,Cert,Sec,From,To\r\n");
	csv_text(matrix->recipient, out);
	csv_number(score_total(matrix), out);
	for (i = 0; i < MATRIX_STAGES; i++) {
		if (at < count && columns[at] == (enum matrix_stage)i) {
			csv_number(score_average(matrix, columns[at]), out);
			at++;
		} else {
			csv_number(SCORE_UNKNOWN, out);
		}
	}
	buffer_printf(out, "\r\n");
}
