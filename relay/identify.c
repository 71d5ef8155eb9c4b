/*
 * Comes in: a connection that a client has secured, and a policy with
 * `inbound`.  Goes out: the judgement, and a line in the log.
 */
#include "relay/identify.h"

#include "conf/log.h"
#include "relay/smtp/proof.h"

static void log_judged(const char *client, const struct policy *policy,
		       const struct proof *proof,
		       const struct judgement *judgement)
{
	bool is_unmet = judgement->verdict != JUDGE_DELIVER;
	struct log_line line;

	log_begin(&line, is_unmet ? LOG_WARNING : LOG_INFO, "judged");
	log_str(&line, "client", client);
	proof_log(proof, &line);
	log_str(&line, "policy", policy->title);
	log_str(&line, "reason", judgement->reason);
	log_end(&line);
}

void identify_client(const struct conn *conn, struct tls_context *context,
		     const struct conf *conf, const struct policy *policy,
		     struct judgement *out)
{
	char client[NET_TEXT_MAX];
	struct demand_question question = {
		.policy = policy,
		.source = HOST_CLIENT,
		.host = client,
		.domain = "",
		.conf = conf,
	};
	struct demand demand;
	struct tls_facts facts;
	struct proof proof;

	net_text(conn_peer(conn), client);
	tls_demand(&question, &demand);
	conn_prove(conn, context, &demand, &facts);
	tls_judge(&demand, &facts, out);
	proof_make(&demand, &facts, out, &proof);
	if (out->verdict != JUDGE_DELIVER)
		proof_field(proof.verdict, sizeof(proof.verdict), "refuse");
	log_judged(client, policy, &proof, out);
	facts_clear(&facts);
}
