#!/bin/sh
# Makes the certificates that the tests judge, with the openssl tool:
#
#	certs.sh FOLDER [few]
#
# "few" stops after what a handshake needs. Each NAME.pem is one certificate, NAME.der the same, NAME.key its key.
set -eu
cd "$1"

cat >ca.cnf <<'END'
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
rand_serial = yes
policy = all
default_md = sha256
unique_subject = no
email_in_dn = yes
preserve = yes
[all]
commonName = optional
organizationName = optional
countryName = optional
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
[dn]
END
: >index.txt

key() {
	case $2 in
	ec) set -- "$1" -algorithm EC -pkeyopt ec_paramgen_curve:P-256 ;;
	ec384) set -- "$1" -algorithm EC -pkeyopt ec_paramgen_curve:P-384 ;;
	rsa*) set -- "$1" -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}" ;;
	ed25519) set -- "$1" -algorithm ed25519 ;;
	esac
	out=$1
	shift
	openssl genpkey "$@" -out "$out.key" 2>/dev/null
}

# sign NAME SUBJECT ISSUER EXTENSIONS [START END [DIGEST]]: the key of NAME
# is made unless it is there; ISSUER "self" signs itself.
sign() {
	name=$1 subject=$2 issuer=$3
	start=${5-20200101000000Z} end=${6-20600101000000Z} md=${7-sha256}
	test -e "$name.key" || key "$name" ec
	printf '[x]\n%s\n' "$4" | tr '|' '\n' >x.cnf
	openssl req -new -config ca.cnf -key "$name.key" -subj "$subject" \
		-multivalue-rdn -out x.csr 2>/dev/null
	if [ "$issuer" = self ]; then
		set -- -selfsign -keyfile "$name.key"
	else
		set -- -cert "$issuer.pem" -keyfile "$issuer.key"
	fi
	case $md in
	pss) set -- "$@" -md sha256 -sigopt rsa_padding_mode:pss \
		-sigopt rsa_pss_saltlen:32 ;;
	none) ;;
	*) set -- "$@" -md "$md" ;;
	esac
	openssl ca -batch -notext -config ca.cnf -in x.csr -out "$name.pem" \
		-startdate "$start" -enddate "$end" -extfile x.cnf \
		-extensions x "$@" 2>x.log || { cat x.log >&2; exit 1; }
	openssl x509 -in "$name.pem" -outform DER -out "$name.der"
}

# The last byte is the signature's.
corrupt() {
	size=$(wc -c <"$1.der")
	head -c $((size - 1)) "$1.der" >"$2.der"
	tail -c 1 "$1.der" | tr '\000-\377' '\001-\377\000' >>"$2.der"
	openssl x509 -inform DER -in "$2.der" -out "$2.pem"
	cp "$1.key" "$2.key"
}

CA='basicConstraints=critical,CA:TRUE|keyUsage=critical,keyCertSign,cRLSign|subjectKeyIdentifier=hash'
EE='basicConstraints=CA:FALSE|keyUsage=digitalSignature|extendedKeyUsage=serverAuth'
mx5='subjectAltName=DNS:mx5.example.test'
past='20200101000000Z 20260301000000Z'

sign root '/O=Postern Test/CN=Test Root' self "$CA"
sign root2 '/O=Postern Test/CN=Other Root' self "$CA"
sign inter '/O=Postern Test/CN=Test Inter' root "$CA|authorityKeyIdentifier=keyid"
sign orgca '/C=DE/O=Only An Organisation' root "$CA"
sign good '/CN=mx5.example.test' inter "$EE|$mx5"
sign byroot '/CN=mx5.example.test' root "$EE|$mx5"
sign byorg '/CN=mx5.example.test' orgca "$EE|$mx5"
sign noeku '/CN=mx5.example.test' root "$mx5"
sign anyeku '/CN=mx5.example.test' root "$mx5|extendedKeyUsage=anyExtendedKeyUsage"
sign expired '/CN=mx5.example.test' root "$EE|$mx5" $past
sign future '/CN=mx5.example.test' root "$EE|$mx5" 20500101000000Z
sign client '/CN=mx5.example.test' root "$mx5|extendedKeyUsage=clientAuth"
sign critical '/CN=mx5.example.test' root "$EE|$mx5|1.2.3.4.5=critical,DER:05:00"
sign self '/CN=mx5.example.test' self "$mx5"
sign selfca '/CN=mx5.example.test' self "$CA|$mx5"
sign selfold '/CN=mx5.example.test' self "$mx5" $past
corrupt byroot badleaf
corrupt inter badinter
key rsa rsa2048
sign rsa '/CN=mx5.example.test' root "$EE|$mx5"
cat good.pem inter.pem >chain.pem
openssl pkey -in good.key -aes128 -passout pass:x -out locked.key
test "${2-}" != few || exit 0

