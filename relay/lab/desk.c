/*
 * Two labs in one store would take each other's control socket and remove
 * each other's transcripts: the folder is locked (flock), which ends with
 * the process whatever becomes of it.
 */
#include "relay/lab/desk.h"

#include "relay/control.h"
#include "relay/lab/orders.h"
#include "relay/lab/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0755 };

struct desk {
	const struct lab *section;
	int lock;
	struct control *control; /* NULL: silent */
	struct transcripts *transcripts;
};

static int lock_store(struct desk *desk, const char *store,
		      struct error *error)
{
	if (mkdir(store, FOLDER_MODE) && errno != EEXIST)
		return error_errno(error, "store \"%s\"", store);
	desk->lock = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (desk->lock < 0)
		return error_errno(error, "store \"%s\"", store);
	if (flock(desk->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return error_set(error, "store \"%s\": another lab has it; "
				 "each needs one of its own", store);
	return 0;
}

struct desk *desk_open(const struct lab *section, struct error *error)
{
	struct desk *desk = must_alloc(sizeof(*desk));

	desk->section = section;
	desk->lock = -1;
	if (lock_store(desk, section->store, error) == 0)
		desk->transcripts = transcripts_open(
			section->store, TRANSCRIPTS_KEPT, error);
	if (desk->transcripts)
		return desk;
	desk_close(desk);
	return NULL;
}

int desk_answer(struct desk *desk, struct lab_at_work *lab,
		struct error *error)
{
	struct control_settings settings = {
		.loop = lab->loop,
		.conf = lab->conf,
		.status = orders_status,
		.order = orders_obey,
		.arg = lab,
	};

	desk->control = control_new(&settings);
	return control_listen(desk->control, desk->section->store, error);
}

void desk_fall_silent(struct desk *desk)
{
	if (desk)
		control_free(desk->control);
	if (desk)
		desk->control = NULL;
}

void desk_close(struct desk *desk)
{
	if (!desk)
		return;
	desk_fall_silent(desk);
	transcripts_close(desk->transcripts);
	if (desk->lock >= 0)
		close(desk->lock);
	free(desk);
}

struct transcripts *desk_transcripts(struct desk *desk)
{
	return desk->transcripts;
}
