/*
 * How a visit's replies leave.
 */
#include "relay/lab/visit.h"

bool visit_send(void *visit, struct conn *conn, struct view bytes)
{
	(void)conn;
	visit_tell_replies(visit, bytes);
	return false;
}
