/*
 * Becoming the spool's owner.  See owner.h.
 */
#include "relay/owner.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/privs.h"

static int find_owner(const char *spool, struct stat *at, struct error *error)
{
	if (stat(spool, at))
		return error_errno(error, "spool \"%s\"", spool);
	if (!S_ISDIR(at->st_mode))
		return error_set(error, "spool \"%s\" is no folder", spool);
	if (geteuid() != 0 && at->st_uid != geteuid())
		return error_set(error, "spool \"%s\" belongs to user %lu; "
				 "call this as that user or as root", spool,
				 (unsigned long)at->st_uid);
	return 0;
}

int owner_become(const char *spool, struct error *error)
{
	struct stat at;
	struct privs privs;

	if (find_owner(spool, &at, error))
		return -1;
	privs = (struct privs){ geteuid() == 0 && at.st_uid != 0, at.st_uid,
				at.st_gid };
	return privs_drop(&privs) ? error_errno(error, "becoming user %lu",
						(unsigned long)at.st_uid) :
				    0;
}

int owner_enter(const char *spool, struct error *error)
{
	struct stat at;

	if (find_owner(spool, &at, error))
		return -1;
	if (geteuid() != 0 || at.st_uid == 0)
		return 0;
	if (setegid(at.st_gid) || seteuid(at.st_uid))
		return error_errno(error, "becoming user %lu",
				   (unsigned long)at.st_uid);
	return 0;
}

/* What was lent by being root once is given back. */
void owner_leave(void)
{
	if (seteuid(getuid()) || setegid(getgid()))
		abort();
}
