/*
 * Whose turn it is: destinations that have something to give take turns,
 * one trip a turn, each within its own pace, all within the slots there
 * are.  They stand in three lines: those whose last trip went well may take
 * any slot; those not known yet leave an eighth to the former; those that
 * are in trouble get half of the slots at most.  Pure.
 */
#ifndef RELAY_TURNS_H
#define RELAY_TURNS_H

#include <stdbool.h>
#include <stddef.h>

struct lane;
struct turns;
struct destination;

enum { TURNS_FIRST_PACE = 2 }; /* trips at once to one not known yet */

struct turns *turns_new(void);
void turns_free(struct turns *turns);
void turns_limit(struct turns *turns, size_t slots, unsigned pace);
size_t turns_slots(const struct turns *turns);
/* Trips on their way. */
size_t turns_active(const struct turns *turns);
/* Destinations out of trouble that wait for a slot. */
size_t turns_waiting(const struct turns *turns);
/* Trips to destinations in trouble beyond the half that is theirs: they were
 * begun before it was seen. */
size_t turns_surplus(const struct turns *turns);

enum turns_repute { TURNS_GOOD, TURNS_NEW, TURNS_TROUBLED };

/* `repute`: what is known of it from before. */
struct destination *turns_add(struct turns *turns, struct lane *lane,
			      enum turns_repute repute);
enum turns_repute turns_repute(const struct destination *destination);
/* Its trips do not get on: it is in trouble until one goes well. */
void turns_suspect(struct turns *turns, struct destination *destination);
/* The lane is no more; its trips on their way still end. */
void turns_remove(struct turns *turns, struct destination *destination);
struct lane *turns_lane(const struct destination *destination);
/* Some destination that is not removed; NULL: there is none. */
struct destination *turns_any(const struct turns *turns);

/* It has something to give, or no longer. */
void turns_ready(struct turns *turns, struct destination *destination,
		 bool is_ready);
/* Who may begin a trip now; NULL: nobody. */
struct destination *turns_next(struct turns *turns);
void turns_begin(struct turns *turns, struct destination *destination);

enum turns_end { TURNS_WENT_WELL, TURNS_HOST_BAD, TURNS_UNDECIDED };
/* The destination may be freed by this when it was removed. More at once
 * while it goes well, half when it does not. */
void turns_end(struct turns *turns, struct destination *destination,
	       enum turns_end how);

#endif
