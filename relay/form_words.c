/*
 * Headings are compared as keys: ASCII letters and digits in lower case,
 * umlauts spelled out, blanks and hyphens left out, so that "E-Mail-Domänen",
 * "Email Domaenen" and "EMAIL DOMÄNEN" are one.  A key remembers where in
 * the line each of its characters ended; what follows a heading must not
 * continue its last word.
 */
#include "relay/form_words.h"

#include <string.h>

enum { KEY_MAX = 96, SECTION_LINE_MAX = 160 };

struct key {
	char text[KEY_MAX + 1];
	size_t ends[KEY_MAX]; /* offset in the line behind the character */
	size_t len;
};

/* Among those that match, the longest is meant.  A strict one, a word with
 * which a sentence may begin, wants a colon, a tab, wide blanks or the
 * line's end behind it. */
static const struct heading {
	const char *key;
	enum form_field field;
	bool is_strict;
} headings[] = {
	{ "listofemaildomains", FORM_DOMAINS, false },
	{ "emaildomains", FORM_DOMAINS, false },
	{ "emaildomain", FORM_DOMAINS, false },
	{ "maildomains", FORM_DOMAINS, false },
	{ "domainnames", FORM_DOMAINS, false },
	{ "domains", FORM_DOMAINS, false },
	{ "domain", FORM_DOMAINS, true },
	{ "listederemaildomaenen", FORM_DOMAINS, false },
	{ "listederemaildomains", FORM_DOMAINS, false },
	{ "emaildomaenen", FORM_DOMAINS, false },
	{ "emaildomaene", FORM_DOMAINS, false },
	{ "maildomaenen", FORM_DOMAINS, false },
	{ "domaenen", FORM_DOMAINS, false },
	{ "gateways", FORM_GATEWAYS, false },
	{ "gateway", FORM_GATEWAYS, true },
	{ "emailgateways", FORM_GATEWAYS, false },
	{ "mailgateways", FORM_GATEWAYS, false },
	{ "mailserver", FORM_GATEWAYS, true },
	{ "mailservers", FORM_GATEWAYS, true },
	{ "mxserver", FORM_GATEWAYS, true },
	{ "mxrecords", FORM_GATEWAYS, false },
	{ "mxeintraege", FORM_GATEWAYS, false },
	{ "cnofthetlscertificates", FORM_NAMES, false },
	{ "cnofthetlscertificate", FORM_NAMES, false },
	{ "cnoftlscertificates", FORM_NAMES, false },
	{ "cnofthecertificates", FORM_NAMES, false },
	{ "cnofthecertificate", FORM_NAMES, false },
	{ "subjectalternativenames", FORM_NAMES, false },
	{ "subjectalternativename", FORM_NAMES, false },
	{ "cndertlszertifikate", FORM_NAMES, false },
	{ "cndestlszertifikats", FORM_NAMES, false },
	{ "cndestlszertifikates", FORM_NAMES, false },
	{ "cnderzertifikate", FORM_NAMES, false },
	{ "cndeszertifikats", FORM_NAMES, false },
	{ "nameofissuingca", FORM_ISSUERS, false },
	{ "nameoftheissuingca", FORM_ISSUERS, false },
	{ "namesofissuingcas", FORM_ISSUERS, false },
	{ "namesoftheissuingcas", FORM_ISSUERS, false },
	{ "nameofca", FORM_ISSUERS, false },
	{ "nameoftheca", FORM_ISSUERS, false },
	{ "issuingca", FORM_ISSUERS, true },
	{ "issuer", FORM_ISSUERS, true },
	{ "certificationauthority", FORM_ISSUERS, true },
	{ "certificateauthority", FORM_ISSUERS, true },
	{ "namederausstellendenca", FORM_ISSUERS, false },
	{ "namederausstellendenzertifizierungsstelle", FORM_ISSUERS, false },
	{ "namedesausstellers", FORM_ISSUERS, false },
	{ "ausstellendeca", FORM_ISSUERS, true },
	{ "ausstellendezertifizierungsstelle", FORM_ISSUERS, true },
	{ "zertifizierungsstelle", FORM_ISSUERS, true },
	{ "aussteller", FORM_ISSUERS, true },
	{ "url", FORM_URLS, false },
	{ "publickeyoftheca", FORM_URLS, false },
	{ "oeffentlicherschluesselderca", FORM_URLS, false },
	{ "company", FORM_COMPANY, false },
	{ "companyname", FORM_COMPANY, false },
	{ "firma", FORM_COMPANY, false },
	{ "firmenname", FORM_COMPANY, false },
	{ "unternehmen", FORM_COMPANY, false },
	{ "department", FORM_DEPARTMENT, false },
	{ "abteilung", FORM_DEPARTMENT, false },
	{ "address", FORM_ADDRESS, false },
	{ "adresse", FORM_ADDRESS, false },
	{ "anschrift", FORM_ADDRESS, false },
	{ "technicalcontactperson", FORM_PERSON, false },
	{ "technicalcontact", FORM_PERSON, false },
	{ "technischeransprechpartner", FORM_PERSON, false },
	{ "ansprechpartner", FORM_PERSON, false },
	{ "name", FORM_PERSON, false },
	{ "emailaddress", FORM_EMAIL, false },
	{ "emailadresse", FORM_EMAIL, false },
	{ "email", FORM_EMAIL, false },
	{ "phonenumber", FORM_PHONE, false },
	{ "phone", FORM_PHONE, false },
	{ "telefonnummer", FORM_PHONE, false },
	{ "telefon", FORM_PHONE, false },
	{ "checktls", FORM_FIELDS, false },
	{ "mxserverpref", FORM_FIELDS, false },
	{ "average", FORM_FIELDS, false },
	{ "durchschnitt", FORM_FIELDS, false },
	{ "date", FORM_FIELDS, true },
	{ "datum", FORM_FIELDS, true },
	{ "signature", FORM_FIELDS, false },
	{ "unterschrift", FORM_FIELDS, false },
};

