/*
 * The wolfSSL that is linked can do what the house builds on: both sides of
 * TLS 1.2 and 1.3, and the calls that tls/ is written against. Runs against
 * our own build and the packaged one alike.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void a_context_is_made_for_either_side(void **state)
{
	WOLFSSL_CTX *server, *client;
	int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1 };

	(void)state;
	assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
	server = wolfSSL_CTX_new(wolfSSLv23_server_method());
	client = wolfSSL_CTX_new(wolfSSLv23_client_method());
	assert_non_null(server);
	assert_non_null(client);
	assert_int_equal(wolfSSL_CTX_SetMinVersion(server, WOLFSSL_TLSV1_2),
			 WOLFSSL_SUCCESS);
	assert_int_equal(wolfSSL_CTX_SetMinVersion(client, WOLFSSL_TLSV1_3),
			 WOLFSSL_SUCCESS);
	assert_int_equal(wolfSSL_CTX_set_groups(client, groups, 2),
			 WOLFSSL_SUCCESS);
	wolfSSL_CTX_free(client);
	wolfSSL_CTX_free(server);
	assert_int_equal(wolfSSL_Cleanup(), WOLFSSL_SUCCESS);
}

static void headers_and_library_are_of_one_version(void **state)
{
	(void)state;
	assert_string_equal(wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_and_library_are_of_one_version),
		cmocka_unit_test(a_context_is_made_for_either_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
