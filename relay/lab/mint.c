/*
 * The lab's authorities, and leaves with every fault.  Each certificate is
 * described by a `plan`; a fault changes the plan or the chain that is sent,
 * and nothing else.
 */
#include "relay/lab/mint.h"

#include "relay/lab/issue.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

enum {
	DAY = 24 * 3600,
	KEY_MODE = 0600,
	CERT_MODE = 0644,
	STRANGER_NAMES = 32,
};

#define OTHER_NAME "mail.other.example"
#define NUL_SUFFIX ".attacker.example"

struct mint {
	char *root_path;
	struct identity root;
	struct identity intermediate;
	/* The same names, and nobody trusts them. */
	struct identity false_root, false_intermediate;
	/* The same name, and no CA. */
	struct identity no_authority;
	/* The good leaf that was issued last: gateways share it. */
	struct identity shared;
	struct buffer shared_names;
};

/* --- the authorities ------------------------------------------------- */

static int make_authority(struct view name, const struct identity *issuer,
			  bool is_authority, struct identity *out,
			  struct error *error)
{
	struct plan plan = {
		.cn = name,
		.from = -DAY,
		.until = (issuer ? 5L : 10L) * 365 * DAY,
		.constraints = !is_authority ? "critical,CA:FALSE"
			       : issuer	     ? "critical,CA:TRUE,pathlen:0"
					     : "critical,CA:TRUE",
		.usage = is_authority ? "critical,keyCertSign,cRLSign"
				      : "critical,digitalSignature",
		.digest = EVP_sha256(),
	};

	return issue_identity(&plan, issue_key(), issuer, out, error);
}

