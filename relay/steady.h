/*
 * Seconds that only go forward, for deadlines and pauses: libev's ev_now()
 * is the wall clock, and may jump by years.
 */
#ifndef RELAY_STEADY_H
#define RELAY_STEADY_H

double steady_now(void);

#endif
