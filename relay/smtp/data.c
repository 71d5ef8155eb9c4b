/*
 * The body's byte machine.  Its state is where in a line it stands; what
 * cannot be judged without the next byte (a CR, a dot at the start of a
 * line) is left unused until that byte is there, so pieces never have to
 * be taken back and the cut of the input changes nothing.
 */
#include "relay/smtp/data.h"

/* What a line may not hold. */
static bool is_special(unsigned char byte)
{
	return byte == '\0' || byte == '\n' || byte == '\r';
}

void data_init(struct data *data, uint32_t max_line, bool normalises)
{
	*data = (struct data){ .max_line = max_line,
			       .normalises = normalises,
			       .at_start = true };
}

void data_chunk(struct data *data, uint64_t octets, bool is_last)
{
	data->is_bdat = true;
	data->chunk = data->left = octets;
	data->is_last = is_last;
}

static void set_fault(struct data *data, enum data_fault fault)
{
	if (data->fault == DATA_FINE)
		data->fault = fault;
}

/* `len` more bytes stand in the current line; saturates, so that a line
 * of any length stays too long. */
static void count(struct data *data, size_t len)
{
	if (len > UINT32_MAX - data->line)
		data->line = UINT32_MAX;
	else
		data->line += (uint32_t)len;
	if (data->line > data->max_line)
		set_fault(data, DATA_LONG_LINE);
}

static void end_line(struct data *data, bool by_crlf)
{
	count(data, 2);
	if (data->line > data->longest)
		data->longest = data->line;
	data->line = 0;
	data->at_start = by_crlf;
}

/* Ordinary bytes from `from` on; the index behind them. */
static size_t run(struct data *data, struct view in, size_t from)
{
	size_t i = from;

	while ((i = view_low(in, i, &data->is_8bit)) < in.len &&
	       !is_special(in.at[i]))
		i++;
	if (i > from) {
		count(data, i - from);
		data->at_start = false;
	}
	return i;
}

/* The bytes from `from` to `to` are body; `used` are done with. */
static enum data_outcome give(struct view in, size_t from, size_t to,
			      struct view *piece)
{
	*piece = view_make(in.at + from, to - from);
	return to > from ? DATA_PIECE : DATA_MORE;
}

/* A lone CR or LF: a fault, or a CRLF in its place. */
static bool lone(struct data *data, enum data_fault fault)
{
	if (!data->normalises) {
		set_fault(data, fault);
		count(data, 1);
		data->at_start = false;
		return false;
	}
	/* Behind it no dot is special: only CRLF begins such a line. */
	end_line(data, false);
	return true;
}

/*
 * The dot at in[i], behind CRLF or at the very beginning.  DATA_END, or
 * DATA_PIECE when the dot is stuffing, or DATA_MORE when that is not known.
 */
static enum data_outcome judge_dot(struct view in, size_t i)
{
	if (i + 1 == in.len)
		return DATA_MORE;
	if (in.at[i + 1] != '\r')
		return DATA_PIECE;
	if (i + 2 == in.len)
		return DATA_MORE;
	return in.at[i + 2] == '\n' ? DATA_END : DATA_PIECE;
}

static enum data_outcome step(struct data *data, struct view in,
			      struct view *piece, size_t *used)
{
	size_t i = 0;

	while (i < in.len) {
		bool is_cr;

		if (data->at_start && !data->is_bdat && in.at[i] == '.') {
			enum data_outcome what = judge_dot(in, i);

			if (what == DATA_MORE || i > 0)
				break;
			*used = what == DATA_END ? 3 : 1;
			data->at_start = false;
			*piece = view_first(in, 0);
			return what == DATA_END ? DATA_END : DATA_PIECE;
		}
		i = run(data, in, i);
		if (i == in.len)
			break;
		is_cr = in.at[i] == '\r';
		if (in.at[i] == '\0') {
			set_fault(data, DATA_NUL);
			count(data, 1);
			data->at_start = false;
			i++;
			continue;
		}
		if (is_cr && i + 1 == in.len)
			break;
		if (is_cr && in.at[i + 1] == '\n') {
			end_line(data, true);
			i += 2;
			continue;
		}
		if (i > 0 && data->normalises)
			break;
		i++;
		if (lone(data, is_cr ? DATA_BARE_CR : DATA_BARE_LF)) {
			*used = i;
			*piece = VIEW("\r\n");
			return DATA_PIECE;
		}
	}
	*used = i;
	return give(in, 0, i, piece);
}

/* A CR that ended the last chunk meets what follows it: the octet `next`,
 * or the end of the message (-1). */
static enum data_outcome settle_cr(struct data *data, int next,
				   struct view *piece, size_t *used)
{
	data->holds_cr = false;
	if (next == '\n') {
		*used = 1;
		data->left--;
		end_line(data, true);
	} else if (!lone(data, DATA_BARE_CR)) {
		*piece = VIEW("\r");
		return DATA_PIECE;
	}
	*piece = VIEW("\r\n");
	return DATA_PIECE;
}

static enum data_outcome step_chunk(struct data *data, struct view in,
				    struct view *piece, size_t *used)
{
	enum data_outcome outcome;

	if (data->left == 0) {
		if (data->holds_cr && data->is_last)
			return settle_cr(data, -1, piece, used);
		/* What lacks an end of line gets one when it leaves. */
		if (data->is_last && data->line > 0)
			end_line(data, true);
		return DATA_END;
	}
	if (in.len > data->left)
		in = view_first(in, (size_t)data->left);
	if (in.len > 0 && data->holds_cr)
		return settle_cr(data, in.at[0], piece, used);
	outcome = step(data, in, piece, used);
	data->left -= *used;
	if (outcome == DATA_MORE && data->left == 1 && in.len == 1) {
		/* The chunk's last octet is a CR: what ends or breaks its
		 * line comes with the next chunk. */
		data->holds_cr = true;
		data->left = 0;
		*used = 1;
		*piece = view_first(in, 0);
		return DATA_PIECE;
	}
	return outcome;
}

enum data_outcome data_next(struct data *data, struct view input,
			    struct view *piece, size_t *used)
{
	*used = 0;
	*piece = view_first(input, 0);
	if (data->is_bdat)
		return step_chunk(data, input, piece, used);
	return step(data, input, piece, used);
}
