/*
 * The folder of the reader's tests: made, filled, removed.
 */
#include "tests/unit/conf_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void fixture_write(const struct fixture *f, const char *name,
		       const char *text)
{
	char path[300];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	fclose(out);
}

int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *base = getenv("TMPDIR");
	char sub[300];

	snprintf(f->folder, sizeof(f->folder), "%s/conf_test.XXXXXX",
		 base ? base : "/tmp");
	assert_non_null(mkdtemp(f->folder));
	snprintf(sub, sizeof(sub), "%s/sub", f->folder);
	mkdir(sub, 0755);
	fixture_write(f, "roots.pem", "roots");
	fixture_write(f, "relay.pem", "chain");
	fixture_write(f, "relay.key", "key");
	fixture_write(f, "secret", "tops3cret \nsecond line\n");
	fixture_write(f, "secret.crlf", "tops3cret\r\n");
	fixture_write(f, "empty", "");
	fixture_write(f, "nothing", "\nsecond\n");
	*state = f;
	return 0;
}

int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	char command[300];

	files_free(f->files);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

struct conf *fixture_read_again(struct fixture *f)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/postern.conf", f->folder);
	files_free(f->files);
	f->files = files_disk();
	return conf_read(path, f->files, &f->error);
}

struct conf *fixture_read(struct fixture *f, const char *text)
{
	fixture_write(f, "postern.conf", text);
	return fixture_read_again(f);
}

struct conf *fixture_must_read(struct fixture *f, const char *text)
{
	struct conf *conf = fixture_read(f, text);

	if (!conf)
		fail_msg("%s", f->error.text);
	return conf;
}
