#!/bin/sh
# Finds, and if need be builds, the wolfSSL that Postern links.
#
#	build.sh built | system | /prefix		writes a make fragment
#	build.sh --refresh				builds the newest source
#
# built: Debian's own source package with Debian's patches, configured as the
# file "options" says, or "options.small" where PROFILE=small stands in the
# environment; static, kept in a cache outside the tree under a key of source
# version, options and compiler. With a cached build nothing is asked of the
# network. Where it cannot be built the packaged library is used, and every
# make says so.
set -eu

suite=trixie
here=$(cd "$(dirname "$0")" && pwd)
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern
options=$here/options${PROFILE:+.$PROFILE}
cc=${CC:-cc}
# The library is C: what compiles ours decides nothing there but the speed, so
# sanitizers and clang share the build that the machine's cc made.
command -v gcc >/dev/null && cc=gcc

say() { echo "wolfssl: $*" >&2; }

key() {
	{
		uname -m
		$cc -dumpmachine
		$cc --version | head -n 1
		grep -v -e '^#' -e '^$' "$options"
		sed -n '/^build()/,/^}/p' "$here/build.sh"
	} | sha256sum | cut -c1-16
}

newest() {
	for dir in "$cache"/wolfssl-*-"$1"; do
		test ! -e "$dir/done" || echo "$dir"
	done | sort -V | tail -n 1
}

# The machine's own Debian archives, as lines "suite uri keyring", whichever
# of the two formats they are written in. Only where they are is taken over.
archives() {
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		test ! -r "$file" || awk '$1 == "deb" || $1 == "deb-src" {
			key = "-"; i = 2
			if ($2 ~ /^\[/) {
				for (; i <= NF; i++) {
					word = $i
					gsub(/[\[\]]/, "", word)
					if (sub(/^signed-by=/, "", word))
						key = word
					if ($i ~ /\]$/)
						break
				}
				i++
			}
			for (c = i + 2; c <= NF; c++)
				if ($c == "main")
					print $(i + 1), $i, key
		}' "$file"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		test ! -r "$file" || awk '
		function flush(  i, j, n, m, s, u) {
			n = split(suites, s); m = split(uris, u)
			if (components ~ /(^| )main( |$)/ && enabled != "no")
				for (i = 1; i <= n; i++)
					for (j = 1; j <= m; j++)
						print s[i], u[j], key
			suites = uris = components = enabled = ""
			key = "-"
		}
		BEGIN { key = "-" }
		/^#/ { next }
		/^[ \t]*$/ { flush(); next }
		{ value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
		tolower($1) == "suites:" { suites = value }
		tolower($1) == "uris:" { uris = value }
		tolower($1) == "components:" { components = value }
		tolower($1) == "enabled:" { enabled = tolower(value) }
		tolower($1) == "signed-by:" && value ~ /^\// {
			gsub(/[ \t]+/, ",", value); key = value
		}
		END { flush() }' "$file"
	done
}

keyrings() {
	dir=/usr/share/keyrings
	for file in $(echo "$1" | tr ',' ' ') $dir/debian-archive-keyring.gpg \
		$dir/debian-archive-keyring.pgp \
		$dir/debian-archive-$suite-*.gpg; do
		test ! -r "$file" || echo "$file"
	done | sort -u | tr '\n' ' '
}

