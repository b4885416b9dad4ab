/* SPDX-License-Identifier: MIT */
#include "queue/turns.h"

#include "base/hooks.h"
#include "base/os.h"
#include "queue/segqueue.h"

/* Tickets of the lane between two looks: by a producer that was alone, and by one that was not. */
#define LOOK_ALONE    (1024 * WP__TICKET_ONE)
#define LOOK_AMONG    (256 * WP__TICKET_ONE)
/* Two pushes less far apart compete: a few microseconds at most, in ticks of whatever clock. */
#define MOMENT_TICKS  8192
/* A yield that takes longer has cost more than a turn: somebody else computes. */
#define LONG_YIELD_NS UINT64_C(1000000)

static _Thread_local struct {
	uint64_t lane;     /* where the next push is looked at; 0: none is */
	uint64_t expected; /* its position, if nobody else pushes */
	uint64_t since;    /* when the push before it was published, in ticks */
	uint64_t looked_at, interval;
	uint64_t next_yield_ns; /* not before */
} turns __attribute__((tls_model("initial-exec")));

static void yield_turn(void)
{
	uint64_t before = wp__os_now_ns();
	if (before < turns.next_yield_ns)
		return;
	WP_POINT("turn");
	wp__os_yield();
	uint64_t after = wp__os_now_ns(), took = after - before;
	turns.next_yield_ns = took > LONG_YIELD_NS ? after + took : 0;
}

void wp__turns_look(struct wp__place *place, uint64_t position)
{
	if (turns.lane != place->lane) {
		if (position - turns.looked_at < turns.interval)
			return;
		turns.lane = place->lane;
		turns.expected = position + WP__TICKET_ONE;
		turns.since = wp__os_ticks();
		place->easy_span = 0;
		return;
	}
	turns.lane = 0;
	turns.looked_at = position;
	turns.interval = LOOK_ALONE;
	if (position == turns.expected || wp__os_ticks() - turns.since > MOMENT_TICKS)
		return;
	turns.interval = LOOK_AMONG;
	place->easy_span = wp_min_u64(place->easy_span, LOOK_AMONG);
	yield_turn();
}
