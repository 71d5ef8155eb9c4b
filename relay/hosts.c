/*
 * A small open hash table of failures.  An entry is kept for an hour beyond
 * its penalty, so that a host that fails again and again is not met with a
 * fresh mind each time.
 */
#include "relay/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * HOSTS_MAX, KEY_MAX = 256 + NET_TEXT_MAX };

struct entry {
	char key[KEY_MAX]; /* "name address:port"; "" is free */
	double until;
	unsigned penalty; /* seconds, of the last failure */
};

struct hosts {
	struct entry *slots[SLOTS];
	size_t count;
};

static void make_key(char key[KEY_MAX], const char *name,
		     const struct net_address *address)
{
	char text[NET_TEXT_MAX];

	net_text_port(address, text);
	snprintf(key, KEY_MAX, "%.255s %s", name, text);
}

static size_t first_slot(const char *key)
{
	return bytes_crc32c(0, key, strlen(key)) % SLOTS;
}

/* Where the key stands, or the free slot where it would. */
static size_t find(const struct hosts *hosts, const char *key)
{
	size_t at = first_slot(key);

	while (hosts->slots[at] != NULL &&
	       strcmp(hosts->slots[at]->key, key) != 0)
		at = (at + 1) % SLOTS;
	return at;
}

/* Closes the gap, so that no entry behind it gets lost. */
static void remove_at(struct hosts *hosts, size_t gap)
{
	size_t at = gap, home;

	free(hosts->slots[gap]);
	hosts->slots[gap] = NULL;
	hosts->count--;
	for (;;) {
		at = (at + 1) % SLOTS;
		if (hosts->slots[at] == NULL)
			return;
		home = first_slot(hosts->slots[at]->key);
		if ((at - home + SLOTS) % SLOTS < (at - gap + SLOTS) % SLOTS)
			continue;
		hosts->slots[gap] = hosts->slots[at];
		hosts->slots[at] = NULL;
		gap = at;
	}
}

static void make_room(struct hosts *hosts)
{
	size_t at, oldest = SLOTS;

	if (hosts->count < HOSTS_MAX)
		return;
	for (at = 0; at < SLOTS; at++)
		if (hosts->slots[at] != NULL &&
		    (oldest == SLOTS ||
		     hosts->slots[at]->until < hosts->slots[oldest]->until))
			oldest = at;
	remove_at(hosts, oldest);
}

struct hosts *hosts_new(void)
{
	return must_alloc(sizeof(struct hosts));
}

void hosts_free(struct hosts *hosts)
{
	size_t at;

	if (hosts == NULL)
		return;
	for (at = 0; at < SLOTS; at++)
		free(hosts->slots[at]);
	free(hosts);
}

void hosts_failed(struct hosts *hosts, const char *name,
		  const struct net_address *address, double now)
{
	struct entry *entry;
	char key[KEY_MAX];
	size_t at;

	make_key(key, name, address);
	at = find(hosts, key);
	if (hosts->slots[at] == NULL) {
		make_room(hosts);
		at = find(hosts, key);
		hosts->slots[at] = must_alloc(sizeof(*entry));
		memcpy(hosts->slots[at]->key, key, sizeof(key));
		hosts->count++;
	}
	entry = hosts->slots[at];
	/* Several attempts that fail side by side are one failure. */
	if (entry->penalty > 0 && now < entry->until)
		return;
	if (entry->penalty == 0 || now > entry->until + HOSTS_LONGEST)
		entry->penalty = HOSTS_FIRST;
	else if (entry->penalty < HOSTS_LONGEST / 2)
		entry->penalty *= 2;
	else
		entry->penalty = HOSTS_LONGEST;
	entry->until = now + entry->penalty;
}

void hosts_worked(struct hosts *hosts, const char *name,
		  const struct net_address *address)
{
	char key[KEY_MAX];
	size_t at;

	if (hosts->count == 0)
		return;
	make_key(key, name, address);
	at = find(hosts, key);
	if (hosts->slots[at] != NULL)
		remove_at(hosts, at);
}

bool hosts_is_bad(const struct hosts *hosts, const char *name,
		  const struct net_address *address, double now)
{
	char key[KEY_MAX];
	size_t at;

	if (hosts->count == 0)
		return false;
	make_key(key, name, address);
	at = find(hosts, key);
	return hosts->slots[at] != NULL && now < hosts->slots[at]->until;
}
