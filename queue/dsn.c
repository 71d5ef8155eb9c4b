#include "queue/dsn.h"
bool dsn_is_wanted(const struct recipient *recipient, enum dsn_action action)
{
	(void)action;
	return !(recipient->notify & NOTIFY_NEVER);
}
