/*
 * Third file of the room matrix: the whole of it for programs.  An unknown
 * is null, never left out.
 */
#include "relay/matrix.h"

#include "relay/advice.h"
#include "relay/json.h"
#include "relay/score.h"
#include "tls/chain.h"

static void json_score(struct json *json, const char *key, int score)
{
	if (score == SCORE_UNKNOWN)
		json_null(json, key);
	else
		json_number(json, key, score);
}

static void json_stages(const struct matrix *matrix,
			const struct matrix_row *row, struct json *json)
{
	static const char *const states[] = {
		[MATRIX_UNREACHED] = "not-reached", [MATRIX_OK] = "ok",
		[MATRIX_FAIL] = "fail",             [MATRIX_TEMP] = "temp",
		[MATRIX_UNASKED] = "not-asked",
	};
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);

	json_open_object(json, "stages");
	for (i = 0; i < count; i++) {
		const struct matrix_cell *cell = &row->cells[columns[i]];

		json_open_object(json, matrix_key(matrix, columns[i]));
		json_text(json, "state", states[cell->state]);
		if (cell->state == MATRIX_UNREACHED ||
		    cell->state == MATRIX_UNASKED)
			json_null(json, "ms");
		else
			json_number(json, "ms", cell->ms);
		json_close_object(json);
	}
	json_close_object(json);
}

static void json_certificate(const struct matrix *matrix, const char *key,
			     const struct facts_certificate *certificate,
			     struct json *json)
{
	char text[FACTS_PIN_MAX];

	json_open_object(json, key);
	json_text(json, "subject", certificate->subject);
	json_text(json, "issuer", certificate->issuer);
	json_text(json, "key", certificate->key);
	facts_pin_text(certificate->spki_sha256, text);
	json_text(json, "spki", text);
	chain_date(certificate->not_before, text);
	json_text(json, "not_before", text);
	chain_date(certificate->not_after, text);
	json_text(json, "not_after", text);
	json_number(json, "days_left", matrix_days_left(matrix, certificate));
	json_close_object(json);
}

static void json_names(const struct tls_facts *facts, struct json *json)
{
	size_t i;

	json_open_list(json, "names");
	for (i = 0; i < facts->name_count; i++)
		json_text(json, NULL, facts->names[i]);
	json_close_list(json);
	json_bool(json, "names_from_cn", facts->names_from_cn);
	json_number(json, "names_refused", (int64_t)facts->names_refused);
}

static void json_tls(const struct matrix *matrix,
		     const struct matrix_row *row, struct json *json)
{
	const struct tls_facts *facts = &row->facts;
	size_t i;

	if (!facts->is_tls) {
		json_null(json, "tls");
		return;
	}
	json_open_object(json, "tls");
	json_text(json, "version", facts->version);
	json_text(json, "cipher", facts->cipher);
	json_number(json, "bits", facts->bits);
	json_text_or_null(json, "group", facts->group);
	json_number(json, "presented", (int64_t)facts->presented);
	if (facts->presented > 0 && facts->chain != CHAIN_UNREADABLE)
		json_certificate(matrix, "leaf", &facts->leaf, json);
	else
		json_null(json, "leaf");
	json_names(facts, json);
	json_open_list(json, "chain");
	for (i = 0; i < facts->other_count; i++)
		json_certificate(matrix, NULL, &facts->others[i], json);
	json_close_list(json);
	json_open_list(json, "verified");
	for (i = 0; i < facts->verified_count; i++)
		json_certificate(matrix, NULL, &facts->verified[i], json);
	json_close_list(json);
	json_close_object(json);
}

/* Of a policy's dry run. */
static void json_would(const struct matrix_row *row, struct json *json)
{
	if (!row->has_would) {
		json_null(json, "would");
		return;
	}
	json_open_object(json, "would");
	json_bool(json, "met", row->would.verdict == JUDGE_DELIVER);
	json_text_or_null(json, "code", row->would.reason_code);
	json_text(json, "reason", row->would.reason);
	json_close_object(json);
}

