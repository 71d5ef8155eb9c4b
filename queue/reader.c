/*
 * The reader's thread.  See reader.h.
 */
#include "queue/reader.h"

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "conf/bytes.h"

struct reader {
	struct ev_loop *loop;
	ev_async wake;
	pthread_t thread;
	/* shared, under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct request *waiting, **last;
	struct request *ended, **last_ended;
	bool is_stopping;
};

static void *run(void *arg)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->mutex);
	for (;;) {
		struct request *request = r->waiting;

		if (!request && r->is_stopping)
			break;
		if (!request) {
			pthread_cond_wait(&r->work, &r->mutex);
			continue;
		}
		r->waiting = request->next;
		if (!r->waiting)
			r->last = &r->waiting;
		pthread_mutex_unlock(&r->mutex);
		request->run(request);
		pthread_mutex_lock(&r->mutex);
		request->next = NULL;
		*r->last_ended = request;
		r->last_ended = &request->next;
		ev_async_send(r->loop, &r->wake);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

static void report(struct reader *r)
{
	struct request *request, *ended;

	pthread_mutex_lock(&r->mutex);
	ended = r->ended;
	r->ended = NULL;
	r->last_ended = &r->ended;
	pthread_mutex_unlock(&r->mutex);
	while ((request = ended)) {
		ended = request->next;
		request->done(request);
	}
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
	(void)loop, (void)events;
	report(watcher->data);
}

void reader_put(struct reader *r, struct request *request)
{
	request->next = NULL;
	pthread_mutex_lock(&r->mutex);
	*r->last = request;
	r->last = &request->next;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->mutex);
}

struct reader *reader_new(struct ev_loop *loop)
{
	struct reader *r = must_alloc(sizeof(*r));

	r->loop = loop;
	r->last = &r->waiting;
	r->last_ended = &r->ended;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->work, NULL);
	ev_async_init(&r->wake, on_wake);
	r->wake.data = r;
	ev_async_start(loop, &r->wake);
	if (pthread_create(&r->thread, NULL, run, r))
		abort();
	return r;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->mutex);
	r->is_stopping = true;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	report(r);
	ev_async_stop(r->loop, &r->wake);
	pthread_mutex_destroy(&r->mutex);
	pthread_cond_destroy(&r->work);
	free(r);
}