# The leaf is fine, what issued it is not.
sign oldinter '/CN=Old Inter' root "$CA" $past
sign underold '/CN=mx5.example.test' oldinter "$EE|$mx5"
sign notca '/CN=Not A CA' root 'basicConstraints=CA:FALSE'
sign undernotca '/CN=mx5.example.test' notca "$EE|$mx5"
sign noku '/CN=May Not Sign' root 'basicConstraints=critical,CA:TRUE|keyUsage=critical,digitalSignature'
sign undernoku '/CN=mx5.example.test' noku "$EE|$mx5"
sign bare '/CN=No Constraints' root 'subjectKeyIdentifier=hash'
sign underbare '/CN=mx5.example.test' bare "$EE|$mx5"
sign plen '/CN=Path Zero' root 'basicConstraints=critical,CA:TRUE,pathlen:0|keyUsage=critical,keyCertSign'
sign underplen '/CN=mx5.example.test' plen "$EE|$mx5"
sign plenca '/CN=One Too Many' plen "$CA"
sign underplenca '/CN=mx5.example.test' plenca "$EE|$mx5"
sign clientca '/CN=Client CA' root "$CA|extendedKeyUsage=clientAuth"
sign underclientca '/CN=mx5.example.test' clientca "$EE|$mx5"
sign oldroot '/CN=Old Root' self "$CA" $past
sign underoldroot '/CN=mx5.example.test' oldroot "$EE|$mx5"

# The same CA twice: its root, and a cross certificate by a root that nobody
# knows any more.
sign unknown '/CN=Unknown Root' self "$CA"
cp root.key cross.key
sign cross '/O=Postern Test/CN=Test Root' unknown "$CA"

# Name constraints.
nc() {
	sign "$1" "/CN=Constrained $1" root "$CA|nameConstraints=critical,$2"
	sign "under$1" "/CN=mx5.example.test" "$1" "$EE|$mx5"
}
nc ncgood 'permitted;DNS:example.test'
nc ncother 'permitted;DNS:other.test'
nc ncnot 'excluded;DNS:example.test'
nc ncnotother 'excluded;DNS:other.test'
nc ncmail 'permitted;email:example.test'
nc ncip 'permitted;IP:10.0.0.0/255.0.0.0'
sign underncip2 '/CN=mx5.example.test' ncip "$EE|$mx5,IP:192.0.2.1"
sign underncgoodcn '/CN=mx5.other.test' ncgood "$EE"

# Weak keys and digests.
key weakkey rsa1024
sign weakkey '/CN=mx5.example.test' root "$EE|$mx5"
key weakca rsa1024
sign weakca '/CN=Weak CA' root "$CA"
sign underweakca '/CN=mx5.example.test' weakca "$EE|$mx5"
sign sha1 '/CN=mx5.example.test' root "$EE|$mx5" 20200101000000Z 20600101000000Z sha1
key rsaroot rsa2048
sign rsaroot '/CN=RSA Root' self "$CA"
sign md5 '/CN=mx5.example.test' rsaroot "$EE|$mx5" 20200101000000Z 20600101000000Z md5
sign sha1inter '/CN=SHA-1 Inter' root "$CA" 20200101000000Z 20600101000000Z sha1
sign undersha1 '/CN=mx5.example.test' sha1inter "$EE|$mx5"
cp rsaroot.key sha1root.key
sign sha1root '/CN=RSA Root' self "$CA" 20200101000000Z 20600101000000Z sha1