static void json_judgement(const struct matrix_row *row, struct json *json)
{
	const struct judgement *judgement = &row->judgement;

	if (!row->is_judged) {
		json_null(json, "judgement");
		return;
	}
	json_open_object(json, "judgement");
	json_bool(json, "met", row->is_met);
	json_bool(json, "verified", judgement->is_verified);
	json_bool(json, "plaintext", row->is_plaintext);
	json_text_or_null(json, "code", judgement->reason_code);
	json_text(json, "reason", judgement->reason);
	json_text_or_null(json, "name", judgement->matched_name);
	if (judgement->matched_pin < 0)
		json_null(json, "pin");
	else
		json_number(json, "pin", judgement->matched_pin + 1);
	json_close_object(json);
}

static void json_row(const struct matrix *matrix, const struct matrix_row *row,
		     struct json *json)
{
	char text[NET_TEXT_MAX] = "", advice[ADVICE_MAX];

	json_open_object(json, NULL);
	json_text(json, "host", row->host);
	if (row->address.sa.any.sa_family != AF_UNSPEC)
		net_text(&row->address, text);
	json_text_or_null(json, "address", text);
	json_number(json, "port", row->port);
	json_number(json, "preference", row->preference);
	json_bool(json, "tls_first", row->is_tls_first);
	json_text_or_null(json, "not_used", row->not_used);
	json_score(json, "score", score_row(matrix, row));
	json_stages(matrix, row, json);
	json_text_or_null(json, "reason", row->reason);
	if (matrix->is_assured)
		json_null(json, "judgement");
	else
		json_judgement(row, json);
	json_would(row, json);
	json_tls(matrix, row, json);
	json_bool(json, "ends_soon", matrix_is_ending(matrix, row));
	advice_text(matrix, row, advice);
	json_text_or_null(json, "change", advice);
	json_close_object(json);
}

static void json_policy(const struct matrix *matrix, struct json *json)
{
	const struct policy *policy = matrix->policy;

	if (matrix->pattern == NULL) {
		json_null(json, "policy");
		return;
	}
	json_open_object(json, "policy");
	json_text(json, "title", policy->title);
	json_text(json, "pattern", matrix->pattern);
	json_text(json, "where", policy->where);
	json_text(json, "tls", tls_level_text(policy->tls));
	json_text_or_null(json, "would",
			  policy->would != TLS_NONE
				  ? tls_level_text(policy->would)
				  : NULL);
	json_text_or_null(json, "certificate",
			  policy->certificate != NULL
				  ? policy->certificate->title
				  : NULL);
	json_close_object(json);
}

static void json_averages(const struct matrix *matrix, struct json *json)
{
	enum matrix_stage columns[MATRIX_STAGES];
	size_t i, count = matrix_columns(matrix, columns);

	json_open_object(json, "average");
	for (i = 0; i < count; i++)
		json_score(json, matrix_key(matrix, columns[i]),
			   score_average(matrix, columns[i]));
	json_close_object(json);
}

void matrix_json(const struct matrix *matrix, struct buffer *out)
{
	struct json json = { .out = out };
	size_t i;

	json_open_object(&json, NULL);
	json_text(&json, "address", matrix->recipient);
	json_text(&json, "from", matrix->sender);
	json_bool(&json, "assure", matrix->is_assured);
	json_policy(matrix, &json);
	json_score(&json, "score", score_total(matrix));
	json_averages(matrix, &json);
	if (matrix->count > 0)
		json_null(&json, "verdict");
	else {
		json_open_object(&json, "verdict");
		json_text(&json, "status", matrix->verdict->status);
		json_text(&json, "reason", matrix->verdict->text);
		json_close_object(&json);
	}
	json_open_list(&json, "gateways");
	for (i = 0; i < matrix->count; i++)
		json_row(matrix, &matrix->rows[i], &json);
	json_close_list(&json);
	json_close_object(&json);
}
