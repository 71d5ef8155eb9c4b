/*
 * Second file of the room probe: which addresses are asked.  All that a
 * route names are, also those that mail from here would leave aside, but
 * never an address that mx-ignore keeps us from.
 */
#include "relay/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct matrix_row *add(struct matrix *matrix,
			      const struct route_host *host, bool is_gateway)
{
	size_t size = (matrix->count + 1) * sizeof(*matrix->rows);
	struct matrix_row *row;

	matrix->rows = must_realloc(matrix->rows, size);
	row = &matrix->rows[matrix->count++];
	memset(row, 0, sizeof(*row));
	snprintf(row->host, sizeof(row->host), "%s", host->name);
	snprintf(row->not_used, sizeof(row->not_used), "%s", host->why);
	row->port = host->port;
	row->preference = host->preference + (is_gateway ? 1 : 0);
	row->source = host->source;
	row->is_tls_first = host->is_tls_first;
	return row;
}

static void add_without_address(struct matrix *matrix,
				const struct route_host *host, bool is_gateway)
{
	struct matrix_row *row = add(matrix, host, is_gateway);
	char text[NET_TEXT_MAX];

	row->cells[MATRIX_CONNECT].state = MATRIX_FAIL;
	if (host->trouble[0] != '\0') {
		snprintf(row->reason, sizeof(row->reason), "%s",
			 host->trouble);
	} else if (host->ignored_count > 0) {
		net_text(&host->ignored, text);
		snprintf(row->reason, sizeof(row->reason),
			 "its address %s is ignored (mx-ignore)", text);
	} else {
		snprintf(row->reason, sizeof(row->reason),
			 "the DNS has no address for it");
	}
}

static void add_host(struct matrix *matrix, const struct route_host *host,
		     bool is_gateway)
{
	size_t i;

	for (i = 0; i < host->v4_count; i++)
		add(matrix, host, is_gateway)->address = host->v4[i];
	for (i = 0; i < host->v6_count; i++)
		add(matrix, host, is_gateway)->address = host->v6[i];
	if (host->v4_count + host->v6_count == 0)
		add_without_address(matrix, host, is_gateway);
}

static int compare_addresses(const struct net_address *a,
			     const struct net_address *b)
{
	int family = a->sa.any.sa_family;

	if (family != b->sa.any.sa_family)
		return family < b->sa.any.sa_family ? -1 : 1;
	if (family == AF_INET)
		return memcmp(&a->sa.v4.sin_addr, &b->sa.v4.sin_addr,
			      sizeof(a->sa.v4.sin_addr));
	return memcmp(&a->sa.v6.sin6_addr, &b->sa.v6.sin6_addr,
		      sizeof(a->sa.v6.sin6_addr));
}

/* The same order each time, however the DNS turns its answers. */
static int compare_rows(const void *left, const void *right)
{
	const struct matrix_row *a = left, *b = right;
	int order;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	order = strcmp(a->host, b->host);
	return order != 0 ? order : compare_addresses(&a->address, &b->address);
}

/* The rows come sorted. */
static void rank(struct matrix *matrix)
{
	unsigned last = 0;
	size_t i;

	for (i = 0; i < matrix->count; i++) {
		struct matrix_row *row = &matrix->rows[i];

		if (i == 0 ||
		    row->preference != matrix->rows[i - 1].preference)
			last++;
		row->rank = last;
	}
}

void probe_rows(const struct survey *survey, struct matrix *matrix)
{
	bool is_gateway = survey->rule.policy->gateway_count > 0;
	size_t i;

	for (i = 0; i < survey->host_count; i++)
		add_host(matrix, &survey->hosts[i], is_gateway);
	if (matrix->count > 0)
		qsort(matrix->rows, matrix->count, sizeof(*matrix->rows),
		      compare_rows);
	rank(matrix);
}

static const struct route_host *find_host(const struct survey *survey,
					  const struct candidate *candidate)
{
	size_t i;

	for (i = 0; i < survey->host_count; i++)
		if (strcmp(survey->hosts[i].name, candidate->host) == 0 &&
		    survey->hosts[i].port == net_port(&candidate->address))
			return &survey->hosts[i];
	return NULL;
}

void probe_candidates(const struct survey *survey, struct matrix *matrix)
{
	const struct route_host *host;
	size_t i;

	for (i = 0; i < survey->count; i++) {
		host = find_host(survey, &survey->candidates[i]);
		if (host != NULL)
			add(matrix, host, false)->address =
				survey->candidates[i].address;
	}
	rank(matrix);
}
