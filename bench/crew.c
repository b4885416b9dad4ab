/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pin.h"

void crew_init(struct crew *crew, unsigned size)
{
	memset(crew, 0, sizeof(*crew));
	crew->members = bench_alloc(size, sizeof(*crew->members));
	crew->size = size;
	if (pthread_barrier_init(&crew->gate, NULL, size + 1) != 0)
		bench_die("a barrier for %u threads could not be made", size);
}

static void *member_main(void *arg)
{
	struct crew_member *me = arg;

	if (me->cpu >= 0)
		pin_thread(me->cpu);
	pthread_barrier_wait(&me->crew->gate);
	me->begin_ns = bench_now_ns();
	me->work(me);
	if (me->producer)
		me->end_ns = bench_now_ns();
	return NULL;
}

static void add(struct crew *crew, struct crew_member as)
{
	struct crew_member *member;
	sigset_t all, before;
	int error;

	if (crew->count == crew->size)
		bench_die("a crew of %u threads got one more", crew->size);
	member = &crew->members[crew->count++];
	*member = as;
	member->crew = crew;
	/* Signals are the main thread's: a handler must not run inside a timed loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&member->thread, NULL, member_main, member);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		bench_die("thread %u of %u could not be created: %s", crew->count, crew->size,
			strerror(error));
}

void crew_add_producer(struct crew *crew, void (*work)(struct crew_member *), void *shared,
	unsigned index, int cpu)
{
	add(crew, (struct crew_member){ .work = work,
			  .shared = shared,
			  .index = index,
			  .producer = true,
			  .cpu = cpu });
}

void crew_add_consumer(struct crew *crew, void (*work)(struct crew_member *), void *shared,
	unsigned index, int cpu)
{
	add(crew,
		(struct crew_member){ .work = work, .shared = shared, .index = index, .cpu = cpu });
}

void crew_open(struct crew *crew)
{
	if (crew->count != crew->size)
		bench_die("a crew of %u threads has only %u", crew->size, crew->count);
	crew->cpu_begin_ns = bench_cpu_ns();
	pthread_barrier_wait(&crew->gate);
}

void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->members[i].thread, NULL);
}

uint64_t crew_begin_ns(const struct crew *crew)
{
	uint64_t begin = UINT64_MAX;

	for (unsigned i = 0; i < crew->count; i++)
		if (crew->members[i].producer && crew->members[i].begin_ns < begin)
			begin = crew->members[i].begin_ns;
	return begin;
}

uint64_t crew_end_ns(const struct crew *crew)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < crew->count; i++)
		if (crew->members[i].end_ns > end)
			end = crew->members[i].end_ns;
	return end;
}

void crew_fini(struct crew *crew)
{
	pthread_barrier_destroy(&crew->gate);
	free(crew->members);
}
