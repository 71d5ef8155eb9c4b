#!/bin/sh
# Unpacks a mail server that cannot be installed beside another one, and says
# where: the packages as they are, in a cache outside the tree, none of their
# scripts run. For tests that want to talk to it.
#
#	peers.sh exim | opensmtpd
#
# prints the folder that holds usr/sbin/exim4 or usr/sbin/smtpd. Libraries that
# this machine lacks lie in the folder's usr/lib/TRIPLET. Exits with 77 where
# the packages cannot be had.
set -eu

HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern/peers

case ${1-} in
exim)
	packages='exim4-daemon-light exim4-base'
	libraries='libidn12 libnsl2 libgnutls-dane0 libpcre2-8-0 libdb5.3'
	;;
opensmtpd)
	packages=opensmtpd
	libraries='libevent-2.1-7 libdb5.3'
	;;
*) echo "usage: $0 exim|opensmtpd" >&2; exit 64 ;;
esac

give_up() {
	echo "peers: $*" >&2
	exit 77
}

command -v apt-get >/dev/null || give_up 'no apt here'
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/$1/done" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for library in $libraries; do
		dpkg-query -W -f '${Status}' "$library" 2>/dev/null |
			grep -q ' installed' || packages="$packages $library"
	done
	# shellcheck disable=SC2086
	(cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" \
		download $packages) >&2 || give_up "cannot get $packages"
	rm -rf "${cache:?}/$1"
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$cache/$1"
	done
	touch "$cache/$1/done"
fi
echo "$cache/$1"
