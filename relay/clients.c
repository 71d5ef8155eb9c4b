/*
 * A table of chains over those clients that hold sessions now.  It doubles
 * as it fills and never shrinks: a pointer a session at worst.
 */
#include "relay/clients.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_LEN = 8, FIRST_CHAINS = 64 };

struct client {
	struct client *next;
	unsigned char key[KEY_LEN];
	unsigned sessions;
};

struct clients {
	struct client **chains;
	size_t chain_count; /* a power of two */
	size_t count;
};

/* An IPv4 address, mapped or not, lies under 64 zero bits in IPv6, where
 * no client can be. */
static void make_key(const struct net_address *a, unsigned char key[KEY_LEN])
{
	memset(key, 0, KEY_LEN);
	if (a->sa.any.sa_family == AF_INET)
		memcpy(key + 4, &a->sa.v4.sin_addr, 4);
	else if (IN6_IS_ADDR_V4MAPPED(&a->sa.v6.sin6_addr))
		memcpy(key + 4, a->sa.v6.sin6_addr.s6_addr + 12, 4);
	else
		memcpy(key, a->sa.v6.sin6_addr.s6_addr, KEY_LEN);
}

static struct client **chain(const struct clients *clients,
			     const unsigned char *key)
{
	return &clients->chains[bytes_crc32c(0, key, KEY_LEN) &
				(clients->chain_count - 1)];
}

/* The link that leads to the client, or the end of its chain. */
static struct client **find(const struct clients *clients,
			    const unsigned char *key)
{
	struct client **link = chain(clients, key);

	while (*link && memcmp((*link)->key, key, KEY_LEN) != 0)
		link = &(*link)->next;
	return link;
}

static void grow(struct clients *clients)
{
	struct client **old = clients->chains;
	size_t old_count = clients->chain_count, i;

	clients->chain_count *= 2;
	clients->chains = must_alloc(clients->chain_count * sizeof(*old));
	for (i = 0; i < old_count; i++) {
		while (old[i]) {
			struct client *moved = old[i];
			struct client **to = chain(clients, moved->key);

			old[i] = moved->next;
			moved->next = *to;
			*to = moved;
		}
	}
	free(old);
}

struct clients *clients_new(void)
{
	struct clients *clients = must_alloc(sizeof(*clients));

	clients->chain_count = FIRST_CHAINS;
	clients->chains = must_alloc(FIRST_CHAINS * sizeof(struct client *));
	return clients;
}

void clients_free(struct clients *clients)
{
	size_t i;

	if (!clients)
		return;
	for (i = 0; i < clients->chain_count; i++) {
		while (clients->chains[i]) {
			struct client *client = clients->chains[i];

			clients->chains[i] = client->next;
			free(client);
		}
	}
	free(clients->chains);
	free(clients);
}

bool clients_enter(struct clients *clients, const struct net_address *a,
		   unsigned max)
{
	unsigned char key[KEY_LEN];
	struct client **link;

	make_key(a, key);
	link = find(clients, key);
	if ((*link ? (*link)->sessions : 0) >= max)
		return false;
	if (!*link) {
		*link = must_alloc(sizeof(**link));
		memcpy((*link)->key, key, KEY_LEN);
		clients->count++;
	}
	(*link)->sessions++;
	if (clients->count > clients->chain_count)
		grow(clients);
	return true;
}

void clients_leave(struct clients *clients, const struct net_address *a)
{
	unsigned char key[KEY_LEN];
	struct client **link, *client;

	make_key(a, key);
	link = find(clients, key);
	client = *link;
	assert(client && client->sessions > 0);
	if (--client->sessions > 0)
		return;
	*link = client->next;
	free(client);
	clients->count--;
}
