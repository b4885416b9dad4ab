/* SPDX-License-Identifier: MIT */
#include "engine/lanes.h"

#include <wpool/error.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "base/rcu.h"
#include "engine/worker.h"

/* So many awake lanes are always looked at. */
#define FEW_LANES        WP_TUNED(8, 1)
/* Looks at empty lanes, per awake one, after which lanes are put to sleep. */
#define EMPTY_LOOKS      WP_TUNED(64, 2)
/* Producers that wait for room are woken when there is room for this run time. */
#define ROOM_NS          50000
/* Numbers of jobs: each lane has its own; 2^44 jobs are two days at 10 ns. */
#define LANE_SHIFT       44
#define TABLE_FIRST_ROOM WP_TUNED(8, 1)
#define SHARED           UINT64_C(1)

/* ---- the table ---- */

/* In one piece of memory, freed as one. The lanes of `old` are taken over. */
static struct wp__table *make_table(
	struct wp_pool *pool, const struct wp__table *old, unsigned lane_room)
{
	unsigned workers = pool->options.workers;
	size_t lanes_offset = wp_round_up(sizeof(struct wp__table), sizeof(void *));
	size_t workers_offset = lanes_offset + lane_room * sizeof(wp_atomic_ptr);
	struct wp__table *table =
		wp__alloc(WP_CACHE_LINE, workers_offset + workers * sizeof(struct wp__worker *));
	if (!table)
		return NULL;
	table->lane_room = lane_room;
	table->lanes = (wp_atomic_ptr *)(void *)((char *)table + lanes_offset);
	for (unsigned i = 0; old && i < old->lane_room; i++)
		wp_store_rlx_ptr(&table->lanes[i], wp_load_rlx_ptr(&old->lanes[i]));
	table->worker_count = workers;
	table->workers = (struct wp__worker **)(void *)((char *)table + workers_offset);
	for (unsigned i = 0; i < workers; i++)
		table->workers[i] = &pool->workers[i];
	return table;
}

/* This one, and the older ones that had to stay. */
static void free_tables(struct wp__table *table)
{
	for (struct wp__table *older; table; table = older) {
		older = table->older;
		wp__free(table);
	}
}

int wp__lanes_init(struct wp_pool *pool)
{
	struct wp__table *table = make_table(pool, NULL, TABLE_FIRST_ROOM);
	if (!table)
		return WP_ENOMEM;
	wp_store_rlx_ptr(&table->lanes[0], &pool->lane);
	wp_store_rlx_u64(&pool->awake[0], SHARED);
	wp_store_rlx_u32(&pool->awake_words, 1);
	/* [T2] rel: the table's content; pairs with [T1] */
	wp_store_rel_ptr(&pool->table, table);
	return 0;
}

void wp__lanes_fini(struct wp_pool *pool)
{
	for (struct wp__lane *lane = pool->newest_lane, *older; lane; lane = older) {
		older = lane->older;
		wp__segqueue_fini(&lane->queue);
		wp__free(lane);
	}
	free_tables(wp_load_rlx_ptr(&pool->table));
}

/* The lane of a number; NULL where the table is older than the lane. */
static struct wp__segqueue *lane_at(const struct wp__table *table, uint32_t number)
{
	if (number >= table->lane_room)
		return NULL;
	/* [T4] acq: the lane; pairs with [T3] */
	return wp_load_acq_ptr(&table->lanes[number]);
}

/* Makes room for a lane of this number; under the mutex. */
static int make_place(struct wp_pool *pool, uint32_t number)
{
	struct wp__table *old = wp_load_rlx_ptr(&pool->table);
	if (number < old->lane_room)
		return 0;
	struct wp__table *table = make_table(pool, old, 2 * old->lane_room);
	if (!table)
		return WP_ENOMEM;
	wp_store_rel_ptr(&pool->table, table); /* [T2] rel: as above */
	if (wp__rcu_synchronize())
		free_tables(old);
	else
		table->older = old; /* together they are no larger than the new one */
	return 0;
}

/* ---- workers: claim ---- */

