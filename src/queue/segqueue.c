/* SPDX-License-Identifier: MIT */
#include "queue/segqueue.h"

#include <string.h>

#include <wpool/error.h>
#include <wpool/queue.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "base/os.h"
#include "queue/push.h"
#include "queue/segqueue_parts.h"
#include "queue/single.h"
#include "queue/stamp.h"
#include "queue/turns.h"

/* How many times a producer looks before it installs a segment for somebody else's block. */
#define LOOKS_BEFORE_HELP      WP_TUNED(64, 2)
/* Lanes smaller than this never use the fetch-add. */
#define CAPACITY_FOR_FETCH_ADD WP_TUNED(64, 4)

/* ---- creation ---- */

/*
 * position * factor >> 64 >> shift == ticket / size for every ticket below 2^62: with
 * factor = ceil(2^(62 + shift) / size) and size <= 2^shift (Granlund and Montgomery, theorem 4.2).
 */
static void init_division(struct wp__segqueue *q, uint32_t size)
{
	q->block_shift = wp_log2(wp_pow2_at_least(size));
	wp_u128 power = (wp_u128)1 << (62 + q->block_shift);
	q->block_factor = (uint64_t)((power + size - 1) / size);
}

/*
 * One entry per block that can be in use at once: the capacity's blocks, one more at each end, and
 * spare for segments that a preempted consumer has not finished copying out of.
 */
static uint64_t directory_entries(uint64_t capacity, uint32_t segment_size)
{
	uint64_t spare = WP_TUNED(wp_max_u64(4, wp_min_u64(64, 65536 / segment_size)), 0);
	return wp_pow2_at_least(capacity / segment_size + 2 + spare);
}

/* More than entries: threads may hold a free segment for a moment while others install theirs. */
uint64_t wp__segqueue_segments(uint64_t capacity, uint32_t segment_size)
{
	return directory_entries(capacity, segment_size) + 64;
}

static void init_directory(struct wp__segqueue *q, uint64_t entries)
{
	q->directory_mask = entries - 1;
	q->directory_shift = wp_log2(entries);
	uint64_t first = wp__block_of(q, q->first);
	for (uint64_t i = 0; i < entries; i++)
		wp_store_rlx_u64(wp__entry_of(q, first + i), wp__free_entry(q, first + i));
}

/* Relaxed: only has to differ. */
static uint64_t next_lane_id(void)
{
	static wp_atomic_u64 last;
	return wp_add_rlx_u64(&last, 1) + 1;
}

int wp__segqueue_init(struct wp__segqueue *q, const struct wp__segqueue_options *options)
{
	uint32_t size = options->segment_size;
	uint64_t entries = directory_entries(options->capacity, size);
	uint64_t segments = wp__segqueue_segments(options->capacity, size);
	if (segments > WP_SEGMENTS_MAX || options->segment_count > segments)
		return WP_EINVAL;
	memset(q, 0, sizeof(*q));
	q->id = next_lane_id();
	q->segment_size = size;
	init_division(q, size);
	uint64_t ticket = options->first_ticket - options->first_ticket % size;
	q->first = ticket << 2;
	q->directory = wp__alloc(WP_ALONE, entries * sizeof(*q->directory));
	if (!q->directory)
		return WP_ENOMEM;
	init_directory(q, entries);
	int error = wp__segpool_init(&q->pool, size, options->stamps, (uint32_t)segments,
		options->segment_count, options->keep_free ? options->keep_free : UINT32_MAX);
	if (error) {
		wp__free(q->directory);
		q->directory = NULL;
		return error;
	}
	q->room.patience = options->room_patience;
	q->room.in_turn = options->room_patience != 0;
	q->single = options->single;
	q->light = options->light;
	wp_store_rlx_u32(&q->signal, options->single && !options->light ? WP__SIGNAL_FENCE : 0);
	q->first_id = options->first_id;
	q->capacity_span = options->capacity << 2;
	q->always_near = options->capacity < CAPACITY_FOR_FETCH_ADD;
	q->slack_span = WP_TUNED(wp_min_u64(options->capacity / 8, 1024), 1) << 2;
	wp_store_rlx_u32(&q->near, q->always_near);
	wp_store_rlx_u32(&q->stamp_mask, options->stamps ? 0 : UINT32_MAX);
	wp_store_rlx_u64(&q->tail, q->first);
	wp_store_rlx_u64(&q->head, q->first);
	wp_store_rlx_u64(&q->limit, q->first + q->capacity_span);
	wp_store_rlx_u64(&q->room.woken_at, q->first);
	return 0;
}

void wp__segqueue_fini(struct wp__segqueue *q)
{
	wp__segpool_fini(&q->pool);
	wp__free(q->directory);
	q->directory = NULL;
}