static int write_pem(const char *path, mode_t mode, const struct identity *of,
		     bool is_key, struct error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int ok;

	if (!file) {
		error_errno(error, "%s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	ok = is_key ? PEM_write_PrivateKey(file, of->key, NULL, NULL, 0, NULL,
					   NULL)
		    : PEM_write_X509(file, of->cert);
	if (fclose(file) || ok != 1)
		return error_set(error, "%s: cannot be written", path);
	return 0;
}

/* What an earlier start left; false where there is nothing that fits. */
static bool read_root(const char *cert_path, const char *key_path,
		      struct identity *out)
{
	FILE *cert = fopen(cert_path, "re"), *key = fopen(key_path, "re");

	if (cert)
		out->cert = PEM_read_X509(cert, NULL, NULL, NULL);
	if (key)
		out->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	if (cert)
		fclose(cert);
	if (key)
		fclose(key);
	if (out->cert && out->key &&
	    X509_check_private_key(out->cert, out->key) == 1 &&
	    X509_cmp_current_time(X509_get0_notAfter(out->cert)) > 0)
		return true;
	issue_clear(out);
	return false;
}

static int find_root(struct mint *mint, const char *folder, struct view name,
		     struct error *error)
{
	struct buffer path = { 0 }, key_path = { 0 };
	char *key;
	int rc = 0;

	buffer_printf(&path, "%s/root.pem", folder);
	buffer_printf(&key_path, "%s/root.key", folder);
	mint->root_path = view_string(buffer_view(&path));
	key = view_string(buffer_view(&key_path));
	if (!read_root(mint->root_path, key, &mint->root) &&
	    (make_authority(name, NULL, true, &mint->root, error) ||
	     write_pem(key, KEY_MODE, &mint->root, true, error) ||
	     write_pem(mint->root_path, CERT_MODE, &mint->root, false, error)))
		rc = -1;
	buffer_clear(&path);
	buffer_clear(&key_path);
	free(key);
	return rc;
}

struct mint *mint_new(const char *folder, const char *title, const char *ca,
		      struct error *error)
{
	struct mint *mint = must_alloc(sizeof(*mint));
	char root_name[ISSUE_CN_MAX + 1];
	struct view root, name = view_of(ca);

	(void)snprintf(root_name, sizeof(root_name), "Postern Lab Root %s",
		       title);
	root = view_of(root_name);
	if (!find_root(mint, folder, root, error) &&
	    !make_authority(name, &mint->root, true, &mint->intermediate,
			    error) &&
	    !make_authority(name, &mint->root, false, &mint->no_authority,
			    error) &&
	    !make_authority(root, NULL, true, &mint->false_root, error) &&
	    !make_authority(name, &mint->false_root, true,
			    &mint->false_intermediate, error))
		return mint;
	mint_free(mint);
	return NULL;
}

void mint_free(struct mint *mint)
{
	if (!mint)
		return;
	issue_clear(&mint->root);
	issue_clear(&mint->intermediate);
	issue_clear(&mint->no_authority);
	issue_clear(&mint->false_root);
	issue_clear(&mint->false_intermediate);
	issue_clear(&mint->shared);
	buffer_clear(&mint->shared_names);
	free(mint->root_path);
	free(mint);
}

const char *mint_root_path(const struct mint *mint)
{
	return mint->root_path;
}

/* --- leaves ---------------------------------------------------------- */

/* The names of a leaf, and room for those that a fault makes up. */
struct names {
	struct view *at;
	size_t count;
	struct buffer made;
};

static struct view two_labels_on(struct view name)
{
	struct view rest = name;

	(void)view_cut(&rest, '.');
	(void)view_cut(&rest, '.');
	return rest;
}

static void plan_names(struct plan *plan, const struct strings *names,
		       enum fault_kind kind, struct names *room)
{
	struct view first = view_of(names->at[0]);

	room->at = must_alloc(names->count * sizeof(*room->at));
	for (size_t i = 0; i < names->count; i++)
		room->at[i] = view_of(names->at[i]);
	room->count = names->count;
	plan->cn = first;
	if (kind == FAULT_NUL_IN_NAME) {
		buffer_append(&room->made, first);
		buffer_append_byte(&room->made, '\0');
		buffer_append(&room->made, VIEW(NUL_SUFFIX));
	} else if (kind == FAULT_WILDCARD_TWO_LABELS) {
		buffer_printf(&room->made, "*.*");
		if (two_labels_on(first).len)
			buffer_append_byte(&room->made, '.');
		buffer_append(&room->made, two_labels_on(first));
	} else if (kind == FAULT_WRONG_NAME || kind == FAULT_NAME_ONLY_IN_CN) {
		buffer_append(&room->made, VIEW(OTHER_NAME));
	}
	if (buffer_len(&room->made)) {
		room->at[0] = buffer_view(&room->made);
		room->count = 1;
		if (kind != FAULT_NAME_ONLY_IN_CN)
			plan->cn = room->at[0];
	}
	plan->names = room->at;
	plan->name_count = room->count;
}

static const struct identity *issuer_of(const struct mint *mint,
					enum fault_kind kind)
{
	switch (kind) {
	case FAULT_SELF_SIGNED: return NULL;
	case FAULT_UNKNOWN_CA: return &mint->false_intermediate;
	case FAULT_CA_FALSE_ISSUER: return &mint->no_authority;
	default: return &mint->intermediate;
	}
}

static int make_leaf(struct mint *mint, const struct strings *names,
		     enum fault_kind kind, struct identity *out,
		     struct error *error)
{
	struct names room = { .at = NULL };
	struct plan plan = {
		.from = -DAY,
		.until = 365L * DAY,
		.constraints = "critical,CA:FALSE",
		.usage = "critical,digitalSignature",
		.purpose = kind == FAULT_CLIENT_AUTH_ONLY ? "clientAuth"
							  : "serverAuth",
		.digest = kind == FAULT_SHA1_SIGNATURE ? EVP_sha1()
						       : EVP_sha256(),
	};
	EVP_PKEY *key = kind == FAULT_WEAK_RSA_1024 ? EVP_RSA_gen(1024u)
						    : issue_key();
	int rc;

	if (kind == FAULT_EXPIRED) {
		plan.from = -365L * DAY;
		plan.until = -DAY;
	} else if (kind == FAULT_NOT_YET_VALID) {
		plan.from = DAY;
	}
	plan_names(&plan, names, kind, &room);
	rc = issue_identity(&plan, key, issuer_of(mint, kind), out, error);
	buffer_clear(&room.made);
	free(room.at);
	return rc;
}

/* The same certificate as often as that: about 1 KiB each. */
static int append_strangers(struct buffer *chain, uint32_t count,
			    struct error *error)
{
	struct view names[STRANGER_NAMES];
	struct plan plan = {
		.cn = VIEW("Nobody's CA"),
		.names = names,
		.name_count = STRANGER_NAMES,
		.from = -DAY,
		.until = 365L * DAY,
		.constraints = "critical,CA:TRUE",
		.usage = "critical,keyCertSign,cRLSign",
		.digest = EVP_sha256(),
	};
	struct identity stranger;
	int rc = 0;

	for (size_t i = 0; i < STRANGER_NAMES; i++)
		names[i] = VIEW(OTHER_NAME);
	if (issue_identity(&plan, issue_key(), NULL, &stranger, error))
		return -1;
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = issue_pem(chain, stranger.cert, NULL);
	issue_clear(&stranger);
	return rc ? issue_fail(error, "PEM") : 0;
}

/* What is sent behind the leaf. */
static int append_chain(const struct mint *mint, const struct fault *fault,
			enum fault_kind kind, struct buffer *chain,
			struct error *error)
{
	const struct identity *issuer = issuer_of(mint, kind);
	bool is_bare = !issuer || kind == FAULT_MISSING_INTERMEDIATE;
	int rc = 0;

	if (kind == FAULT_CHAIN_WRONG_ORDER)
		rc = issue_pem(chain, mint->root.cert, NULL);
	if (kind == FAULT_UNRELATED_EXTRA_CERTIFICATES &&
	    append_strangers(chain, 2, error))
		return -1;
	if (!rc && !is_bare)
		rc = issue_pem(chain, issuer->cert, NULL);
	if (rc)
		return issue_fail(error, "PEM");
	if (kind != FAULT_HUGE_CERTIFICATE_CHAIN)
		return 0;
	return append_strangers(chain, fault->number, error);
}

/* Without a fault; one for all that have the same names. */
static int share_leaf(struct mint *mint, const struct strings *names,
		      struct identity *out, struct error *error)
{
	struct buffer joined = { 0 };

	for (size_t i = 0; i < names->count; i++)
		buffer_printf(&joined, "%s ", names->at[i]);
	if (!view_equal(buffer_view(&joined),
			buffer_view(&mint->shared_names))) {
		issue_clear(&mint->shared);
		buffer_clear(&mint->shared_names);
		if (make_leaf(mint, names, FAULT_COUNT, &mint->shared, error)) {
			buffer_clear(&joined);
			return -1;
		}
		mint->shared_names = joined;
		joined = (struct buffer){ 0 };
	}
	buffer_clear(&joined);
	*out = mint->shared;
	X509_up_ref(out->cert);
	EVP_PKEY_up_ref(out->key);
	return 0;
}

int mint_issue(struct mint *mint, const struct strings *names,
	       const struct fault *fault, struct buffer *chain_pem,
	       struct buffer *key_pem, struct error *error)
{
	enum fault_kind kind = fault ? fault->kind : FAULT_COUNT;
	struct identity leaf;
	EVP_PKEY *other = NULL;
	int rc;

	if (fault ? make_leaf(mint, names, kind, &leaf, error)
		  : share_leaf(mint, names, &leaf, error))
		return -1;
	if (kind == FAULT_KEY_MISMATCH)
		other = issue_key();
	if (issue_pem(chain_pem, leaf.cert, NULL) ||
	    issue_pem(key_pem, NULL, other ? other : leaf.key))
		rc = issue_fail(error, "PEM");
	else
		rc = append_chain(mint, fault, kind, chain_pem, error);
	EVP_PKEY_free(other);
	issue_clear(&leaf);
	return rc;
}
