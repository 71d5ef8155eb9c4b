/*
 * The configuration's reader and the bundle it reads from.  The input is
 * taken three times: as a bundle, as the configuration in a bundle, and as
 * a file that the configuration includes in the middle of a policy.  What
 * is refused must say where; what is accepted must have its essentials.
 */
#include "conf/conf.h"
#include "conf/files.h"
#include "conf/rules.h"

#include <fcntl.h>
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

static struct conf_files *seal(struct view bytes, struct error *error)
{
	int fd = memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct conf_files *files;

	require(fd >= 0 &&
		write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len);
	require(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		       F_SEAL_WRITE));
	files = files_bundle(fd, error);
	close(fd);
	return files;
}

static void put(struct buffer *bundle, const char *path, struct view bytes)
{
	uint64_t entry[3] = { strlen(path), bytes.len, 0600 };

	buffer_append(bundle, view_make(entry, sizeof(entry)));
	buffer_append(bundle, view_of(path));
	buffer_append(bundle, bytes);
}

static void ignore(void *arg, const char *text)
{
	(void)arg;
	require(text[0]);
}

static void check_conf(struct conf_files *files, struct error *error)
{
	struct rules_question question = { .recipient_domain = "a.example" };
	struct conf *conf;

	error->text[0] = '\0';
	conf = conf_read("/f/postern.conf", files, error);
	if (!conf) {
		require(!strncmp(error->text, "/f/", 3));
		return;
	}
	require(conf->hostname && conf->listener_count &&
		conf->resolver_count && conf->retry_first <= conf->retry_max);
	require(rules_policy(conf, question).policy);
	conf_warnings(conf, ignore, NULL);
	conf_free(conf);
}

static void check(const char *main_file, struct view main_text,
		  struct view included)
{
	struct buffer bundle = { 0 };
	struct conf_files *files;
	struct error error;

	buffer_append(&bundle, VIEW("PSTNCNF1"));
	put(&bundle, main_file, main_text);
	put(&bundle, "/f/inner", included);
	put(&bundle, "/f/file", VIEW("text\n"));
	put(&bundle, "/etc/ssl/cert.pem", VIEW("roots\n"));
	files = seal(buffer_view(&bundle), &error);
	require(files);
	check_conf(files, &error);
	files_free(files);
	buffer_clear(&bundle);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view text = view_make(data, size);
	struct conf_files *files;
	struct error error;

	files = size ? seal(text, &error) : NULL;
	if (files)
		check_conf(files, &error);
	files_free(files);
	check("/f/postern.conf", text, VIEW("include(postern.conf)"));
	check("/f/postern.conf",
	      VIEW("hostname = a.b\npolicy \"*.b\" {\ninclude(inner)\n}\n"),
	      text);
	return 0;
}