/* ---- from a ticket to a published job ---- */

/* The block has no segment yet: its first ticket's holder installs one; others help if need be. */
uint64_t wp__install_segment(struct wp__segqueue *q, uint64_t block, uint32_t slot)
{
	wp_atomic_u64 *entry = wp__entry_of(q, block);
	for (unsigned round = 0;; round++) {
		/* [D1] acq: the installed segment; pairs with [D2] and [D3] */
		uint64_t e = wp_load_acq_u64(entry);
		struct wp__segment *segment;
		if (wp__is_installed(q, e, block))
			return e;
		if (e == wp__free_entry(q, block) && (slot == 0 || round >= LOOKS_BEFORE_HELP) &&
			(segment = wp__segpool_take(&q->pool)) != NULL) {
			uint64_t installed = wp__installed_entry(q, block, segment);
			WP_POINT("D2");
			/* [D2] rel: the segment, as new; pairs with [D1] and [D4] */
			if (wp_cas_strong_rel_u64(entry, &e, installed))
				return installed;
			wp__segpool_give(&q->pool, segment);
		}
		/* An earlier lap: a consumer has not finished copying out of that block. */
		wp__back_off(round);
	}
}

WP_COLD void wp__place_find(struct wp__place *place, struct wp__segqueue *q, uint64_t position)
{
	uint64_t block = wp__block_of(q, position);
	uint32_t slot = wp__slot_of(q, position, block);
	uint64_t entry = wp__entry_for_write(q, block, slot);
	struct wp__segment *segment = wp__segment_in(q, entry);
	struct wp_job *slots = wp__segment_slots(segment, &q->pool.shape);
	wp_atomic_u8 *marks = wp__segment_marks(segment);
	uint64_t start = position - slot * WP__TICKET_ONE;
	*place = (struct wp__place){
		.lane = q->id,
		.start = start,
		.span = q->segment_size * WP__TICKET_ONE,
		.slot_origin = (uintptr_t)slots - start * (sizeof(*slots) / WP__TICKET_ONE),
		.mark_origin = (uintptr_t)marks - start / WP__TICKET_ONE,
		.mark = wp__mark_in(entry),
	};
	wp_prefetch_for_write(&marks[slot]);
	for (uint32_t i = 0; i < WP__PREFETCH_SLOTS; i++)
		wp_prefetch_for_write(&slots[slot + i]);
}

static inline int pushed(uint64_t tail)
{
	return tail & WP__TAIL_SLEEP ? WP__PUSHED_WAKE : 0;
}

_Alignas(WP_CACHE_LINE) _Thread_local struct wp__place wp__last_place;

static inline struct wp__place *place_of(struct wp__segqueue *q, uint64_t position)
{
	if (wp_unlikely(!wp__place_has(&wp__last_place, q->id, position)))
		wp__place_find(&wp__last_place, q, position);
	return &wp__last_place;
}

/* Fetches the lines of n slots that will be written later. */
static inline void fetch_ahead(const struct wp_job *slots, uint32_t n)
{
	for (const struct wp_job *end = slots + n; slots < end; slots += 2)
		wp_prefetch_for_write(slots);
}

/* Writes and publishes the n jobs that have the tickets from `position` on. */
static void write_many(
	struct wp__segqueue *q, uint64_t position, const struct wp_job *jobs, size_t n)
{
	while (n) {
		const struct wp__place *place = place_of(q, position);
		uint32_t slot = (uint32_t)((position - place->start) / WP__TICKET_ONE);
		uint32_t here = (uint32_t)wp_min_u64(n, q->segment_size - slot);
		struct wp_job *slots = wp__place_slot(place, position);
		memcpy(slots, jobs, here * sizeof(*jobs));
		if (wp_unlikely(q->pool.shape.stamp_row))
			wp__stamp_jobs(wp__place_segment(place), &q->pool.shape, slot,
				position >> 2, here, wp_load_rlx_u32(&q->stamp_mask));
		fetch_ahead(slots + wp_max_u64(here, WP__PREFETCH_SLOTS), here);
		wp__marks_publish(wp__place_mark(place, position), place->mark, here);
		position += here * WP__TICKET_ONE;
		jobs += here;
		n -= here;
	}
}

/* Writes and publishes the job of the ticket that came with `tail`. */
static inline int write_one(struct wp__segqueue *q, uint64_t tail, const struct wp_job *job)
{
	uint64_t position = tail & WP__POSITION;
	const struct wp__place *place = place_of(q, position);
	if (wp_unlikely(q->pool.shape.stamp_row))
		write_many(q, position, job, 1);
	else
		wp__place_write(place, position, job);
	return pushed(tail);
}

