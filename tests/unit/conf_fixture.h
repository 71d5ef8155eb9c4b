/*
 * A folder with a configuration file and what it may name, for the tests
 * of the reader.
 */
#ifndef TESTS_UNIT_CONF_FIXTURE_H
#define TESTS_UNIT_CONF_FIXTURE_H

#include "conf/conf.h"
#include "conf/files.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define HOST "hostname = relay.example.org\n"
#define PIN                                                              \
	"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191A" \
	"1B1C1D1E1F"

struct fixture {
	char folder[256];
	struct conf_files *files;
	struct error error;
};

/* For cmocka_unit_test_setup_teardown(). */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

void fixture_write(const struct fixture *f, const char *name,
		   const char *text);
/* Writes postern.conf and reads it; NULL with f->error. */
struct conf *fixture_read(struct fixture *f, const char *text);
struct conf *fixture_read_again(struct fixture *f);
/* As fixture_read(); a refusal fails the test. */
struct conf *fixture_must_read(struct fixture *f, const char *text);

#endif
