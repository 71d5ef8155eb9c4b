/*
 * The example's bytes, taken in by the assembler.
 */
#include "relay/lab/example.h"

#include <stdlib.h>

#define EXAMPLE "docs/examples/lab-tuv.conf"

extern const unsigned char example_begin[], example_end[];

__asm__(".pushsection .rodata.example, \"a\"\n"
	"example_begin:\n"
	".incbin \"" EXAMPLE "\"\n"
	"example_end:\n"
	".popsection\n");

struct conf *example_read(const char *path, struct conf_files *files,
			  struct error *error)
{
	struct conf *conf;
	char *here;

	if (path)
		return conf_read(path, files, error);
	here = files_absolute("lab-tuv.conf (built in)");
	files_put(files, here,
		  view_make(example_begin,
			    (size_t)(example_end - example_begin)));
	conf = conf_read(here, files, error);
	free(here);
	return conf;
}