/* ---- room ---- */

/* Sets limit from head and returns it. A racing, older value only makes limit low for a while. */
static uint64_t raise_limit(struct wp__segqueue *q)
{
	/* Relaxed: head is a count here; slots are handed over by the directory. */
	uint64_t limit = (wp_load_rlx_u64(&q->head) & WP__POSITION) + q->capacity_span;
	wp_store_rlx_u64(&q->limit, limit);
	return limit;
}

/* Leaves or enters the near mode by what is left between position and limit. */
static void set_near(struct wp__segqueue *q, uint64_t position, uint64_t limit)
{
	int64_t slack = (int64_t)q->slack_span;
	uint32_t near = q->always_near || wp__span(position, limit) < 2 * slack;
	if (wp_load_rlx_u32(&q->near) != near)
		wp_store_rlx_u32(&q->near, near);
}

/* ---- push ---- */

/*
 * Takes up to n tickets below limit, all or fewer. 0 and *taken, or WP_EFULL, WP_ECLOSED. A lane
 * that is found full was so when its head was read: tail, read before it, has only grown since.
 */
static int take_exact(struct wp__segqueue *q, size_t n, uint64_t *tail_out, size_t *taken)
{
	for (;;) {
		/* [Q4] acq: keeps the load of head behind it; pairs with nobody */
		uint64_t tail = wp_load_acq_u64(&q->tail);
		if (tail & WP__TAIL_CLOSED)
			return WP_ECLOSED;
		uint64_t position = tail & WP__POSITION;
		int64_t room =
			wp__span(position, wp_load_rlx_u64(&q->limit)) / (int64_t)WP__TICKET_ONE;
		if (room < (int64_t)n) {
			uint64_t limit = raise_limit(q);
			set_near(q, position, limit);
			room = wp__span(position, limit) / (int64_t)WP__TICKET_ONE;
		}
		if (room <= 0)
			return WP_EFULL;
		size_t k = wp_min_u64(n, (uint64_t)room);
		WP_POINT("Q1");
		/* Relaxed: a ticket carries no data. */
		if (wp_cas_weak_rlx_u64(&q->tail, &tail, tail + k * WP__TICKET_ONE)) {
			*tail_out = tail;
			*taken = k;
			return 0;
		}
	}
}

int wp__segqueue_push_until(struct wp__segqueue *q, const struct wp_job *job, uint64_t deadline)
{
	for (;;) {
		uint64_t tail;
		size_t taken;
		int error = take_exact(q, 1, &tail, &taken);
		if (!error)
			return write_one(q, tail, job);
		if (error != WP_EFULL || deadline == 0)
			return error;
		error = wp__room_wait(q, deadline);
		if (error == WP_ETIMEDOUT) {
			/* Room may have come at the last moment. */
			error = wp__segqueue_push_until(q, job, 0);
			return error == WP_EFULL ? WP_ETIMEDOUT : error;
		}
		if (error)
			return error;
	}
}

int wp__segqueue_push_some(
	struct wp__segqueue *q, const struct wp_job *jobs, size_t n, size_t *count)
{
	uint64_t tail;
	*count = 0;
	int error = take_exact(q, n, &tail, count);
	if (error)
		return error;
	write_many(q, tail & WP__POSITION, jobs, *count);
	return pushed(tail);
}

/* The ticket came within slack of limit, which is returned as it is now. */
static uint64_t approach_limit(struct wp__segqueue *q, uint64_t position)
{
	uint64_t limit = raise_limit(q);
	set_near(q, position, limit);
	if (wp__span(position, limit) <= 0)
		wp__room_wait_with_ticket(q, position);
	return limit;
}

/* Which tickets after `position`, of the block pushed to last, are easy. */
static void find_easy(struct wp__segqueue *q, uint64_t position, uint64_t limit)
{
	struct wp__place *place = &wp__last_place;
	uint64_t first = position + WP__TICKET_ONE, left = place->start + place->span - first;
	if (q->pool.shape.stamp_row) {
		uint64_t slot = (first - place->start) / WP__TICKET_ONE;
		uint64_t mask = wp_load_rlx_u32(&q->stamp_mask);
		left = wp_min_u64(left, (-slot & mask) * WP__TICKET_ONE);
	}
	int64_t room = wp__span(first + q->slack_span, limit);
	place->easy_start = first;
	place->easy_span = room > 0 ? wp_min_u64((uint64_t)room, left) : 0;
}

