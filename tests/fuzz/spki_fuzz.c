/*
 * A public key from anywhere: its strength, its pin, and a signature of
 * each kind checked with it.
 */
#include "tls/context.h"
#include "tls/signature.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define ALGORITHM(bytes) VIEW("\x30" bytes)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct view algorithms[] = {
		ALGORITHM("\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
			  "\x05\x00"),
		ALGORITHM("\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"),
		ALGORITHM("\x05\x06\x03\x2b\x65\x70"),
	};
	struct cert cert = { 0 };
	unsigned char pin[32];
	char what[32];
	size_t i, cut;

	if (size < 1)
		return 0;
	/* the first byte says how much of the rest is the signature */
	cut = 1 + data[0];
	if (cut > size)
		cut = size;
	cert.signature = view_make(data + 1, cut - 1);
	cert.spki = view_make(data + cut, size - cut);
	cert.signed_part = cert.spki;
	(void)key_is_weak(&cert, what);
	cert_pin(&cert, pin);
	for (i = 0; i < 3; i++) {
		cert.algorithm = algorithms[i];
		(void)signature_check(&cert, cert.spki);
	}
	return 0;
}