/* Looks at one lane. */
static bool claim_from(struct wp__worker *w, struct wp__segqueue *lane, struct wp_job *out,
	uint32_t max, uint32_t share, struct wp__claim *claim)
{
	/* Room for ROOM_NS of work, but a quarter of the lane is always enough. */
	uint64_t by_time = wp__ns_to_ticks(w->pool, ROOM_NS) / (w->cost + 1);
	uint64_t wake_room = wp_min_u64(lane->capacity_span / WP__TICKET_ONE / 4, by_time);
	return wp__segqueue_claim(lane, out, max, share, wp_max_u64(1, wake_room), claim);
}

/* Looks at the awake lanes with the numbers from .. to. */
static bool claim_between(struct wp__worker *w, const struct wp__table *table, uint32_t from,
	uint32_t to, struct wp_job *out, uint32_t max, uint32_t share, struct wp__claim *claim)
{
	struct wp_pool *pool = w->pool;
	for (uint32_t word = from / 64; word <= to / 64; word++) {
		/* [A2] acq: the lane in the table; pairs with [A1] */
		uint64_t bits = wp_load_acq_u64(&pool->awake[word]);
		if (word == from / 64)
			bits &= ~UINT64_C(0) << from % 64;
		if (word == to / 64)
			bits &= ~UINT64_C(0) >> (63 - to % 64);
		for (; bits; bits &= bits - 1) {
			uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct wp__segqueue *lane = lane_at(table, number);
			if (lane && claim_from(w, lane, out, max, share, claim)) {
				w->next_lane = number + 1;
				w->mid_round = (bits & (bits - 1)) || word < to / 64;
				return true;
			}
			w->empty_looks++;
		}
	}
	return false;
}

/* ---- sleep ---- */

static void wake_lane(struct wp_pool *pool, uint32_t number)
{
	/* [A1] rel: the lane, and that it is not asleep; pairs with [A2] */
	wp_or_rel_u64(&pool->awake[number / 64], UINT64_C(1) << number % 64);
	WP_POINT("A1");
}

static inline struct wp__segqueue *first_of(
	const struct wp__table *table, uint32_t word, uint64_t bits)
{
	return lane_at(table, word * 64 + (uint32_t)__builtin_ctzll(bits));
}

/* The producers' lanes of a word that are awake and empty. */
static uint64_t empty_lanes(struct wp_pool *pool, const struct wp__table *table, uint32_t word)
{
	uint64_t bits = wp_load_acq_u64(&pool->awake[word]), empty = 0; /* [A2] acq: as above */
	for (bits &= word ? ~UINT64_C(0) : ~SHARED; bits; bits &= bits - 1) {
		struct wp__segqueue *lane = first_of(table, word, bits);
		if (lane && wp__segqueue_is_empty(lane))
			empty |= bits & -bits;
	}
	return empty;
}

/* Takes the bits of these lanes away and sets ASLEEP in those that had them. */
static uint64_t take_from_list(
	struct wp_pool *pool, const struct wp__table *table, uint32_t word, uint64_t bits)
{
	if (!bits)
		return 0;
	/* [A3] acq: as [A2]; whoever clears a bit puts the lane to sleep; pairs with [A1] */
	bits &= wp_and_acq_u64(&pool->awake[word], ~bits);
	WP_POINT("A3");
	for (uint64_t b = bits; b; b &= b - 1)
		wp__single_put_to_sleep(first_of(table, word, b));
	return bits;
}

/* After the heavy fence: wakes those of the lanes that are not empty after all. */
static void look_once_more(
	struct wp_pool *pool, const struct wp__table *table, uint32_t word, uint64_t bits)
{
	for (; bits; bits &= bits - 1) {
		struct wp__segqueue *lane = first_of(table, word, bits);
		if (!wp__segqueue_is_empty(lane) && wp__single_wake(lane))
			wake_lane(pool, word * 64 + (uint32_t)__builtin_ctzll(bits));
	}
}

/* Puts the empty lanes to sleep. In a read side. */
static WP_COLD void put_to_sleep(struct wp_pool *pool, const struct wp__table *table)
{
	uint64_t taken[WP__LANE_WORDS];
	uint32_t words = wp_load_rlx_u32(&pool->awake_words);
	bool any = false;
	for (uint32_t i = 0; i < words; i++) {
		taken[i] = take_from_list(pool, table, i, empty_lanes(pool, table, i));
		any |= taken[i] != 0;
	}
	if (!any)
		return;
	wp__single_heavy_fence(pool->has_membarrier);
	for (uint32_t i = 0; i < words; i++)
		look_once_more(pool, table, i, taken[i]);
}

