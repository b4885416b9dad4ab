/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/queue.h>

#include "base/rng.h"
#include "crew.h"
#include "lane.h"
#include "stamp.h"

#define BURST_MAX 64
/* Answers "full" and "nothing ready" that one thread notes; the others are forgotten. */
#define IDLE_MAX  100000

/* What one thread has seen. */
struct log {
	struct long_push *pushes;
	struct long_pop *pops;
	uint64_t *got;
	size_t push_count, pop_count, got_count, idle;
};

struct recording {
	const struct record_load *load;
	struct wp_queue *q;
	uint64_t each; /* values per producer */
	struct log logs[CREW_MAX];
	wp_atomic_u64 stamps;
	wp_atomic_u64 consumed;
};

static uint64_t stamp(struct recording *r)
{
	return r->load->clock ? stamp_read_clock() : stamp_draw(&r->stamps);
}

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void *or_die(void *memory)
{
	t_assert(memory != NULL);
	return memory;
}

/* ---- producers ---- */

/* One call with up to n of the jobs; how many went in. */
static size_t push_somehow(
	struct wp_queue *q, const struct wp_job *jobs, size_t n, struct wp__rng *rng)
{
	int error;
	switch (wp__rng_below(rng, 4)) {
	case 0:
		t_assert_int_eq(wp_queue_push(q, jobs), 0);
		return 1;
	case 1:
		error = wp_queue_try_push(q, jobs);
		t_assert(error == 0 || error == WP_EFULL);
		return error == 0;
	case 2:
		t_assert_u64_eq(wp_queue_push_many(q, jobs, n), n);
		return n;
	default:
		return wp_queue_try_push_many(q, jobs, n);
	}
}

static void produce(struct recording *r, unsigned me)
{
	struct log *log = &r->logs[me];
	struct wp__rng rng = { me + 1 };
	struct wp_job jobs[BURST_MAX];
	for (uint64_t seq = 0; seq < r->each;) {
		size_t n = 1 + wp__rng_below(&rng, r->load->burst);
		n = wp_min_u64(n, r->each - seq);
		uint64_t value = me * r->each + seq;
		for (size_t i = 0; i < n; i++)
			jobs[i] = (struct wp_job){ .fn = no_job,
				.payload = (void *)(uintptr_t)(value + i) };
		struct long_push *push = &log->pushes[log->push_count];
		push->inv = stamp(r);
		size_t in = push_somehow(r->q, jobs, n, &rng);
		push->resp = stamp(r);
		push->value = value;
		push->count = (uint32_t)in;
		push->thread = me;
		seq += in;
		if (in || log->idle++ < IDLE_MAX)
			log->push_count++;
		if (!in)
			wp__os_yield();
	}
}

/* ---- consumers ---- */

static void consume(struct recording *r, unsigned me)
{
	struct log *log = &r->logs[me];
	struct wp__rng rng = { ~(uint64_t)me };
	struct wp__segqueue *lane = lane_of(r->q);
	struct wp_job jobs[BURST_MAX];
	uint64_t told = 0, all = r->each * r->load->producers;
	for (;;) {
		uint32_t max = 1 + (uint32_t)wp__rng_below(&rng, r->load->burst);
		struct long_pop *pop = &log->pops[log->pop_count];
		struct wp__claim claim = { .count = 0 };
		pop->inv = stamp(r);
		bool found = wp__segqueue_claim(lane, jobs, max, 1, 1, &claim);
		pop->resp = stamp(r);
		pop->place = claim.ticket;
		pop->first = log->got_count;
		pop->count = claim.count;
		pop->thread = me;
		for (uint32_t i = 0; i < claim.count; i++)
			log->got[log->got_count++] = (uint64_t)(uintptr_t)jobs[i].payload;
		if (found || log->idle++ < IDLE_MAX)
			log->pop_count++;
		if (found)
			continue;
		/* Only now, so that consumers do not meet more often than they have to. */
		uint64_t news = log->got_count - told;
		told = log->got_count;
		if (wp_add_rlx_u64(&r->consumed, news) + news >= all)
			return;
		wp__os_yield();
	}
}

