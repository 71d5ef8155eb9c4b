/*
 * Who the children run as.  The supervisor stays what it is, so that it
 * can bind low ports again; everything that meets foreign bytes has
 * dropped before it was even exec'd.
 */
#include "relay/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int find_user(const char *name, struct privs *out, struct error *error)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user && errno)
		return error_errno(error, "user \"%s\"", name);
	if (!user)
		return error_set(error,
				 "user \"%s\" does not exist; create "
				 "it (adduser --system) or set `user`",
				 name);
	out->uid = user->pw_uid;
	out->gid = user->pw_gid;
	return 0;
}

int privs_find(const struct conf *conf, struct privs *out, struct error *error)
{
	bool is_root = geteuid() == 0;

	out->drops = false;
	out->uid = geteuid();
	out->gid = getegid();
	if (!conf->user)
		return 0;
	if (find_user(conf->user, out, error))
		return -1;
	if (!is_root && out->uid != geteuid())
		return error_set(error,
				 "only root can run as \"%s\"; start as "
				 "root or leave out `user`",
				 conf->user);
	out->drops = is_root && out->uid != 0;
	if (!is_root)
		out->gid = getegid();
	return 0;
}

int privs_drop(const struct privs *privs)
{
	if (privs->drops && (setgroups(0, NULL) ||
			     setresgid(privs->gid, privs->gid, privs->gid) ||
			     setresuid(privs->uid, privs->uid, privs->uid)))
		return -1;
	if (privs->drops && privs->uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	/* What lets an ordinary user bind low ports ends here, too. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IS_WATCHED 1
#endif

void privs_guard_memory(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	/* The leak checker attaches itself as a debugger does. */
#ifndef IS_WATCHED
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
