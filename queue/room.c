/*
 * Room in the spool.  The limit is our part of spool-size, or what the disk
 * can hold where that is less.  A reserve of it is for removals, results
 * and reports; a quarter of it stays free on the disk itself, which new
 * mail may fill no further, for the two files grow apart and never shrink.
 * The disk is asked again after each commit, after two milliseconds, and
 * before something is refused: others fill it, and make room on it.
 */
#include "queue/inner.h"
#include "queue/opening.h"

#include <string.h>
#include <sys/statvfs.h>

#include "conf/log.h"

#define MIB (UINT64_C(1024) * 1024)
#define RESERVE_MAX (64 * MIB)
#define DISK_LEAST (UINT64_C(64) * 1024) /* a few small changes */
#define DISK_PATIENCE 2                  /* ms */

struct room {
	struct commit_numbers store[HOMES];
	uint64_t live;    /* bytes in use, in both */
	uint64_t disk;    /* bytes that the file system still gives */
	uint64_t limit;   /* bytes that may be in use */
	uint64_t reserve; /* of them, not for new mail */
};

void queue_numbers(const struct queue *queue, enum home home,
		   struct commit_numbers *out)
{
	memset(out, 0, sizeof(*out));
	if (queue->commit[home])
		commit_numbers(queue->commit[home], out);
}

uint64_t room_share(const struct queue *queue)
{
	unsigned workers = queue->settings.workers;

	return queue->conf->spool_size / (workers ? workers : 1);
}

static uint64_t reserve_of(uint64_t limit)
{
	return limit / 16 < RESERVE_MAX ? limit / 16 : RESERVE_MAX;
}

/* Bytes that the disk still gives; `otherwise` where it does not say. */
static uint64_t disk_room(struct queue *queue, const struct room *room,
			  uint64_t otherwise)
{
	struct disk_room *last = &queue->disk;
	uint64_t commits = room->store[HOME_FRESH].commits +
			   room->store[HOME_HELD].commits;
	int64_t now = queue_now(queue);
	struct statvfs fs;

	if (last->is_known && last->commits == commits &&
	    now - last->when < DISK_PATIENCE && now >= last->when)
		return last->bytes;
	last->is_known = !statvfs(queue->folder.path, &fs);
	if (!last->is_known)
		return otherwise;
	last->commits = commits;
	last->when = now;
	last->bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return last->bytes;
}

static void look(struct queue *queue, struct room *room)
{
	uint64_t holds;

	room->live = holds = 0;
	for (int home = 0; home < HOMES; home++) {
		queue_numbers(queue, (enum home)home, &room->store[home]);
		room->live += room->store[home].live;
		holds += room->store[home].live + room->store[home].idle;
	}
	room->limit = room_share(queue);
	room->disk = disk_room(queue, room, room->limit);
	holds += room->disk;
	if (holds < room->limit)
		room->limit = holds;
	room->reserve = reserve_of(room->limit);
}

uint64_t room_limit(struct queue *queue)
{
	struct room room;

	look(queue, &room);
	return room.limit;
}

void room_say(struct queue *queue)
{
	uint64_t share = room_share(queue);
	struct room room;

	look(queue, &room);
	if (room.limit < share)
		log_say(LOG_WARNING, "warning", "%s: spool-size allows %llu "
			"KiB here, the disk has room for %llu; that is the "
			"limit", queue->folder.path,
			(unsigned long long)(share / 1024),
			(unsigned long long)(room.limit / 1024));
}

/* May that much new mail come into this store, and can what becomes of it
 * still be recorded? */
static bool fits(const struct room *room, enum home home, uint64_t wants)
{
	uint64_t idle = room->store[home].idle, least = room->reserve / 4;

	if (least < DISK_LEAST)
		least = DISK_LEAST;
	if (wants > idle && wants - idle + least > room->disk)
		return false;
	return room->store[HOME_HELD].idle + room->disk >= least;
}

/* Asked once: each client's greeting wants to know. */
static uint64_t disk_size(struct queue *queue)
{
	struct statvfs fs;

	if (!queue->disk_size && !statvfs(queue->folder.path, &fs))
		queue->disk_size = (uint64_t)fs.f_blocks * fs.f_frsize;
	return queue->disk_size ? queue->disk_size : UINT64_MAX;
}

/* The other way round than in wanted(). */
uint64_t queue_largest(struct queue *queue)
{
	uint64_t limit = room_share(queue);

	if (disk_size(queue) < limit)
		limit = disk_size(queue);
	return (limit - reserve_of(limit)) / 17 * 16;
}

static uint64_t wanted(const struct queue *queue, uint64_t size)
{
	return size + size / 16 + queue->on_the_way;
}

bool queue_fits(struct queue *queue, enum home home, uint64_t size)
{
	struct room room;

	if (!queue->commit[home])
		return false;
	look(queue, &room);
	return fits(&room, home, wanted(queue, size));
}

static bool seems_to_have_room(struct queue *queue, uint64_t size)
{
	uint64_t wants = wanted(queue, size);
	struct room room;

	if (queue->is_broken || queue->is_closing)
		return false;
	look(queue, &room);
	if (wants < size || room.live + wants > room.limit - room.reserve)
		return false;
	/* While held is not open, what is for it waits in memory. */
	if (queue->opening)
		return !opening_is_full(queue->opening) &&
		       fits(&room, HOME_FRESH, wants);
	return (size <= SMALL_BODY_MAX && fits(&room, HOME_FRESH, wants)) ||
	       fits(&room, HOME_HELD, wants);
}

bool queue_has_room(struct queue *queue, uint64_t size)
{
	if (seems_to_have_room(queue, size))
		return true;
	/* Nothing is refused for what was so a moment ago. */
	queue->disk.is_known = false;
	return seems_to_have_room(queue, size);
}

bool room_to_spare(struct queue *queue)
{
	return queue_has_room(queue, reserve_of(room_limit(queue)));
}
