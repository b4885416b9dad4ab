/* SPDX-License-Identifier: MIT */
#include "queue/segqueue.h"

#include <string.h>

#include <wpool/error.h>
#include <wpool/queue.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "base/os.h"

/* How many times a producer looks before it installs a segment for somebody else's block. */
#define LOOKS_BEFORE_HELP      WP_TUNED(64, 2)
/* How many times a waiting loop spins before it gives the processor away. */
#define SPINS_BEFORE_YIELD     WP_TUNED(128, 2)
/* Lanes smaller than this never use the fetch-add. */
#define CAPACITY_FOR_FETCH_ADD WP_TUNED(64, 4)
/* Slots ahead of the one being written that are fetched for writing. */
#define PREFETCH_SLOTS         8

/* ---- positions ---- */

static inline int64_t span(uint64_t from, uint64_t to)
{
	return (int64_t)(to - from);
}

static inline uint64_t block_of(const struct wp__segqueue *q, uint64_t position)
{
	return (uint64_t)(((wp_u128)position * q->block_factor) >> 64) >> q->block_shift;
}

static inline uint32_t slot_of(const struct wp__segqueue *q, uint64_t position, uint64_t block)
{
	return (uint32_t)((position >> 2) - block * q->segment_size);
}

static inline wp_atomic_u64 *entry_of(const struct wp__segqueue *q, uint64_t block)
{
	return &q->directory[block & q->directory_mask];
}

/* ---- directory entries: lap << 48 | offset of the segment in its pool | MARK | INSTALLED ---- */

#define LAP_SHIFT 48
#define INSTALLED UINT64_C(1)
#define MARK      UINT64_C(2) /* the mark of this use of the segment */
#define OFFSET    (((UINT64_C(1) << LAP_SHIFT) - 1) & ~(INSTALLED | MARK))

_Static_assert(WP_ALONE > (INSTALLED | MARK), "segments begin at multiples of WP_ALONE");

static inline uint64_t free_entry(const struct wp__segqueue *q, uint64_t block)
{
	return block >> q->directory_shift << LAP_SHIFT;
}

static inline uint64_t installed_entry(
	const struct wp__segqueue *q, uint64_t block, const struct wp__segment *segment)
{
	uint64_t offset = (uint64_t)((const char *)segment - q->pool.memory);
	uint64_t mark = wp__segment_mark(segment) ? MARK : 0;
	return free_entry(q, block) | offset | mark | INSTALLED;
}

static inline bool is_installed(const struct wp__segqueue *q, uint64_t entry, uint64_t block)
{
	return wp_likely((entry & ~(OFFSET | MARK)) == (free_entry(q, block) | INSTALLED));
}

static inline struct wp__segment *segment_in(const struct wp__segqueue *q, uint64_t entry)
{
	return (struct wp__segment *)(void *)(q->pool.memory + (entry & OFFSET));
}

static inline uint8_t mark_in(uint64_t entry)
{
	return (entry & MARK) != 0;
}

static void back_off(unsigned round)
{
	if (round < SPINS_BEFORE_YIELD)
		wp_spin_hint();
	else
		wp__os_yield();
}

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
	uint64_t first = block_of(q, q->first);
	for (uint64_t i = 0; i < entries; i++)
		wp_store_rlx_u64(entry_of(q, first + i), free_entry(q, first + i));
}

