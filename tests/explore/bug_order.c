/* SPDX-License-Identifier: MIT */
/* Known bugs: a memory order is too weak, or a fence is missing. */
#include "bug.h"

/* ---- data published by a relaxed store ---- */

static uint32_t data;
static wp_atomic_u32 flag, flag2, turn;

static void publish(void)
{
	data = 42;
	if (BROKEN)
		wp_store_rlx_u32(&flag, 1);
	else
		wp_store_rel_u32(&flag, 1);
}

static void consume(void)
{
	if (wp_load_acq_u32(&flag))
		explore_assert(data == 42);
}

KNOWN_BUG(publish_relaxed, "race", .body = { publish, consume });

/* ---- double-checked initialisation with a relaxed look ---- */

static struct wp__mutex once_mutex = WP__MUTEX_INIT;
static uint32_t table;

static void use_table(void)
{
	uint32_t ready = BROKEN ? wp_load_rlx_u32(&flag) : wp_load_acq_u32(&flag);
	if (!ready) {
		wp__os_mutex_lock(&once_mutex);
		if (!wp_load_rlx_u32(&flag)) {
			table = 7;
			wp_store_rel_u32(&flag, 1);
		}
		wp__os_mutex_unlock(&once_mutex);
	}
	explore_assert(table == 7);
}

KNOWN_BUG(double_checked_init, "race", .body = { use_table, use_table });

/* ---- seqlock: the reader's second look may move before its reads of the data ---- */

static wp_atomic_u32 sequence, low, high;

static void seqlock_write(void)
{
	for (uint32_t i = 1; i <= 2; i++) {
		wp_store_rlx_u32(&sequence, 2 * i - 1);
		atomic_thread_fence(memory_order_release);
		wp_store_rlx_u32(&low, i);
		wp_store_rlx_u32(&high, i);
		wp_store_rel_u32(&sequence, 2 * i);
	}
}

static void seqlock_read(void)
{
	uint32_t before = wp_load_acq_u32(&sequence);
	uint32_t a = wp_load_rlx_u32(&low), b = wp_load_rlx_u32(&high);
	if (!BROKEN)
		atomic_thread_fence(memory_order_acquire);
	if (!(before & 1) && wp_load_rlx_u32(&sequence) == before)
		explore_assert(a == b);
}

KNOWN_BUG(seqlock_reader_unfenced, "assertion", .body = { seqlock_write, seqlock_read });

static void seqlock_write_unfenced(void)
{
	wp_store_rlx_u32(&sequence, 1);
	if (!BROKEN)
		atomic_thread_fence(memory_order_release);
	wp_store_rlx_u32(&low, 1);
	wp_store_rlx_u32(&high, 1);
	wp_store_rel_u32(&sequence, 2);
}

static void seqlock_read_fenced(void)
{
	uint32_t before = wp_load_acq_u32(&sequence);
	uint32_t a = wp_load_rlx_u32(&low), b = wp_load_rlx_u32(&high);
	atomic_thread_fence(memory_order_acquire);
	if (!(before & 1) && wp_load_rlx_u32(&sequence) == before)
		explore_assert(a == b);
}

KNOWN_BUG(seqlock_writer_unfenced, "assertion",
	.body = { seqlock_write_unfenced, seqlock_read_fenced });

/* ---- Peterson's lock: whoever gives way second must see that the other is there ---- */

static uint32_t inside;

static void critical(void)
{
	inside++;
	explore_assert(inside == 1);
	inside--;
}

static void peterson(wp_atomic_u32 *mine, wp_atomic_u32 *other, uint32_t give)
{
	wp_store_rlx_u32(mine, 1);
	if (BROKEN) {
		wp_store_rel_u32(&turn, give);
		wp_fence_sc(); /* too late: the other's `turn` was overwritten without a look */
	} else {
		wp_swap_ar_u32(&turn, give);
	}
	while (wp_load_acq_u32(other) && wp_load_acq_u32(&turn) == give)
		wp_spin_hint();
	critical();
	wp_store_rel_u32(mine, 0);
}

static void peterson_left(void)
{
	peterson(&flag, &flag2, 2);
}

static void peterson_right(void)
{
	peterson(&flag2, &flag, 1);
}

KNOWN_BUG(peterson_turn_by_store, NULL, .body = { peterson_left, peterson_right });

/* ---- work-stealing deque (Chase and Lev): without fences the last item is taken twice ---- */

#define ITEMS 2
static wp_atomic_u32 top, bottom, taken[ITEMS];

static void deque_setup(void)
{
	wp_store_rlx_u32(&bottom, ITEMS);
}

static void take_item(uint32_t i)
{
	explore_assert(i < ITEMS);
	explore_assert(wp_add_rlx_u32(&taken[i], 1) == 0);
}

static void deque_pop(void)
{
	uint32_t b = wp_load_rlx_u32(&bottom) - 1;
	wp_store_rlx_u32(&bottom, b);
	FENCE_IF(!BROKEN);
	uint32_t t = wp_load_rlx_u32(&top);
	if ((int32_t)(b - t) > 0) {
		take_item(b);
		return;
	}
	if (b == t && wp_cas_strong_ar_u32(&top, &t, t + 1))
		take_item(b);
	wp_store_rlx_u32(&bottom, b + 1);
}

static void deque_pop_twice(void)
{
	deque_pop();
	deque_pop();
}

static void deque_steal(void)
{
	uint32_t t = wp_load_acq_u32(&top);
	FENCE_IF(!BROKEN);
	uint32_t b = wp_load_acq_u32(&bottom);
	if ((int32_t)(b - t) > 0 && wp_cas_strong_ar_u32(&top, &t, t + 1))
		take_item(t);
}

static void deque_steal_twice(void)
{
	deque_steal();
	deque_steal();
}

KNOWN_BUG(deque_double_pop, "assertion", .setup = deque_setup,
	.body = { deque_pop_twice, deque_steal_twice });

/* ---- ring for one producer and one consumer: the slot is reused before it was read ---- */

static uint32_t ring[2];
static wp_atomic_u32 ring_head, ring_tail;

static void ring_produce(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t head;
		do {
			wp_spin_hint();
			head = BROKEN ? wp_load_rlx_u32(&ring_head) : wp_load_acq_u32(&ring_head);
		} while (i - head == 2);
		ring[i % 2] = i + 10;
		wp_store_rel_u32(&ring_tail, i + 1);
	}
}

static void ring_consume(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		while (wp_load_acq_u32(&ring_tail) == i)
			wp_spin_hint();
		explore_assert(ring[i % 2] == i + 10);
		wp_store_rel_u32(&ring_head, i + 1);
	}
}

KNOWN_BUG(ring_reuse_relaxed, "race", .body = { ring_produce, ring_consume });

/* ---- a counter moved before the data is there ---- */

static void count_first(void)
{
	if (BROKEN) {
		wp_store_rel_u32(&ring_tail, 1);
		ring[0] = 10;
	} else {
		ring[0] = 10;
		wp_store_rel_u32(&ring_tail, 1);
	}
}

static void read_counted(void)
{
	if (wp_load_acq_u32(&ring_tail))
		explore_assert(ring[0] == 10);
}

KNOWN_BUG(count_before_data, "race", .body = { count_first, read_counted });
