/* SPDX-License-Identifier: MIT */
/* Known bugs: memory that is used again, or freed, too early. */
#include "base/rcu.h"
#include "bug.h"

/* ---- Treiber stack without a tag: A is popped, popped over, pushed again ---- */

#define NODES 3
static wp_atomic_u64 stack_top; /* tag << 32 | 1 + index */
static wp_atomic_u32 stack_next[NODES], node_owner[NODES];

static void stack_push(uint32_t node)
{
	uint64_t t = wp_load_rlx_u64(&stack_top);
	do
		wp_store_rlx_u32(&stack_next[node], (uint32_t)t);
	while (!wp_cas_weak_rel_u64(&stack_top, &t, (t >> 32 << 32) | (node + 1)));
}

/* The node, or NODES if there is none. */
static uint32_t stack_pop(bool tagged, bool look_again)
{
	uint64_t t = wp_load_acq_u64(&stack_top);
	while ((uint32_t)t) {
		uint64_t next = wp_load_rlx_u32(&stack_next[(uint32_t)t - 1]);
		uint64_t tag = tagged ? (t >> 32) + 1 : 0;
		if (wp_cas_weak_ar_u64(&stack_top, &t, tag << 32 | next))
			return (uint32_t)t - 1;
		/* What a failed compare-and-swap found was read relaxed. */
		if (look_again)
			t = wp_load_acq_u64(&stack_top);
	}
	return NODES;
}

static uint32_t own_node(bool tagged, bool look_again)
{
	uint32_t node = stack_pop(tagged, look_again);
	if (node < NODES)
		explore_assert(wp_add_rlx_u32(&node_owner[node], 1) == 0);
	return node;
}

static void give_node(uint32_t node)
{
	if (node == NODES)
		return;
	wp_sub_rlx_u32(&node_owner[node], 1);
	stack_push(node);
}

static void stack_setup(void)
{
	for (uint32_t i = 0; i < NODES; i++)
		stack_push(i);
}

static void take_two(bool tagged, bool look_again)
{
	own_node(tagged, look_again);
	own_node(tagged, look_again);
}

static void take_two_give_one(bool tagged, bool look_again)
{
	uint32_t a = own_node(tagged, look_again);
	own_node(tagged, look_again);
	give_node(a);
}

static void untagged_one(void)
{
	take_two(!BROKEN, true);
}

static void untagged_two(void)
{
	take_two_give_one(!BROKEN, true);
}

KNOWN_BUG(treiber_aba, "assertion", .setup = stack_setup, .body = { untagged_one, untagged_two });

/* ---- the same with a tag, but what a failed compare-and-swap found is used unacquired ---- */

static void unacquired_one(void)
{
	take_two(true, !BROKEN);
}

static void unacquired_two(void)
{
	take_two_give_one(true, !BROKEN);
}

KNOWN_BUG(treiber_retry_unacquired, "assertion", .setup = stack_setup,
	.body = { unacquired_one, unacquired_two });

/* ---- the same stack on the heap: a node is read after somebody freed it ---- */

struct item {
	wp_atomic_ptr next;
};

static wp_atomic_ptr items;

static void push_item(void)
{
	struct item *item = wp__alloc(16, sizeof(*item));
	void *t = wp_load_rlx_ptr(&items);
	do
		wp_store_rlx_ptr(&item->next, t);
	while (!wp_cas_weak_rel_ptr(&items, &t, item));
}

static void pop_item(void)
{
	wp__rcu_read_lock();
	void *t = wp_load_acq_ptr(&items);
	while (t && !wp_cas_weak_ar_ptr(&items, &t, wp_load_rlx_ptr(&((struct item *)t)->next)))
		t = wp_load_acq_ptr(&items);
	wp__rcu_read_unlock();
	if (!BROKEN)
		wp__rcu_synchronize();
	wp__free(t);
}

static void two_items(void)
{
	push_item();
	push_item();
}

KNOWN_BUG(treiber_use_after_free, "use after free", .setup = two_items,
	.body = { pop_item, pop_item }, .no_leaks = true);

/* ---- a count of references, dropped relaxed: the free does not come after the last use ---- */

struct shared {
	wp_atomic_u32 refs;
	uint32_t value;
};

static struct shared *object;

static void make_object(void)
{
	object = wp__alloc(16, sizeof(*object));
	wp_store_rlx_u32(&object->refs, 2);
}