int wp__segqueue_init(struct wp__segqueue *q, const struct wp__segqueue_options *options)
{
	uint32_t size = options->segment_size;
	uint64_t entries = directory_entries(options->capacity, size);
	uint64_t segments = wp__segqueue_segments(options->capacity, size);
	if (segments > WP_SEGMENTS_MAX || options->segment_count > segments)
		return WP_EINVAL;
	memset(q, 0, sizeof(*q));
	q->segment_size = size;
	init_division(q, size);
	uint64_t ticket = options->first_ticket - options->first_ticket % size;
	q->first = ticket << 2;
	q->directory = wp__alloc(WP_ALONE, entries * sizeof(*q->directory));
	if (!q->directory)
		return WP_ENOMEM;
	init_directory(q, entries);
	int error = wp__segpool_init(&q->pool, size, (uint32_t)segments, options->segment_count,
		options->keep_free ? options->keep_free : UINT32_MAX);
	if (error) {
		wp__free(q->directory);
		q->directory = NULL;
		return error;
	}
	q->room.patience = options->room_patience;
	q->capacity_span = options->capacity << 2;
	q->always_near = options->capacity < CAPACITY_FOR_FETCH_ADD;
	q->slack_span = WP_TUNED(wp_min_u64(options->capacity / 8, 1024), 1) << 2;
	wp_store_rlx_u32(&q->near, q->always_near);
	wp_store_rlx_u64(&q->tail, q->first);
	wp_store_rlx_u64(&q->head, q->first);
	wp_store_rlx_u64(&q->limit, q->first + q->capacity_span);
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
static WP_COLD uint64_t install_segment(struct wp__segqueue *q, uint64_t block, uint32_t slot)
{
	wp_atomic_u64 *entry = entry_of(q, block);
	for (unsigned round = 0;; round++) {
		/* [D1] acq: the installed segment; pairs with [D2] and [D3] */
		uint64_t e = wp_load_acq_u64(entry);
		struct wp__segment *segment;
		if (is_installed(q, e, block))
			return e;
		if (e == free_entry(q, block) && (slot == 0 || round >= LOOKS_BEFORE_HELP) &&
			(segment = wp__segpool_take(&q->pool)) != NULL) {
			uint64_t installed = installed_entry(q, block, segment);
			WP_POINT("D2");
			/* [D2] rel: the segment, as new; pairs with [D1] and [D4] */
			if (wp_cas_strong_rel_u64(entry, &e, installed))
				return installed;
			wp__segpool_give(&q->pool, segment);
		}
		/* An earlier lap: a consumer has not finished copying out of that block. */
		back_off(round);
	}
}

/* The entry of the ticket's block, installed. */
static inline uint64_t entry_for_write(struct wp__segqueue *q, uint64_t block, uint32_t slot)
{
	/* [D1] acq: the installed segment; pairs with [D2] */
	uint64_t e = wp_load_acq_u64(entry_of(q, block));
	return wp_likely(is_installed(q, e, block)) ? e : install_segment(q, block, slot);
}

static inline void write_one(struct wp__segqueue *q, uint64_t position, const struct wp_job *job)
{
	uint64_t block = block_of(q, position);
	uint32_t slot = slot_of(q, position, block);
	uint64_t entry = entry_for_write(q, block, slot);
	struct wp__segment *segment = segment_in(q, entry);
	struct wp_job *slots = wp__segment_slots(segment, &q->pool.shape);
	slots[slot] = *job;
	/* A recycled segment's lines are in a consumer's cache: fetch them in time. */
	wp_prefetch_for_write(&slots[slot + PREFETCH_SLOTS]);
	wp__segment_publish_one(segment, mark_in(entry), slot);
}

static void write_many(
	struct wp__segqueue *q, uint64_t position, const struct wp_job *jobs, size_t n)
{
	while (n) {
		uint64_t block = block_of(q, position);
		uint32_t slot = slot_of(q, position, block);
		uint32_t here = (uint32_t)wp_min_u64(n, q->segment_size - slot);
		uint64_t entry = entry_for_write(q, block, slot);
		struct wp__segment *segment = segment_in(q, entry);
		memcpy(&wp__segment_slots(segment, &q->pool.shape)[slot], jobs,
			here * sizeof(*jobs));
		wp__segment_publish(segment, mark_in(entry), slot, here);
		position += here * WP__TICKET_ONE;
		jobs += here;
		n -= here;
	}
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
	uint32_t near = q->always_near || span(position, limit) < 2 * slack;
	if (wp_load_rlx_u32(&q->near) != near)
		wp_store_rlx_u32(&q->near, near);
}

/* ---- push ---- */

/* Takes up to n tickets below limit, all or fewer. 0 and *taken, or WP_EFULL, WP_ECLOSED. */
static int take_exact(struct wp__segqueue *q, size_t n, uint64_t *tail_out, size_t *taken)
{
	uint64_t tail = wp_load_rlx_u64(&q->tail);
	for (;;) {
		if (tail & WP__TAIL_CLOSED)
			return WP_ECLOSED;
		uint64_t position = tail & WP__POSITION;
		int64_t room = span(position, wp_load_rlx_u64(&q->limit)) / (int64_t)WP__TICKET_ONE;
		if (room < (int64_t)n) {
			uint64_t limit = raise_limit(q);
			set_near(q, position, limit);
			room = span(position, limit) / (int64_t)WP__TICKET_ONE;
		}
		if (room <= 0) {
			/* Full only if this tail still stands: head was read after it. */
			uint64_t now = wp_load_rlx_u64(&q->tail);
			if (now == tail)
				return WP_EFULL;
			tail = now;
			continue;
		}
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

static inline int pushed(uint64_t tail)
{
	return tail & WP__TAIL_SLEEP ? WP__PUSHED_WAKE : 0;
}

int wp__segqueue_push_until(struct wp__segqueue *q, const struct wp_job *job, uint64_t deadline)
{
	for (;;) {
		uint64_t tail;
		size_t taken;
		int error = take_exact(q, 1, &tail, &taken);
		if (!error) {
			write_one(q, tail & WP__POSITION, job);
			return pushed(tail);
		}
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

/* The ticket came within slack of limit. */
static WP_COLD void approach_limit(struct wp__segqueue *q, uint64_t position)
{
	uint64_t limit = raise_limit(q);
	set_near(q, position, limit);
	if (span(position, limit) <= 0)
		wp__room_wait_with_ticket(q, position);
}

int wp__segqueue_push(struct wp__segqueue *q, const struct wp_job *job)
{
	if (wp_unlikely(wp_load_rlx_u32(&q->near)))
		return wp__segqueue_push_until(q, job, UINT64_MAX);
	WP_POINT("Q0");
	/* Relaxed: a ticket carries no data; SLEEP and CLOSED are decided in this word alone. */
	uint64_t tail = wp_add_rlx_u64(&q->tail, WP__TICKET_ONE);
	WP_POINT("Q1");
	if (wp_unlikely(tail & WP__TAIL_CLOSED))
		return WP_ECLOSED;
	uint64_t position = tail & WP__POSITION;
	if (wp_unlikely(span(position + q->slack_span, wp_load_rlx_u64(&q->limit)) <= 0))
		approach_limit(q, position);
	write_one(q, position, job);
	return pushed(tail);
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
	wp_store_rel_u64(entry_of(q, block), free_entry(q, next_block));
}

static inline uint32_t ready_run(struct wp__segqueue *q, uint64_t block, uint32_t slot,
	uint32_t max, struct wp__segment **segment)
{
	/* [D4] acq: the installed segment; pairs with [D2] */
	uint64_t e = wp_load_acq_u64(entry_of(q, block));
	if (!is_installed(q, e, block))
		return 0;
	*segment = segment_in(q, e);
	return wp__segment_ready_run(
		*segment, mark_in(e), slot, (uint32_t)wp_min_u64(max, q->segment_size - slot));
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
		block = block_of(q, position);
		slot = slot_of(q, position, block);
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
	WP_POINT("S1");
	/* [S1] ar: copied out, before the segment is used again; pairs with itself */
	if (wp_add_ar_u32(&segment->done, run) + run == q->segment_size)
		retire(q, block, segment);
	if (wp_unlikely(head & WP__HEAD_WAITERS))
		wp__room_made(q, &plan);
	claim->count = run;
	claim->at_segment_end = slot + run == q->segment_size;
	claim->ticket = (position - q->first) >> 2;
	return true;
}

/* ---- sleep, close, counts ---- */

/* The position up to which tickets are promises; false while a close is being carried out. */
static bool end_position(const struct wp__segqueue *q, uint64_t tail, uint64_t *end)
{
	*end = tail & WP__POSITION;
	if (!(tail & WP__TAIL_CLOSED))
		return true;
	/* Relaxed: it is written once and stands for itself; 0 means not yet. */
	uint64_t final = wp_load_rlx_u64(&q->final);
	if (!(final & 1))
		return false;
	*end = final & WP__POSITION;
	return true;
}

void wp__segqueue_offer_room(struct wp__segqueue *q)
{
	uint64_t head = wp_load_rlx_u64(&q->head);
	if (!(head & WP__HEAD_WAITERS))
		return;
	struct wp__room_plan plan = wp__room_plan(q, head & WP__POSITION, 1);
	wp__room_made(q, &plan);
}

bool wp__segqueue_arm_sleep(struct wp__segqueue *q)
{
	/* [P1] ar: a push that takes its ticket later sees SLEEP; pairs with [P2] */
	uint64_t tail = wp_or_ar_u64(&q->tail, WP__TAIL_SLEEP), end;
	WP_POINT("P1");
	if (!end_position(q, tail, &end))
		return false;
	return (wp_load_rlx_u64(&q->head) & WP__POSITION) == end;
}

bool wp__segqueue_disarm_sleep(struct wp__segqueue *q)
{
	/* [P2] ar: what the sleeper did before it armed; pairs with [P1] */
	return wp_and_ar_u64(&q->tail, ~WP__TAIL_SLEEP) & WP__TAIL_SLEEP;
}

bool wp__segqueue_close(struct wp__segqueue *q)
{
	/* Relaxed: tail alone decides who was in time; sleepers learn of it through [W3]. */
	uint64_t tail = wp_or_rlx_u64(&q->tail, WP__TAIL_CLOSED);
	WP_POINT("C3");
	if (tail & WP__TAIL_CLOSED)
		return false;
	wp_store_rlx_u64(&q->final, (tail & WP__POSITION) | 1);
	wp__room_wake(q, UINT32_MAX);
	return true;
}

bool wp__segqueue_is_closed(const struct wp__segqueue *q)
{
	return wp_load_rlx_u64(&q->tail) & WP__TAIL_CLOSED;
}

uint64_t wp__segqueue_accepted(const struct wp__segqueue *q)
{
	uint64_t end;
	/* Relaxed: who learnt of a job by an acquire reads no older tail than its push's. */
	for (unsigned round = 0; !end_position(q, wp_load_rlx_u64(&q->tail), &end); round++)
		back_off(round); /* the closer is two instructions from storing it */
	return (end - q->first) >> 2;
}

uint64_t wp__segqueue_claimed(const struct wp__segqueue *q)
{
	return ((wp_load_rlx_u64(&q->head) & WP__POSITION) - q->first) >> 2;
}

uint64_t wp__segqueue_depth(const struct wp__segqueue *q)
{
	/* [C4] acq: head first, so that the tail read is not older; pairs with [H1] */
	uint64_t head = wp_load_acq_u64(&q->head) & WP__POSITION, end;
	end_position(q, wp_load_rlx_u64(&q->tail), &end);
	int64_t depth = span(head, end);
	return depth <= 0 ? 0 : wp_min_u64((uint64_t)depth, q->capacity_span) >> 2;
}

bool wp__segqueue_is_valid(struct wp__segqueue *q)
{
	uint64_t head = wp_load_rlx_u64(&q->head) & WP__POSITION, end;
	if (!end_position(q, wp_load_rlx_u64(&q->tail), &end))
		return false;
	int64_t depth = span(head, end);
	if (depth < 0)
		return false;
	/* After a close, producers that waited with a ticket write beyond the capacity. */
	if (!wp__segqueue_is_closed(q) && depth > (int64_t)q->capacity_span)
		return false;
	if (span(wp_load_rlx_u64(&q->limit), head + q->capacity_span) < 0)
		return false;
	uint32_t in_use = 0;
	for (uint64_t i = 0; i <= q->directory_mask; i++) {
		uint64_t e = wp_load_rlx_u64(&q->directory[i]);
		if (!(e & INSTALLED))
			continue;
		in_use++;
		struct wp__segment *segment = segment_in(q, e);
		uint32_t published = 0, done = wp_load_rlx_u32(&segment->done);
		for (uint32_t s = 0; s < q->segment_size; s++)
			published += wp_load_rlx_u8(&wp__segment_marks(segment)[s]) == mark_in(e);
		if (mark_in(e) != wp__segment_mark(segment))
			return false;
		if (done > published || published > q->segment_size || done == q->segment_size)
			return false;
	}
	return wp_load_rlx_u32(&q->pool.touched) == in_use + wp__segpool_free(&q->pool);
}
