/*
 * Certificates for tests, made by certs.sh beside this file.
 */
#include "tests/unit/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];
static struct kept {
	struct kept *next;
	struct buffer bytes;
} *kept;

static int run(const char *format, const char *a, const char *b)
{
	char command[512];

	(void)snprintf(command, sizeof(command), format, a, b);
	return system(command);
}

int certs_make(bool few)
{
	char script[256];
	char *slash;

	(void)snprintf(script, sizeof(script), "%s", __FILE__);
	slash = strrchr(script, '/');
	(void)snprintf(slash, sizeof(script) - (size_t)(slash - script),
		       "/certs.sh");
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-certs-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return run(few ? "sh %s %s few" : "sh %s %s", script, folder) == 0
		       ? 0
		       : -1;
}

struct view certs_get(const char *file)
{
	struct kept *k = must_alloc(sizeof(*k));
	char path[128];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		abort();
	}
	do {
		n = fread(buffer_reserve(&k->bytes, 4096), 1, 4096, f);
		buffer_added(&k->bytes, n);
	} while (n > 0);
	(void)fclose(f);
	k->next = kept;
	kept = k;
	return buffer_view(&k->bytes);
}

const char *certs_folder(void)
{
	return folder;
}

void certs_remove(void)
{
	while (kept) {
		struct kept *next = kept->next;

		buffer_clear(&kept->bytes);
		free(kept);
		kept = next;
	}
	(void)run("rm -r %s%s", folder, "");
}
