/*
 * What the `queue` commands have in common: their words and options, the
 * configuration, and becoming the spool's owner.
 */
#ifndef RELAY_QUEUE_ORDER_H
#define RELAY_QUEUE_ORDER_H

#include "conf/conf.h"
#include "queue/browse.h"

enum { QUEUE_LIMIT = 50, QUEUE_PATHS_MAX = 16 };

/* What a command takes; the rest is refused. */
enum {
	TAKES_SELECTOR = 1,  /* ID, DOMAIN, SENDER or all; must be there */
	TAKES_FILTER = 2,    /* --domain, --sender, --messages */
	TAKES_PAGES = 4,     /* --limit, --all, --after */
	TAKES_JSON = 8,
	TAKES_CARE = 16,     /* --dry-run, --yes */
	TAKES_PATH = 32,     /* one more word, a file or folder */
	TAKES_PATHS = 64,    /* one or more of them */
};

struct queue_order {
	const char *verb;
	struct selector selector;
	bool has_selector;
	const char *path;    /* the first of: */
	const char *paths[QUEUE_PATHS_MAX];
	size_t path_count;
	bool is_json, is_dry, is_sure;
	size_t limit;        /* SIZE_MAX: all */
	const char *after;   /* "" */
	/* after queue_order_begin() */
	struct conf_files *files;
	struct conf *conf;
};

/* 0 or an exit status, after saying what is wrong. */
int queue_order_parse(struct queue_order *order, const char *verb,
		      unsigned takes, int argc, char **argv);
/* Reads the configuration. 0 or an exit status, likewise. */
int queue_order_begin(struct queue_order *order, const char *conf_path);
void queue_order_end(struct queue_order *order);
/* Says it and returns the status. */
int queue_order_fail(const struct error *error, int status);

/* For a command that only reads: everything up to the open spool; the
 * process is its owner from then on. */
int queue_order_open(struct queue_order *order, const char *conf_path,
		     struct browse **browse);

/* The order's selector as browse wants it. */
bool queue_order_wants_lane(void *order, const char *lane);

#endif
