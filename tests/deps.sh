#!/bin/sh
# Installs what is missing to build or test Postern.
#
#	deps.sh build | demo | test | bench | wolfssl-source | wolfssl-system
#
# Each line of a set is a Debian package and what shows that it is there: a
# program, a header below the include folders or a Perl module. Nothing is asked of apt
# unless something is missing. Where there is no apt the list is printed.
set -eu

build='
gcc               gcc
make              make
pkg-config        pkg-config
libc6-dev         stdio.h
libev-dev         ev.h
liblmdb-dev       lmdb.h
libunbound-dev    unbound.h
libconfuse-dev    confuse.h
libidn2-dev       idn2.h
libseccomp-dev    seccomp.h
libldns-dev       ldns/ldns.h
libmicrohttpd-dev microhttpd.h
libcmocka-dev     cmocka.h
libssl-dev        openssl/x509.h
ca-certificates   /etc/ssl/certs/ca-certificates.crt
'
wolfssl_source='
dpkg-dev          dpkg-source
autoconf          autoconf
automake          automake
libtool           libtoolize
make              make
gcc               gcc
'
wolfssl_system='
libwolfssl-dev    wolfssl/options.h
'
demo='
python3           python3
curl              curl
openssl           openssl
'
bench='
python3           python3
openssl           openssl
postfix           postfix
e2fsprogs         mkfs.ext4
'
test='
clang             clang
python3           python3
curl              curl
swaks             swaks
libnet-ssleay-perl Net::SSLeay
openssl           openssl
gnutls-bin        gnutls-cli
strace            strace
unbound           unbound
nsd               nsd
ldnsutils         ldns-signzone
bind9-dnsutils    dig
chromium          chromium
iproute2          ip
util-linux        setarch
postfix           postfix
'

PATH=$PATH:/usr/sbin:/sbin

is_there() {
	case $1 in
	/*) test -e "$1" ;;
	*::*) perl "-M$1" -e 1 2>/dev/null ;;
	*.h) test -e "/usr/include/$1" || test -e "/usr/local/include/$1" ||
		test -e "/usr/include/$(uname -m)-linux-gnu/$1" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing() {
	echo "$1" | while read -r package proof; do
		test -z "$package" || is_there "$proof" || echo "$package"
	done
}

# Installing a server must start no daemon, and leaves this machine's own rule
# about that as it was.
policy=/usr/sbin/policy-rc.d
restore() {
	rm -f $policy
	test ! -e $policy.postern || mv $policy.postern $policy
}

install() {
	export DEBIAN_FRONTEND=noninteractive
	test ! -e $policy || mv $policy $policy.postern
	trap restore EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	# Another apt may be at work: wait for its lock.
	apt-get -q -o DPkg::Lock::Timeout=300 update
	for package; do
		test "$package" != postfix ||
			echo 'postfix postfix/main_mailer_type select No configuration' |
			debconf-set-selections
	done
	apt-get -q -y -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends "$@"
}

case ${1-} in
build) set="$build" ;;
demo) set="$demo" ;;
test) set="$test" ;;
bench) set="$bench" ;;
wolfssl-source) set="$wolfssl_source" ;;
wolfssl-system) set="$wolfssl_system" ;;
--install) shift; install "$@" >&2; exit ;;
*) echo "usage: $0 build|demo|test|bench|wolfssl-source|wolfssl-system" >&2; exit 64 ;;
esac

list=$(missing "$set" | tr '\n' ' ')
test -n "$list" || exit 0
echo "missing: $list" >&2
if ! command -v apt-get >/dev/null; then
	echo "no apt here: install these (Debian's names) and try again" >&2
	exit 1
fi
if [ "$(id -u)" = 0 ]; then
	# shellcheck disable=SC2086
	exec "$0" --install $list
elif command -v sudo >/dev/null; then
	exec sudo "$0" --install $list
fi
echo "neither root nor sudo: as root, apt-get install $list" >&2
exit 1
