/*
 * Whatever is sent to the lab's name server: nothing, or a whole answer to
 * the same question with no more bytes than go in one piece.
 */
#include "relay/lab/answer.h"
#include "relay/lab/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static struct zones *make_zones(void)
{
	static char domain[] = "tuv.com";
	static char *const domains[] = { domain };
	static struct net_address address;
	struct zone_gateway gateways[] = {
		{ .name = "mx5.de.tuv.com",
		  .addresses = &address,
		  .address_count = 1,
		  .has_key = true },
		{ .name = "mx6.tuv.com",
		  .addresses = &address,
		  .address_count = 1,
		  .lies = ZONE_MX_TO_CNAME },
	};
	struct zone_contents contents = {
		.domains = domains,
		.domain_count = 1,
		.gateways = gateways,
		.gateway_count = 2,
	};
	struct error error;
	struct zones *zones;

	if (net_parse_port(VIEW("127.0.5.5:2525"), 0, &address))
		abort();
	contents.nameserver = address;
	zones = zones_new(&contents, VIEW(""), &error);
	if (!zones || zones_build(zones, &contents, 1700000000, &error))
		abort();
	return zones;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct zones *zones;
	struct answer_manner manner = { .is_bogus = size & 1 };
	struct question question;
	struct buffer out = { 0 };
	int status = question_read(view_make(data, size), &question, &out);

	if (!zones)
		zones = make_zones();
	if (status == 1) {
		answer_compose(zones, &question, &manner, &out);
		question_clear(&question);
	}
	if (status == -1 ? buffer_len(&out) > 0 : buffer_len(&out) < 12)
		abort();
	if (buffer_len(&out) > ANSWER_UDP_MAX ||
	    (buffer_len(&out) && (out.data[out.start] != data[0] ||
				  out.data[out.start + 1] != data[1])))
		abort();
	buffer_clear(&out);
	return 0;
}