/* How many of the producers' lanes are awake. */
static uint32_t awake_count(const struct wp_pool *pool)
{
	uint32_t words = wp_load_rlx_u32(&pool->awake_words), count = 0;
	for (uint32_t i = 0; i < words; i++) {
		uint64_t bits = wp_load_acq_u64(&pool->awake[i]); /* [A2] acq: as above */
		count += (uint32_t)__builtin_popcountll(i ? bits : bits & ~SHARED);
	}
	return count;
}

bool wp__lanes_arm(struct wp_pool *pool)
{
	wp__rcu_read_lock();
	/* [T1] acq: the table's content; pairs with [T2] */
	const struct wp__table *table = wp_load_acq_ptr(&pool->table);
	put_to_sleep(pool, table);
	bool empty = wp__segqueue_arm_sleep(&pool->lane);
	/* Still awake, or woken by a push that came too early to find SLEEP. */
	empty &= awake_count(pool) == 0;
	wp__rcu_read_unlock();
	return empty;
}

void wp__lanes_disarm(struct wp_pool *pool)
{
	wp__segqueue_disarm_sleep(&pool->lane);
}

void wp__lanes_offer_room(struct wp_pool *pool)
{
	wp__rcu_read_lock();
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq: as above */
	uint32_t words = wp_load_rlx_u32(&pool->awake_words);
	for (uint32_t i = 0; i < words; i++) {
		uint64_t bits = wp_load_acq_u64(&pool->awake[i]); /* [A2] acq: as above */
		for (; bits; bits &= bits - 1) {
			struct wp__segqueue *lane = first_of(table, i, bits);
			if (lane)
				wp__segqueue_offer_room(lane);
		}
	}
	wp__rcu_read_unlock();
}

void wp__lanes_stamp_all(struct wp_pool *pool, bool all)
{
	wp__rcu_read_lock();
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq: as above */
	uint32_t words = wp_load_rlx_u32(&pool->awake_words);
	for (uint32_t i = 0; i < words; i++) {
		uint64_t bits = wp_load_acq_u64(&pool->awake[i]); /* [A2] acq: as above */
		for (; bits; bits &= bits - 1) {
			struct wp__segqueue *lane = first_of(table, i, bits);
			if (lane)
				wp__segqueue_stamp_all(lane, all);
		}
	}
	wp__rcu_read_unlock();
}

bool wp__lanes_claim(struct wp__worker *w, struct wp_job *out, uint32_t max, uint32_t share,
	struct wp__claim *claim)
{
	struct wp_pool *pool = w->pool;
	wp__rcu_read_lock();
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq: as above */
	uint32_t last = 64 * wp_load_rlx_u32(&pool->awake_words) - 1;
	uint32_t from = w->next_lane > last ? 0 : w->next_lane;
	bool found = claim_between(w, table, from, last, out, max, share, claim) ||
		     (from && claim_between(w, table, 0, from - 1, out, max, share, claim));
	if (wp_unlikely(w->empty_looks > FEW_LANES * EMPTY_LOOKS)) {
		w->empty_looks = 0;
		if (awake_count(pool) > FEW_LANES)
			put_to_sleep(pool, table);
	}
	wp__rcu_read_unlock();
	if (!found)
		return false;
	w->stalls = 0;
	wp__count(&w->batches, 1);
	pool->metrics.batch_dec_queued(pool->metrics_self, claim->count);
	return true;
}

/* ---- producers ---- */

static int init_lane(struct wp_pool *pool, struct wp__lane *lane)
{
	const struct wp_options *o = &pool->options;
	int error = wp__segqueue_init(
		&lane->queue, &(struct wp__segqueue_options){
				      .capacity = o->producer_capacity,
				      .segment_size = o->segment_size,
				      .keep_free = o->pool_capacity,
				      .room_patience = WP__ROOM_PATIENCE_NS,
				      .first_ticket = WP_FIRST_TICKET(),
				      .first_id = (uint64_t)lane->number << LANE_SHIFT,
				      .stamps = o->timing,
				      .single = true,
				      .light = pool->has_membarrier,
			      });
	/* Relaxed: [T3] publishes it. The first push wakes the lane. */
	if (!error)
		wp_or_rlx_u32(&lane->queue.signal, WP__SIGNAL_ASLEEP);
	return error;
}