# Kinds of keys and signatures.
sign byrsa '/CN=mx5.example.test' rsaroot "$EE|$mx5"
sign sha384 '/CN=mx5.example.test' rsaroot "$EE|$mx5" 20200101000000Z 20600101000000Z sha384
sign sha512 '/CN=mx5.example.test' rsaroot "$EE|$mx5" 20200101000000Z 20600101000000Z sha512
sign pss '/CN=mx5.example.test' rsaroot "$EE|$mx5" 20200101000000Z 20600101000000Z pss
corrupt pss badpss
corrupt byrsa badrsa
key rsa4096 rsa4096
sign rsa4096 '/CN=mx5.example.test' root "$EE|$mx5"
key ed25519 ed25519
sign ed25519 '/CN=mx5.example.test' root "$EE|$mx5"
key edroot ed25519
sign edroot '/CN=Edwards Root' self "$CA" 20200101000000Z 20600101000000Z null
sign bydroot '/CN=mx5.example.test' edroot "$EE|$mx5" 20200101000000Z 20600101000000Z null
corrupt bydroot badbyed
key ec384 ec384
sign ec384 '/CN=P-384 CA' root "$CA"
sign underec384 '/CN=mx5.example.test' ec384 "$EE|$mx5" 20200101000000Z 20600101000000Z sha384

# Names.
sign wild '/CN=x' root "$EE|subjectAltName=DNS:*.example.test"
sign cnonly '/CN=MX5.Example.Test' root "$EE"
sign cnnot '/CN=mx5.example.test' root "$EE|subjectAltName=DNS:mx6.example.test"
sign iponly '/CN=mx5.example.test' root "$EE|subjectAltName=IP:192.0.2.1,email:a@example.test"
sign twocn '/CN=mx5.example.test/CN=second.example.test' root "$EE"
# dNSName "mx5.example.test" NUL ".evil"
sign nul '/CN=x' root "$EE|subjectAltName=DER:30:18:82:16:6d:78:35:2e:65:78:61:6d:70:6c:65:2e:74:65:73:74:00:2e:65:76:69:6c"
sign idn '/CN=x' root "$EE|subjectAltName=DNS:xn--bcher-kva.example.test"
many=$(i=0; while [ $i -lt 200 ]; do printf 'DNS:host-%03d.example.test,' $i; i=$((i + 1)); done)
sign many '/CN=x' root "$EE|subjectAltName=${many}DNS:mx5.example.test"
sign tuv5 '/CN=mx5.de.tuv.com' inter "$EE"
sign tuv5san '/CN=mx5.de.tuv.com' inter "$EE|subjectAltName=DNS:MX5.de.tuv.com"
sign tuvwild '/CN=x' inter "$EE|subjectAltName=DNS:*.de.tuv.com"
sign ipsan '/CN=x' root "$EE|subjectAltName=IP:192.0.2.1,DNS:other.example.test"
hundred=$(i=0; while [ $i -lt 99 ]; do printf 'DNS:host-%03d.example.test,' $i; i=$((i + 1)); done)
sign hundred '/CN=x' root "$EE|subjectAltName=${hundred}DNS:mx5.example.test"
sign tuv '/CN=mx6.de.tuv.com' inter "$EE|subjectAltName=DNS:mx6.de.tuv.com"

# For a partner's form: where the CA's certificate lies, and CAs whose names
# are hard to write in a list.
sign aia '/CN=mx5.example.test' inter "$EE|subjectAltName=DNS:mx5.example.test,DNS:mx6.example.test|authorityInfoAccess=OCSP;URI:http://ocsp.test/,caIssuers;URI:http://ca.test/inter.crt,caIssuers;URI:ftp://ca.test/"
sign comma '/CN=Foo, Bar CA' root "$CA"
sign undercomma '/CN=mx5.example.test' comma "$EE|$mx5"
sign semicolon '/CN=Foo; Bar CA' root "$CA"
sign undersemicolon '/CN=mx5.example.test' semicolon "$EE|$mx5"

openssl crl2pkcs7 -nocrl -certfile root.pem -certfile root2.pem -outform DER -out roots.p7b
openssl crl2pkcs7 -nocrl -certfile root.pem -certfile root2.pem -out roots.p7
cat root.pem root2.pem >roots.pem
