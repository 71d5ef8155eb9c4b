/*
 * Any bytes as a partner's form.  Whatever is printed is a configuration
 * that the reader takes, with nothing in it but policies that verify, at
 * most one for each section, and domains that are nobody's whole country.
 */
#include "conf/conf.h"
#include "conf/files.h"
#include "relay/form_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The reader works on files: the text is put into one without a name. */
static struct conf *read_conf(struct view text, struct conf_files *files)
{
	struct view head = VIEW("hostname = relay.example.org\n");
	int fd = memfd_create("form", MFD_CLOEXEC);
	struct error error = { "" };
	struct conf *conf;
	char path[64];

	require(fd >= 0);
	require(write(fd, head.at, head.len) == (ssize_t)head.len);
	require(write(fd, text.at, text.len) == (ssize_t)text.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	conf = conf_read(path, files, &error);
	if (!conf)
		fprintf(stderr, "%s\n%.*s", error.text, (int)text.len,
			(const char *)text.at);
	close(fd);
	return conf;
}

static void require_policy(const struct policy *policy)
{
	require(policy->tls == TLS_VERIFY);
	require(policy->patterns.count >= 1);
	for (size_t i = 0; i < policy->patterns.count; i++) {
		const char *pattern = policy->patterns.at[i];

		require(strchr(!strncmp(pattern, "*.", 2) ? pattern + 2
							  : pattern, '.'));
	}
	require(!policy->names_mx && !policy->mx.count && !policy->pin_count);
	require(!policy->trust.path && !policy->user);
}

static void require_readable(struct view text, unsigned blocks_max)
{
	struct conf_files *files = files_disk();
	struct conf *conf = read_conf(text, files);

	require(conf != NULL);
	require(conf->policy_count >= 1 && conf->policy_count <= blocks_max);
	require(!conf->relay_domains.count && !conf->certificate_count);
	for (size_t i = 0; i < conf->policy_count; i++)
		require_policy(&conf->policies[i]);
	conf_free(conf);
	files_free(files);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const unsigned choices[] = { 0, FORM_TO_ISSUER,
					    FORM_TO_PARTNER };
	struct error error;
	struct form form;

	if (form_parse(view_make(data, size), &form, &error))
		return 0;
	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		struct buffer out = { 0 };

		if (!form_policy(&form, choices[i], &out, &error))
			require_readable(buffer_view(&out),
					 choices[i] ? 1 : 3);
		else
			require(!buffer_len(&out) && error.text[0]);
		buffer_clear(&out);
	}
	form_clear(&form);
	return 0;
}