/* A lane that never existed; under the mutex. */
static int make_lane(struct wp_pool *pool, struct wp__lane **out)
{
	uint32_t number = pool->newest_lane ? pool->newest_lane->number + 1 : 1;
	if (number >= WP__LANE_WORDS * 64)
		return WP_EBUSY;
	int error = make_place(pool, number);
	if (error)
		return error;
	struct wp__lane *lane = wp__alloc(WP_ALONE, sizeof(*lane));
	if (!lane)
		return WP_ENOMEM;
	lane->number = number;
	error = init_lane(pool, lane);
	if (error) {
		wp__free(lane);
		return error;
	}
	lane->older = pool->newest_lane;
	pool->newest_lane = lane;
	struct wp__table *table = wp_load_rlx_ptr(&pool->table);
	/* [T3] rel: the lane; pairs with [T4] */
	wp_store_rel_ptr(&table->lanes[number], &lane->queue);
	/* Relaxed: whoever finds the lane's bit by [A2] finds this, too. */
	if (number / 64 + 1 > wp_load_rlx_u32(&pool->awake_words))
		wp_store_rlx_u32(&pool->awake_words, number / 64 + 1);
	*out = lane;
	return 0;
}

int wp__lanes_open(struct wp_pool *pool, struct wp__lane **lane)
{
	int error = 0;
	wp__os_mutex_lock(&pool->mutex);
	if (wp__segqueue_is_closed(&pool->lane)) {
		error = WP_ECLOSED;
	} else if (pool->idle_lanes) {
		*lane = pool->idle_lanes;
		pool->idle_lanes = (*lane)->next_idle;
	} else {
		error = make_lane(pool, lane);
	}
	wp__os_mutex_unlock(&pool->mutex);
	return error;
}

void wp__lanes_hand_back(struct wp_pool *pool, struct wp__lane *lane)
{
	wp__os_mutex_lock(&pool->mutex);
	lane->next_idle = pool->idle_lanes;
	pool->idle_lanes = lane;
	wp__os_mutex_unlock(&pool->mutex);
}

void wp__lanes_wake(struct wp_pool *pool, struct wp__lane *lane)
{
	if (!wp__single_wake(&lane->queue))
		return;
	wake_lane(pool, lane->number);
	wp__worker_wake_for(pool, &pool->lane);
}

/* ---- anybody ---- */

static void close_producers(struct wp_pool *pool)
{
	for (struct wp__lane *l = pool->newest_lane; l; l = l->older)
		(void)wp__single_begin_close(&l->queue);
	if (pool->newest_lane)
		wp__single_heavy_fence(pool->has_membarrier);
	for (struct wp__lane *l = pool->newest_lane; l; l = l->older)
		wp__single_finish_close(&l->queue);
}

void wp__lanes_close(struct wp_pool *pool)
{
	/* No lane is opened meanwhile, and none after it: see wp__lanes_open. */
	wp__os_mutex_lock(&pool->mutex);
	if (!wp__segqueue_is_closed(&pool->lane)) {
		close_producers(pool);
		(void)wp__segqueue_close(&pool->lane);
	}
	wp__os_mutex_unlock(&pool->mutex);
}

void wp__lanes_close_copies(struct wp_pool *pool)
{
	wp__segqueue_close_copy(&pool->lane);
	for (struct wp__lane *l = pool->newest_lane; l; l = l->older)
		wp__segqueue_close_copy(&l->queue);
}

static void add_lane(struct wp__lane_sums *sums, const struct wp__segqueue *lane)
{
	sums->claimed += wp__segqueue_claimed(lane);
	sums->accepted += wp__segqueue_accepted(lane);
	sums->segments_touched += wp_load_rlx_u32(&lane->pool.touched);
	sums->segments_free += wp__segpool_free(&lane->pool);
	sums->segments_reused += wp__segpool_reused(&lane->pool);
}

struct wp__lane_sums wp__lanes_sum(const struct wp_pool *pool)
{
	struct wp__lane_sums sums = { 0 };
	add_lane(&sums, &pool->lane);
	for (const struct wp__lane *l = pool->newest_lane; l; l = l->older)
		add_lane(&sums, &l->queue);
	return sums;
}