/* How letters outside ASCII count in a key; all others are left out. */
static const struct {
	uint32_t point;
	const char *text;
} spellings[] = {
	{ 0xe4, "ae" }, { 0xc4, "ae" }, { 0xf6, "oe" }, { 0xd6, "oe" },
	{ 0xfc, "ue" }, { 0xdc, "ue" }, { 0xdf, "ss" },
	{ 0x308, "e" }, /* the dots of a decomposed umlaut */
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_alnum(unsigned char byte)
{
	return is_digit(byte) || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

static bool is_blank(unsigned char byte)
{
	return byte == ' ' || byte == '\t';
}

static void key_add(struct key *key, char letter, size_t end)
{
	if (key->len == KEY_MAX)
		return;
	key->text[key->len] = letter;
	key->ends[key->len++] = end;
}

static void key_add_point(struct key *key, uint32_t point, size_t end)
{
	for (size_t i = 0; i < COUNT(spellings); i++)
		if (spellings[i].point == point)
			for (const char *at = spellings[i].text; *at; at++)
				key_add(key, *at, end);
}

/* Punctuation inside a heading separates it from its value: it is kept. */
static void key_make(struct key *key, struct view line, size_t from)
{
	key->len = 0;
	while (from < line.len && key->len < KEY_MAX) {
		uint32_t point = 0;
		unsigned char byte = line.at[from];
		size_t len = bytes_utf8(view_from(line, from), &point);

		from += len ? len : 1;
		if (byte >= 'A' && byte <= 'Z')
			key_add(key, (char)(byte + 32), from);
		else if (byte < 0x80 && !is_blank(byte) && byte != '-')
			key_add(key, (char)byte, from);
		else if (byte >= 0x80)
			key_add_point(key, point, from);
	}
	key->text[key->len] = '\0';
}

static bool is_spelled(uint32_t point)
{
	for (size_t i = 0; i < COUNT(spellings); i++)
		if (spellings[i].point == point)
			return true;
	return false;
}

/* Bullets, frames of tables and numbers before a heading: up to the first
 * letter. */
static size_t skip_bullet(struct view line)
{
	size_t at = 0;

	while (at < line.len) {
		uint32_t point = 0;
		size_t len = bytes_utf8(view_from(line, at), &point);

		if (is_spelled(point) ||
		    (is_alnum(line.at[at]) && !is_digit(line.at[at])))
			break;
		at += len ? len : 1;
	}
	return at;
}

static bool key_starts(const struct key *key, const char *text)
{
	return !strncmp(key->text, text, strlen(text));
}

static bool key_has(const struct key *key, const char *text)
{
	return strstr(key->text, text) != NULL;
}

static bool names_partner(const struct key *key)
{
	return key_has(key, "businesspartner") ||
	       key_has(key, "geschaeftspartner");
}

static bool is_from_partner(const struct key *key)
{
	static const char *const words[] = {
		"tlsfrombusinesspartner",   "tlsfromthebusinesspartner",
		"tlsvomgeschaeftspartner", "tlsvongeschaeftspartner",
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (key_starts(key, words[i]))
			return true;
	return false;
}

/* The directions stand in words; a number decides only where they do not. */
static unsigned direction(const struct key *key, unsigned number)
{
	if (key_starts(key, "tlsfrom") || key_starts(key, "tlsvo")) {
		if (is_from_partner(key))
			return FORM_TO_ISSUER;
		if (names_partner(key))
			return FORM_TO_PARTNER;
		return number == FORM_TO_ISSUER ? FORM_TO_ISSUER
						: FORM_TO_PARTNER;
	}
	if (key_starts(key, "tlsinformation") ||
	    key_starts(key, "tlsbusinesspartner") ||
	    key_starts(key, "tlsgeschaeftspartner"))
		return names_partner(key) ? FORM_TO_PARTNER : FORM_TO_ISSUER;
	return 0;
}

unsigned form_words_section(struct view line)
{
	struct key key;
	unsigned number = 0, section;

	line = view_trim(line);
	if (!line.len || line.len > SECTION_LINE_MAX)
		return 0;
	if (line.len > 2 && is_digit(line.at[0]) && !is_alnum(line.at[1]) &&
	    is_blank(line.at[2]))
		number = line.at[0] - (unsigned)'0';
	key_make(&key, line, skip_bullet(line));
	section = direction(&key, number);
	if (section)
		return section;
	if (key_has(&key, "contactdetails") || key_has(&key, "kontaktdaten") ||
	    key_has(&key, "contactinformation"))
		return names_partner(&key) ? FORM_PARTNER : FORM_ISSUER;
	return 0;
}

static bool may_follow(struct view rest, bool is_strict)
{
	if (!rest.len || strchr(":\t|(", rest.at[0]))
		return true;
	if (rest.at[0] != ' ')
		return false;
	return !is_strict || (rest.len > 1 && strchr(" \t(:|", rest.at[1]));
}

static const struct heading *find_heading(const struct key *key,
					  struct view line, size_t *end)
{
	const struct heading *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < COUNT(headings); i++) {
		const struct heading *heading = &headings[i];
		size_t len = strlen(heading->key), stop;

		if (len <= best_len || len > key->len ||
		    memcmp(key->text, heading->key, len) != 0)
			continue;
		stop = key->ends[len - 1];
		if (!may_follow(view_from(line, stop), heading->is_strict))
			continue;
		best = heading;
		best_len = len;
		*end = stop;
	}
	return best;
}

/* A numbered heading, "Issuing CA 2:". */
static struct view skip_number(struct view rest)
{
	size_t at = 0;

	while (at < rest.len && is_digit(rest.at[at]))
		at++;
	if (at && at < rest.len && (rest.at[at] == ':' || rest.at[at] == '\t'))
		return view_from(rest, at);
	return rest;
}

bool form_words_field(struct view line, enum form_field *field,
		      struct view *value, struct view *remark)
{
	const struct heading *heading;
	struct view rest;
	struct key key;
	size_t end;

	key_make(&key, line, skip_bullet(line));
	heading = find_heading(&key, line, &end);
	if (!heading)
		return false;
	*field = heading->field;
	*remark = view_make(line.at, 0);
	rest = view_trim(view_from(line, end));
	if (rest.len && rest.at[0] == '(') {
		*remark = view_first(rest, view_index(rest, ')') + 1);
		rest = view_trim(view_from(rest, remark->len));
	}
	rest = skip_number(rest);
	while (rest.len && (rest.at[0] == ':' || rest.at[0] == '|' ||
			    is_blank(rest.at[0])))
		rest = view_from(rest, 1);
	while (rest.len && (rest.at[rest.len - 1] == '|' ||
			    is_blank(rest.at[rest.len - 1])))
		rest.len--;
	*value = rest;
	return true;
}

bool form_words_next(struct view *rest, struct view *word)
{
	static const char separators[] = " \t,;|()<>\"'";
	size_t len = 0;

	while (rest->len && strchr(separators, rest->at[0]))
		*rest = view_from(*rest, 1);
	while (len < rest->len &&
	       (!rest->at[len] || !strchr(separators, rest->at[len])))
		len++;
	*word = view_first(*rest, len);
	*rest = view_from(*rest, len);
	return len > 0;
}

bool form_words_is_page(struct view line)
{
	static const char *const words[] = { "von", "of", "/", "page",
					     "seite" };
	unsigned numbers = 0, known = 0;
	struct view word;
	uint64_t number;

	while (form_words_next(&line, &word)) {
		bool is_number = !view_number(word, 9999, &number);

		numbers += is_number;
		for (size_t i = 0; i < COUNT(words) && !is_number; i++)
			if (view_equal_fold(word, view_of(words[i]))) {
				is_number = true;
				known++;
			}
		if (!is_number)
			return false;
	}
	return numbers && known;
}

bool form_words_is_joint(struct view word)
{
	static const char *const words[] = { "and", "und", "or", "oder",
					     "sowie" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (view_equal_fold(word, view_of(words[i])))
			return true;
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] >= 0x80 || !strchr("-_./&+", word.at[i]))
			return false;
	return true;
}

bool form_words_is_empty(struct view value)
{
	static const char *const words[] = { "n/a",  "n.a.",  "none",
					     "keine", "keiner", "k.a." };
	struct view word, rest = view_trim(value);

	for (size_t i = 0; i < COUNT(words); i++)
		if (view_equal_fold(rest, view_of(words[i])))
			return true;
	/* Labels of cells that were left empty. */
	while (form_words_next(&rest, &word))
		if (word.at[word.len - 1] != ':' && !form_words_is_joint(word))
			return false;
	return true;
}

bool form_words_says_self_signed(struct view value)
{
	struct key key;

	key_make(&key, value, 0);
	return key_has(&key, "selfsigned") || key_has(&key, "selbstsigniert") ||
	       key_has(&key, "selbstsignierte");
}