# Debian's archive for this machine's release also carries the other ones, and
# so does the security archive. Another vendor's fails at the signature.
candidates() {
	archives | sort -u | while read -r of uri key; do
		case $of in
		*-security) of=$suite-security ;;
		*/* | *-*) continue ;;
		*) of=$suite ;;
		esac
		printf '%s\t%s\t%s\n' "$of" "$uri" "$(keyrings "$key")"
	done | sort -u
}

apt() {
	apt-get -q -o Dir::Etc::sourcelist="$PWD/apt.sources" \
		-o Dir::Etc::sourceparts=- -o Dir::State::Lists="$PWD/lists" \
		-o Dir::Cache="$PWD/cache" -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none "$@"
}

# Leaves the newest source package in the working folder. Each archive is
# tried alone first, so that one that has no such suite spoils nothing.
fetch() {
	mkdir -p lists/partial cache/archives/partial
	: >good
	candidates >candidates
	while IFS='	' read -r of uri keys; do
		printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' \
			"$uri" "$of" >apt.sources
		test -z "$keys" || echo "Signed-By: $keys" >>apt.sources
		if apt -o APT::Update::Error-Mode=any update >>log 2>&1; then
			{ cat apt.sources; echo; } >>good
		fi
	done <candidates
	test -s good || return 1
	mv good apt.sources
	apt update >>log 2>&1 && apt source --download-only wolfssl >>log 2>&1
}

wanted() {
	sed -n -e "s/^$(uname -m)://" -e "/^$1/p" "$options" | tr '\n' ' '
}

build() {
	# shellcheck disable=SC2046
	(
		cd src && ./autogen.sh &&
		./configure --prefix="$1" CC="$cc" $(wanted --) \
			CFLAGS="$(wanted '-[OfD]')" &&
		make -j"$(nproc)" && make install
	) </dev/null >>log 2>&1
}

make_one() {
	"$here/../../tests/deps.sh" wolfssl-source || return 1
	command -v apt-get >/dev/null ||
		{ why='no apt to get the source with'; return 1; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM HUP
	cd "$work"
	say "getting Debian's source package ($suite)"
	fetch || { why='the source package could not be got'; return 1; }
	dsc=$(ls wolfssl_*.dsc)
	version=${dsc#wolfssl_}
	version=${version%.dsc}
	dpkg-source -x "$dsc" src >>log 2>&1 ||
		{ why='the source package could not be unpacked'; return 1; }
	dir=$cache/wolfssl-$version-$key
	if [ ! -e "$dir/done" ]; then
		say "building $version (about half a minute)"
		rm -rf "$dir"
		build "$dir" || { why="$version did not build"; return 1; }
		rm -rf "$dir/share" "$dir/bin" "$dir/lib/pkgconfig"
		touch "$dir/done"
	fi
	cd "$here"
}

# Prints the fragment: the library itself is named as what the fragment
# depends on, so that make looks again if the cache was emptied.
fragment() {
	echo "WOLFSSL_CPPFLAGS := -isystem $1/include"
	echo "WOLFSSL_LIBS := $2"
	echo "\$(BUILD)/config.mk: $2"
	echo "$2: ;"
}

from_package() {
	"$here/../../tests/deps.sh" wolfssl-system || exit 1
	echo 'WOLFSSL_CPPFLAGS :='
	echo 'WOLFSSL_LIBS := -lwolfssl'
}

built() {
	key=$(key)
	dir=$(newest "$key")
	if [ -z "$dir" ] || [ "${1-}" = again ]; then
		mkdir -p "$cache"
		# Two builds at once: the second waits and finds the first's.
		exec 9>"$cache/lock"
		flock 9
		dir=$(newest "$key")
	fi
	if [ -z "$dir" ] || [ "${1-}" = again ]; then
		why='packages for the build are missing'
		if ! make_one; then
			say "$why; using the packaged library instead"
			test ! -e "$work/log" || tail -n 15 "$work/log" >&2
			echo "\$(info wolfSSL: the packaged library, for $why)"
			from_package
			return
		fi
	fi
	fragment "$dir" "$dir/lib/libwolfssl.a"
}

work=/nonexistent
test -r "$options" || { say "there is no profile '$PROFILE'"; exit 64; }
case ${1-built} in
built) built ;;
--refresh) built again ;;
system) from_package ;;
/*)
	if [ -e "$1/lib/libwolfssl.a" ]; then
		fragment "$1" "$1/lib/libwolfssl.a"
	else
		fragment "$1" "$(ls "$1"/lib/libwolfssl.so)"
		echo "WOLFSSL_LIBS += -Wl,-rpath,$1/lib"
	fi
	;;
*) say "WOLFSSL is built, system or /prefix, not '$1'"; exit 64 ;;
esac