static void take_part(void *arg, unsigned me)
{
	struct recording *r = arg;
	if (me < r->load->producers)
		produce(r, me);
	else
		consume(r, me);
}

/* ---- putting it together ---- */

static void open_logs(struct recording *r)
{
	uint64_t all = r->each * r->load->producers;
	for (unsigned i = 0; i < r->load->producers + r->load->consumers; i++) {
		struct log *log = &r->logs[i];
		if (i < r->load->producers) {
			log->pushes = or_die(calloc(r->each + IDLE_MAX + 1, sizeof(*log->pushes)));
			continue;
		}
		log->pops = or_die(calloc(all + IDLE_MAX + 1, sizeof(*log->pops)));
		log->got = or_die(calloc(all + 2 * BURST_MAX, sizeof(*log->got)));
	}
}

static void merge_logs(struct recording *r, struct long_history *h)
{
	unsigned threads = r->load->producers + r->load->consumers;
	for (unsigned i = 0; i < threads; i++) {
		h->push_count += r->logs[i].push_count;
		h->pop_count += r->logs[i].pop_count;
		h->got_count += r->logs[i].got_count;
	}
	h->pushes = or_die(calloc(h->push_count + 1, sizeof(*h->pushes)));
	h->pops = or_die(calloc(h->pop_count + 1, sizeof(*h->pops)));
	h->got = or_die(calloc(h->got_count + 1, sizeof(*h->got)));
	size_t pushes = 0, pops = 0, got = 0;
	for (unsigned i = 0; i < threads; i++) {
		struct log *log = &r->logs[i];
		for (size_t k = 0; k < log->push_count; k++)
			h->pushes[pushes++] = log->pushes[k];
		for (size_t k = 0; k < log->pop_count; k++) {
			h->pops[pops] = log->pops[k];
			h->pops[pops++].first += got;
		}
		for (size_t k = 0; k < log->got_count; k++)
			h->got[got++] = log->got[k];
		free(log->pushes);
		free(log->pops);
		free(log->got);
	}
}

void record_run(const struct record_load *load, struct long_history *history)
{
	static struct recording r;
	struct crew crew;
	t_assert(load->burst <= BURST_MAX);
	memset(&r, 0, sizeof(r));
	r.load = load;
	r.each = load->values / load->producers;
	r.q = lane_create(load->capacity, load->segment_size);
	open_logs(&r);
	crew_start(&crew, load->producers + load->consumers, take_part, &r);
	crew_join(&crew);
	t_assert(wp__segqueue_is_valid(lane_of(r.q)));
	wp_queue_destroy(r.q);
	*history = (struct long_history){ .capacity = load->capacity,
		.values = r.each * load->producers };
	merge_logs(&r, history);
}

void record_free(struct long_history *history)
{
	free(history->pushes);
	free(history->pops);
	free(history->got);
}

/* ---- the clock ---- */

#define HANDOVERS 5000

struct relay {
	wp_atomic_u64 baton; /* whose turn it is, by its lowest bit, and how often it went over */
	uint64_t last[2];    /* the latest stamp of either; handed over with the baton */
	bool backwards[2];
};

static void run_relay(void *arg, unsigned me)
{
	struct relay *relay = arg;
	for (uint64_t turn = me; turn < HANDOVERS; turn += 2) {
		/* [T1] acq: the other's stamp; pairs with [T2] */
		for (unsigned i = 0; wp_load_acq_u64(&relay->baton) != turn; i++)
			if (i > 100)
				wp__os_yield();
		uint64_t now = stamp_read_clock();
		relay->backwards[me] |= now < relay->last[!me];
		relay->last[me] = now;
		/* [T2] rel: my stamp; pairs with [T1] */
		wp_store_rel_u64(&relay->baton, turn + 1);
	}
}

bool stamp_clock_works(void)
{
	static struct relay relay;
	struct crew crew;
	memset(&relay, 0, sizeof(relay));
	crew_start(&crew, 2, run_relay, &relay);
	crew_join(&crew);
	return !relay.backwards[0] && !relay.backwards[1];
}