static void use_and_drop(void)
{
	struct shared *o = object;
	explore_assert(o->value == 0);
	uint32_t before = BROKEN ? wp_sub_rlx_u32(&o->refs, 1) : wp_sub_ar_u32(&o->refs, 1);
	if (before == 1)
		wp__free(o);
}

KNOWN_BUG(refcount_relaxed, "use after free", .setup = make_object,
	.body = { use_and_drop, use_and_drop }, .no_leaks = true);

/* ---- the waker touches the waiter's node after the waiter has returned ---- */

struct waiter {
	wp_atomic_u32 done;
	wp_atomic_u32 wakes;
};

static wp_atomic_ptr waiting;

static void wait_in_node(void)
{
	struct waiter *w = wp__alloc(16, sizeof(*w));
	wp_store_rel_ptr(&waiting, w);
	while (!wp_load_acq_u32(&w->done))
		wp__os_futex_wait(&w->done, 0, UINT64_MAX);
	wp__free(w);
}

static void wake_node(void)
{
	struct waiter *w;
	while (!(w = wp_load_acq_ptr(&waiting)))
		wp_spin_hint();
	if (!BROKEN)
		wp_add_rlx_u32(&w->wakes, 1);
	wp_store_rel_u32(&w->done, 1);
	wp__os_futex_wake(&w->done, 1); /* an address only, even if the memory is gone */
	if (BROKEN)
		wp_add_rlx_u32(&w->wakes, 1);
}

KNOWN_BUG(waker_touches_waiter, "use after free", .body = { wait_in_node, wake_node },
	.no_leaks = true);

/* ---- a waiter's node on its stack, given up while it is still in the list ---- */

static __attribute__((noinline)) void timed_wait_on_stack(void)
{
	struct waiter w;
	wp_store_rlx_u32(&w.done, 0);
	wp_store_rlx_u32(&w.wakes, 0);
	wp_store_rel_ptr(&waiting, &w);
	if (wp__os_futex_wait(&w.done, 0, 2000000000) == 0 && wp_load_acq_u32(&w.done))
		return;
	void *self = &w;
	/* Taken back by nobody else: only then the frame may go. */
	if (BROKEN || wp_cas_strong_ar_ptr(&waiting, &self, NULL))
		return;
	while (!wp_load_acq_u32(&w.done))
		wp_spin_hint();
}

static __attribute__((noinline)) void fill(uint32_t *frame)
{
	for (uint32_t i = 0; i < 64; i++)
		frame[i] = i;
}

static __attribute__((noinline)) uint32_t reuse_stack(void)
{
	uint32_t frame[64];
	fill(frame);
	return frame[7];
}

static void wait_then_go_on(void)
{
	timed_wait_on_stack();
	explore_assert(reuse_stack() == 7);
}

static void wake_on_stack(void)
{
	struct waiter *w = wp_swap_ar_ptr(&waiting, NULL);
	if (!w)
		return;
	wp_store_rel_u32(&w->done, 1);
	wp__os_futex_wake((wp_atomic_u32 *)w, 1);
}

KNOWN_BUG(stack_node_left_in_list, NULL, .body = { wait_then_go_on, wake_on_stack });

/* ---- a version is freed without waiting for its readers ---- */

static wp_atomic_ptr version;

static void make_version(void)
{
	wp_store_rlx_ptr(&version, wp__alloc(16, 16));
}

static void read_version(void)
{
	wp__rcu_read_lock();
	const uint32_t *v = wp_load_acq_ptr(&version);
	explore_assert(*v == 0);
	wp__rcu_read_unlock();
}

static void replace_version(void)
{
	uint32_t *new = wp__alloc(16, 16);
	void *old = wp_swap_ar_ptr(&version, new);
	if (!BROKEN)
		wp__rcu_synchronize();
	wp__free(old);
}

KNOWN_BUG(rcu_free_at_once, "use after free", .setup = make_version,
	.body = { read_version, replace_version });

/* ---- an allocation fails halfway and the first half is forgotten ---- */

static void build_two(void)
{
	void *a = wp__alloc(16, 16);
	void *b = a ? wp__alloc(16, 16) : NULL;
	if (!b) {
		if (!BROKEN)
			wp__free(a);
		return;
	}
	wp__free(b);
	wp__free(a);
}

KNOWN_BUG(leak_on_failure, "leak", .body = { build_two }, .alloc_failures = 1, .no_leaks = true);
