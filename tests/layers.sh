#!/bin/sh
# The walls: who may include whom, who may touch which library, which rooms
# are pure, and how long a function or a file may be. Prints one line for each
# violation and exits non-zero if there was one.
#
#	layers.sh [folder]
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2

# room: the rooms that it may include
walls='
conf   conf
tls    tls conf
queue  queue conf
relay  relay queue tls conf
tests  tests relay queue tls conf
'

# header (a pattern): the only files outside tests/ that may include it; a
# header of ours that shows a library to its users is listed like one
libraries='
ev.h               tls/conn.c queue/{queue,commit,reader}.c relay/{main,server,client,dispatch,certwatch,dns,drain,errand,worker,resolver,supervise,control,workshop,keeper,probe}.c relay/lab/*.c
wolfssl/*          tls/*.c tls/wolf.h
tls/{wolf,inner}.h tls/*.{c,h}
lmdb.h             queue/{store,commit,reader}*.{c,h}
unbound.h          relay/resolver*.c
confuse.h          conf/*.c
openssl/*          relay/lab/{mint.c,issue.c,issue.h}
ldns/*             relay/lab/{zone,answer}*.c
microhttpd.h       relay/lab/page*.c
idn2.h             conf/*.c
seccomp.h          relay/sandbox*.c
sys/socket.h       conf/net.{c,h} conf/log*.c tls/{conn,wire,keeper}.c relay/*.c relay/lab/*.c
netinet/*          conf/net.{c,h} tls/{conn,wire}.c relay/*.c relay/lab/*.c
arpa/*             conf/net.{c,h} tls/{conn,wire}.c relay/*.c relay/lab/*.c
netdb.h            conf/net.c relay/{control,cli}*.c relay/lab/*.c
'

# Rooms with neither sockets nor loop nor clock nor chance.
pure='
relay/smtp/*.{c,h}
relay/form*.{c,h}
relay/lab/faults.{c,h}
relay/matrix*.{c,h}
relay/{route,order,turns,pool,hosts,pace,backoff,target}.{c,h}
relay/{admit,certbook,clients,advice,assure,score,words,queue_print}.{c,h}
relay/{dns_wire,dns_rdata,resolver_dnssec}.{c,h}
relay/lab/{journal,label,letter_print,recall}.{c,h}
tls/{policy,judge,names,facts,cert,chain,constraints,der,dane,sts}.{c,h}
conf/{addr,bytes,escape,crc32c,rules,scan,fault,fault_table}.{c,h}
queue/{pack,record,envelope,message,progress,ident,retry,result}.{c,h}
queue/{proof,lanes,dsn,select}.{c,h}
relay/lab/{zone,zone_key,answer,html,part,part_decode}.{c,h}
'
impure_headers='^(ev\.h|sys/socket\.h|netinet/|arpa/|netdb\.h|poll\.h|sys/epoll\.h|sys/random\.h|sys/time\.h|unistd\.h|fcntl\.h)'
impure_calls='(^|[^a-zA-Z0-9_.>])(time|clock_gettime|gettimeofday|random|rand|getrandom|arc4random|getentropy|socket|connect|open|fopen|getenv)[ \t]*\('

function_max=80
file_warn=500
file_max=700

files=$(find conf tls queue relay tests -name '*.[ch]' 2>/dev/null | sort)
test -n "$files" || { echo 'layers: no source here'; exit 0; }

# shellcheck disable=SC2086
WALLS="$walls" LIBRARIES="$libraries" CALLS="$impure_calls" PURE="$pure" awk \
	-v headers="$impure_headers" \
	-v function_max=$function_max -v file_warn=$file_warn \
	-v file_max=$file_max '
# A glob with * and {a,b} as a regular expression.
function expression(glob) {
	gsub(/\./, "[.]", glob)
	gsub(/\*/, "[^/]*", glob)
	gsub(/\{/, "(", glob)
	gsub(/\}/, ")", glob)
	gsub(/,/, "|", glob)
	return "^" glob "$"
}
function matches(name, globs,  list, n, i) {
	n = split(globs, list, " ")
	for (i = 1; i <= n; i++)
		if (name ~ expression(list[i]))
			return 1
	return 0
}
function violation(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad++
}
function end_of_file() {
	if (lines > file_max) {
		printf "%s: %d lines, more than %d: two rooms\n", \
			name, lines, file_max
		bad++
	} else if (lines > file_warn) {
		printf "warning: %s has %d lines\n", name, lines
	}
}
function check_ours(path,  target) {
	target = path
	if (!sub(/\/.*/, "", target))
		violation("include \"" path "\" not from the top")
	else if (index(may[room], " " target " ") == 0)
		violation(room "/ may not include " path)
	else
		check_owner(path)
}
function check_system(path) {
	if (is_pure && path ~ headers)
		violation("a pure room includes <" path ">")
	check_owner(path)
}
function check_owner(path,  i) {
	for (i = 1; i <= kinds && room != "tests"; i++)
		if (path ~ kind[i] && !matches(FILENAME, owners[i]))
			violation(path " is for " owners[i])
}
BEGIN {
	n = split(ENVIRON["WALLS"], row, "\n")
	for (i = 1; i <= n; i++) {
		m = split(row[i], word, " ")
		for (j = 2; j <= m; j++)
			may[word[1]] = may[word[1]] " " word[j] " "
	}
	n = split(ENVIRON["LIBRARIES"], row, "\n")
	for (i = 1; i <= n; i++) {
		if (split(row[i], word, " ") < 2)
			continue
		sub(/\*/, "**", word[1])
		kind[++kinds] = expression(word[1])
		gsub(/\[\^\/\]\*\[\^\/\]\*/, ".*", kind[kinds])
		owners[kinds] = row[i]
		sub(/^[^ ]+ +/, "", owners[kinds])
	}
	calls = ENVIRON["CALLS"]
	pure = ENVIRON["PURE"]
}
FNR == 1 {
	end_of_file()
	name = room = FILENAME
	sub(/\/.*/, "", room)
	is_pure = matches(FILENAME, pure)
	in_comment = started = 0
}
{
	lines = FNR
	code = $0
	if (in_comment && !sub(/^.*\*\//, "", code))
		code = ""
	else
		in_comment = 0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
	gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, " ", code)
	if (sub(/\/\*.*/, "", code))
		in_comment = 1
	sub(/\/\/.*/, "", code)
}
/^[ \t]*#[ \t]*include/ && !in_comment {
	path = $0
	if (sub(/^[^<"]*"/, "", path) && sub(/".*/, "", path))
		check_ours(path)
	path = $0
	if (sub(/^[^<"]*</, "", path) && sub(/>.*/, "", path))
		check_system(path)
}
is_pure && code ~ calls { violation("a pure room calls: " code) }
/^\{/ { started = FNR }
/^\}/ && started {
	if (FNR - started + 1 > function_max)
		violation("a function of " FNR - started + 1 " lines")
	started = 0
}
END {
	end_of_file()
	exit bad > 0
}' $files && echo "layers: the walls stand"