WP_COLD int wp__push_go_on(
	struct wp__segqueue *q, const struct wp_job *job, enum wp__push_step step, uint64_t tail)
{
	if (step == WP__PUSH_NOT_BEGUN)
		return wp__segqueue_push_until(q, job, UINT64_MAX);
	if (tail & WP__TAIL_CLOSED)
		return WP_ECLOSED;
	uint64_t position = tail & WP__POSITION, limit = wp_load_rlx_u64(&q->limit);
	if (wp__span(position + q->slack_span, limit) <= 0)
		limit = approach_limit(q, position);
	int result = write_one(q, tail, job);
	find_easy(q, position, limit);
	wp__turns_look(&wp__last_place, position);
	return result;
}

int wp__segqueue_push(struct wp__segqueue *q, const struct wp_job *job)
{
	uint64_t tail = 0;
	enum wp__push_step step = wp__push_try(q, job, &tail);
	return wp_likely(step == WP__PUSH_DONE) ? 0 : wp__push_go_on(q, job, step, tail);
}

/* ---- claim ---- */

static void retire(struct wp__segqueue *q, uint64_t block, struct wp__segment *segment)
{
	wp__segment_renew(segment);
	/* First the segment, then the entry: whoever finds the entry free finds a segment, too. */
	wp__segpool_give(&q->pool, segment);
	WP_POINT("D3");
	/* [D3] rel: the segment is back in the free list; pairs with [D1] */
	uint64_t next_block = block + q->directory_mask + 1;
	wp_store_rel_u64(wp__entry_of(q, block), wp__free_entry(q, next_block));
}

static inline uint32_t ready_run(struct wp__segqueue *q, uint64_t block, uint32_t slot,
	uint32_t max, struct wp__segment **segment)
{
	/* [D4] acq: the installed segment; pairs with [D2] */
	uint64_t e = wp_load_acq_u64(wp__entry_of(q, block));
	if (!wp__is_installed(q, e, block))
		return 0;
	*segment = wp__segment_in(q, e);
	return wp__segment_ready_run(
		*segment, wp__mark_in(e), slot, (uint32_t)wp_min_u64(max, q->segment_size - slot));
}

bool wp__segqueue_claim(struct wp__segqueue *q, struct wp_job *out, uint32_t max, uint32_t share,
	uint64_t wake_room, struct wp__claim *claim)
{
	struct wp__segment *segment;
	uint64_t block, position;
	struct wp__room_plan plan;
	uint32_t slot, run;
	uint64_t head = wp_load_rlx_u64(&q->head);
	for (;;) {
		WP_POINT("H0");
		position = head & WP__POSITION;
		block = wp__block_of(q, position);
		slot = wp__slot_of(q, position, block);
		/* One more than wanted, to know whether there is more. */
		uint32_t found = ready_run(q, block, slot, max + 1, &segment);
		WP_POINT("H1");
		if (found == 0) {
			uint64_t now = wp_load_rlx_u64(&q->head);
			if (now == head)
				return false;
			head = now;
			continue;
		}
		run = found > max ? max : found;
		if (share > 1)
			run = (run + share - 1) / share;
		claim->more = found > run;
		uint64_t next = position + run * WP__TICKET_ONE;
		plan.keep = head & WP__HEAD_WAITERS;
		if (wp_unlikely(plan.keep))
			plan = wp__room_plan(q, next, wake_room);
		/* [H1] ar: takes the claim; sees WAITERS or is seen by [W2]; pairs with [W2] */
		if (wp_cas_strong_ar_u64(&q->head, &head, next | plan.keep))
			break;
	}
	memcpy(out, &wp__segment_slots(segment, &q->pool.shape)[slot], run * sizeof(*out));
	if (wp_unlikely(q->pool.shape.stamp_row) && claim->stamps)
		wp__stamp_read(segment, &q->pool.shape, slot, position >> 2, run,
			wp_load_rlx_u32(&q->stamp_mask), claim->stamps);
	WP_POINT("S1");
	/* [S1] ar: copied out, before the segment is used again; pairs with itself */
	if (wp_add_ar_u32(&segment->done, run) + run == q->segment_size)
		retire(q, block, segment);
	if (wp_unlikely(head & WP__HEAD_WAITERS))
		wp__room_made(q, &plan);
	claim->count = run;
	claim->at_segment_end = slot + run == q->segment_size;
	claim->ticket = q->first_id + ((position - q->first) >> 2);
	return true;
}

void wp__segqueue_stamp_all(struct wp__segqueue *q, bool all)
{
	/* Relaxed: a hint. Written only when it changes: producers read it at every push. */
	uint32_t mask = all ? 0 : WP__STAMP_EVERY - 1;
	if (wp_load_rlx_u32(&q->stamp_mask) != mask)
		wp_store_rlx_u32(&q->stamp_mask, mask);
}
