/* SPDX-License-Identifier: MIT */
/* The public queue, one thread: order, capacity, refusals, errors of creation. */
#include <wpool/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"

static const size_t capacities[] = { 1, 2, 3, 63, 64, 65, 1000 };
static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 100, 1024, 4096 };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One thread that pushes and pops, with its books. */
struct line {
	struct wp_queue *q;
	struct ledger ledger;
	struct ledger_reader reader;
	uint64_t in; /* jobs accepted */
};

static void line_open(struct line *line, size_t capacity, uint32_t segment_size, uint64_t most)
{
	line->q = lane_create(capacity, segment_size);
	ledger_open(&line->ledger, 1, most);
	ledger_reader_open(&line->reader, &line->ledger, true);
	line->in = 0;
}

static void line_close(struct line *line)
{
	t_assert(wp__segqueue_is_valid(lane_of(line->q)));
	t_assert_u64_eq(wp_queue_depth(line->q), line->in - line->reader.count);
	wp_queue_destroy(line->q);
	ledger_post(&line->ledger, &line->reader);
	ledger_close(&line->ledger);
}

static int line_push(struct line *line)
{
	struct wp_job job = ledger_job(&line->ledger, 0, line->in);
	int error;
	switch (line->in % 3) {
	case 0:
		error = wp_queue_try_push(line->q, &job);
		break;
	case 1:
		error = wp_queue_push_until(line->q, &job, 1); /* long ago */
		error = error == WP_ETIMEDOUT ? WP_EFULL : error;
		break;
	default:
		error = wp_queue_try_push_many(line->q, &job, 1) ? 0 : WP_EFULL;
	}
	line->in += error == 0;
	return error;
}

static size_t line_pop(struct line *line, size_t max)
{
	struct wp_job out[512];
	t_assert(max <= 512);
	size_t n = wp_queue_pop_many(line->q, out, max);
	ledger_take_many(&line->reader, out, n);
	return n;
}

/* Exactly capacity go in; for each one that comes out one goes in. */
static void fill_to_the_job(size_t capacity, uint32_t segment_size)
{
	struct line line;
	line_open(&line, capacity, segment_size, 4 * capacity + 4);
	for (size_t i = 0; i < capacity; i++) {
		t_assert_int_eq(line_push(&line), 0);
		t_assert_u64_eq(wp_queue_depth(line.q), i + 1);
	}
	for (size_t i = 0; i < 2 * capacity; i++) {
		t_assert_int_eq(line_push(&line), WP_EFULL);
		t_assert_u64_eq(wp_queue_depth(line.q), capacity);
		t_assert_u64_eq(line_pop(&line, 1), 1);
		t_assert_u64_eq(wp_queue_depth(line.q), capacity - 1);
		t_assert_int_eq(line_push(&line), 0);
	}
	t_assert_int_eq(line_push(&line), WP_EFULL);
	wp_queue_close(line.q);
	struct wp_job job = ledger_job(&line.ledger, 0, line.in);
	t_assert_int_eq(wp_queue_push(line.q, &job), WP_ECLOSED);
	t_assert_int_eq(wp_queue_try_push(line.q, &job), WP_ECLOSED);
	t_assert_int_eq(wp_queue_push_until(line.q, &job, WP_FOREVER), WP_ECLOSED);
	t_assert_u64_eq(wp_queue_push_many(line.q, &job, 1), 0);
	t_assert_u64_eq(wp_queue_try_push_many(line.q, &job, 1), 0);
	t_assert_u64_eq(wp_queue_depth(line.q), capacity);
	for (size_t i = 0; i < capacity; i++)
		t_assert_u64_eq(line_pop(&line, 1), 1);
	t_assert_u64_eq(line_pop(&line, 1), 0);
	wp_queue_close(line.q);
	t_assert_int_eq(wp_queue_try_push(line.q, &job), WP_ECLOSED);
	line_close(&line);
}

/* A thread remembers where it pushed last: it must be neither another lane nor one of the past. */
T_TEST(queue, lanes_in_turn_from_one_thread)
{
	static const uint32_t powers[] = { 1, 2, 4, 64, 1024 };
	struct line lines[COUNT(powers)];
	for (size_t i = 0; i < COUNT(powers); i++)
		line_open(&lines[i], 64, powers[i], 1000);
	for (unsigned round = 0; round < 1000; round++)
		for (size_t i = 0; i < COUNT(powers); i++) {
			t_assert_int_eq(line_push(&lines[i]), 0);
			/* The jobs of the first rounds stay behind until the end. */
			if (round >= 20)
				t_assert_u64_eq(line_pop(&lines[i], 1), 1);
		}
	for (size_t i = 0; i < COUNT(powers); i++) {
		t_assert_u64_eq(line_pop(&lines[i], 32), 20);
		line_close(&lines[i]);
	}
}

T_TEST(queue, lanes_one_after_the_other_from_one_thread)
{
	for (unsigned round = 0; round < 100; round++) {
		struct line line;
		line_open(&line, 64, 64, 10);
		for (unsigned i = 0; i < 10; i++)
			t_assert_int_eq(line_push(&line), 0);
		t_assert_u64_eq(line_pop(&line, 10), 10);
		line_close(&line);
	}
}

T_TEST(queue, holds_exactly_its_capacity)
{
	for (size_t c = 0; c < COUNT(capacities); c++)
		for (size_t s = 0; s < COUNT(sizes); s++)
			if (lane_lives_long_enough(sizes[s]))
				fill_to_the_job(capacities[c], sizes[s]);
}

/* Random pushes and pops, single and many, over many segments. */
static void wander(size_t capacity, uint32_t segment_size, uint64_t seed)
{
	uint64_t most = wp_max_u64(t_scaled(20000), 3 * (uint64_t)segment_size);
	struct wp__rng rng = { seed };
	struct line line;
	line_open(&line, capacity, segment_size, most);
	while (line.reader.count < most) {
		uint64_t draw = wp__rng_next(&rng), n = 1 + wp__rng_below(&rng, draw & 4 ? 3 : 300);
		uint64_t depth = line.in - line.reader.count, room = capacity - depth;
		if (draw & 1) {
			t_assert_u64_eq(line_pop(&line, n), wp_min_u64(n, depth));
		} else {
			struct wp_job jobs[300];
			n = wp_min_u64(n, most - line.in);
			for (uint64_t i = 0; i < n; i++)
				jobs[i] = ledger_job(&line.ledger, 0, line.in + i);
			uint64_t expected = wp_min_u64(n, room);
			if (n == 1 && (draw & 2))
				t_assert_int_eq(
					wp_queue_try_push(line.q, jobs), room ? 0 : WP_EFULL);
			else if (n <= room && (draw & 2))
				t_assert_u64_eq(wp_queue_push_many(line.q, jobs, n), n);
			else
				t_assert_u64_eq(wp_queue_try_push_many(line.q, jobs, n), expected);
			line.in += expected;
		}
		t_assert_u64_eq(wp_queue_depth(line.q), line.in - line.reader.count);
	}
	line_close(&line);
}

T_TEST(queue, is_first_in_first_out_over_many_segments)
{
	for (size_t c = 0; c < COUNT(capacities); c++)
		for (size_t s = 0; s < COUNT(sizes); s++)
			if (lane_lives_long_enough(sizes[s]))
				wander(capacities[c], sizes[s], c * 64 + s + 1);
	wander(100000, 1024, 4711);
}

T_TEST(queue, the_plain_push_goes_round_and_round)
{
	for (size_t s = 0; s < COUNT(sizes); s++) {
		if (!lane_lives_long_enough(sizes[s]))
			continue;
		struct line line;
		uint64_t most = t_scaled(100) * 600;
		line_open(&line, 1000, sizes[s], most);
		while (line.in < most) {
			for (unsigned i = 0; i < 600; i++, line.in++) {
				struct wp_job job = ledger_job(&line.ledger, 0, line.in);
				t_assert_int_eq(wp_queue_push(line.q, &job), 0);
			}
			while (line_pop(&line, 100))
				;
		}
		line_close(&line);
	}
}

T_TEST(queue, a_deadline_is_not_missed_and_not_early)
{
	struct line line;
	line_open(&line, 2, 2, 8);
	t_assert_int_eq(line_push(&line), 0);
	t_assert_int_eq(line_push(&line), 0);
	struct wp_job job = ledger_job(&line.ledger, 0, 2);
	for (uint64_t ms = 1; ms <= 40; ms *= 3) {
		uint64_t deadline = wp_after_ms(ms);
		t_assert_int_eq(wp_queue_push_until(line.q, &job, deadline), WP_ETIMEDOUT);
		t_assert(wp_now_ns() >= deadline);
	}
	t_assert_int_eq(wp_queue_push_until(line.q, &job, 0), WP_ETIMEDOUT);
	t_assert_int_eq(wp_queue_push_until(line.q, &job, 1), WP_ETIMEDOUT);
	t_assert_u64_eq(line_pop(&line, 1), 1);
	/* With room, a deadline of long ago is no reason to refuse. */
	t_assert_int_eq(wp_queue_push_until(line.q, &job, 1), 0);
	line.in++;
	t_assert_u64_eq(line_pop(&line, 8), 2);
	line_close(&line);
}

T_TEST(queue, null_arguments_do_nothing)
{
	struct wp_queue *q = lane_create(4, 4);
	struct wp_job job = { .fn = ledger_fn0 }, none = { 0 };
	struct wp_job mixed[3] = { job, none, job }, out[4];
	t_assert_int_eq(wp_queue_create(NULL, NULL), WP_EINVAL);
	t_assert_int_eq(wp_queue_push(NULL, &job), WP_EINVAL);
	t_assert_int_eq(wp_queue_push(q, NULL), WP_EINVAL);
	t_assert_int_eq(wp_queue_push(q, &none), WP_EINVAL);
	t_assert_int_eq(wp_queue_push_until(NULL, &job, 0), WP_EINVAL);
	t_assert_int_eq(wp_queue_push_until(q, NULL, 0), WP_EINVAL);
	t_assert_int_eq(wp_queue_push_until(q, &none, WP_FOREVER), WP_EINVAL);
	t_assert_int_eq(wp_queue_try_push(NULL, &job), WP_EINVAL);
	t_assert_int_eq(wp_queue_try_push(q, NULL), WP_EINVAL);
	t_assert_int_eq(wp_queue_try_push(q, &none), WP_EINVAL);
	t_assert_u64_eq(wp_queue_push_many(NULL, &job, 1), 0);
	t_assert_u64_eq(wp_queue_push_many(q, NULL, 1), 0);
	t_assert_u64_eq(wp_queue_push_many(q, mixed, 3), 0);
	t_assert_u64_eq(wp_queue_push_many(q, &job, 0), 0);
	t_assert_u64_eq(wp_queue_try_push_many(NULL, &job, 1), 0);
	t_assert_u64_eq(wp_queue_try_push_many(q, NULL, 1), 0);
	t_assert_u64_eq(wp_queue_try_push_many(q, mixed, 3), 0);
	t_assert_u64_eq(wp_queue_try_push_many(q, &job, 0), 0);
	t_assert_u64_eq(wp_queue_pop_many(NULL, out, 4), 0);
	t_assert_u64_eq(wp_queue_pop_many(q, NULL, 4), 0);
	t_assert_u64_eq(wp_queue_depth(q), 0);
	t_assert_u64_eq(wp_queue_depth(NULL), 0);
	t_assert_int_eq(wp_queue_push(q, &job), 0);
	t_assert_u64_eq(wp_queue_pop_many(q, out, 0), 0);
	t_assert_u64_eq(wp_queue_depth(q), 1);
	wp_queue_close(NULL);
	wp_queue_destroy(NULL);
	wp_queue_destroy(q); /* with a job inside */
}

/* ---- creation ---- */

static void refuses(struct wp_queue_options o, int error)
{
	struct wp_queue *q = (struct wp_queue *)(void *)&o;
	errno = 4711;
	t_assert_int_eq(wp_queue_create(&q, &o), error);
	t_assert(q == NULL);
	t_assert_int_eq(errno, 4711);
}

static void accepts(struct wp_queue_options o)
{
	struct wp_queue *q;
	struct wp_job job = { .fn = ledger_fn0 }, out;
	t_assert_int_eq(wp_queue_create(&q, &o), 0);
	t_assert_int_eq(wp_queue_try_push(q, &job), 0);
	t_assert_u64_eq(wp_queue_pop_many(q, &out, 1), 1);
	wp_queue_destroy(q);
}

#define OPTIONS(...)                                                 \
	(struct wp_queue_options)                                    \
	{                                                            \
		.size = sizeof(struct wp_queue_options), __VA_ARGS__ \
	}

T_TEST(queue, options_have_ranges)
{
	refuses((struct wp_queue_options){ 0 }, WP_EINVAL);
	refuses((struct wp_queue_options){ .size = sizeof(struct wp_queue_options) - 1 },
		WP_EINVAL);
	refuses((struct wp_queue_options){ .size = sizeof(struct wp_queue_options) + 8 },
		WP_EINVAL);
	refuses(OPTIONS(.capacity = WP_CAPACITY_MAX + 1), WP_EINVAL);
	refuses(OPTIONS(.capacity = SIZE_MAX), WP_EINVAL);
	refuses(OPTIONS(.segment_size = WP_SEGMENT_SIZE_MAX + 1), WP_EINVAL);
	refuses(OPTIONS(.segment_size = UINT32_MAX), WP_EINVAL);
	refuses(OPTIONS(.segment_count = UINT32_MAX), WP_EINVAL);
	/* Each in its range, together too many segments. */
	refuses(OPTIONS(.capacity = WP_CAPACITY_MAX, .segment_size = 1), WP_EINVAL);
	refuses(OPTIONS(.capacity = WP_CAPACITY_MAX, .segment_size = 1024), WP_EINVAL);
	accepts(OPTIONS(.capacity = 0));
	accepts(OPTIONS(.capacity = 1, .segment_size = 1, .segment_count = 1));
	accepts(OPTIONS(.capacity = 1, .segment_size = WP_SEGMENT_SIZE_MAX));
	accepts(OPTIONS(.capacity = 1u << 20, .segment_size = 1));
}

T_TEST(queue, the_largest_queue_can_be_had)
{
	struct wp_queue *q;
	struct wp_queue_options o = OPTIONS(.capacity = WP_CAPACITY_MAX, .segment_size = 65536);
	int error = wp_queue_create(&q, &o);
	if (error == WP_ENOMEM) {
		t_skip("the system grants no such reservation");
		return;
	}
	t_assert_int_eq(error, 0);
	wp_queue_destroy(q);
}

T_TEST(queue, defaults_are_as_documented)
{
	struct wp_queue *q;
	struct wp_queue_memory m;
	struct wp_job job = { .fn = ledger_fn0 };
	t_assert_int_eq(wp_queue_create(&q, NULL), 0);
	wp_queue_memory(q, &m);
	t_assert_u64_eq(m.segments_touched, 0);
	t_assert(m.segment_bytes >= 1024 * sizeof(job));
	t_assert(m.segment_bytes < 1100 * sizeof(job));
	for (unsigned i = 0; i < 65536; i++)
		t_assert_int_eq(wp_queue_try_push(q, &job), 0);
	t_assert_int_eq(wp_queue_try_push(q, &job), WP_EFULL);
	wp_queue_destroy(q);
}

/* Under the leak checker: nothing is left behind, whichever call fails. */
T_TEST(queue, creation_fails_cleanly_at_each_call)
{
	wp__fault_reset_counts();
	accepts(OPTIONS(.segment_count = 3));
	uint64_t calls = wp__fault_calls(WP_FAULT_ANY);
	t_assert(calls >= 3); /* the queue, the directory, the segments */
	unsigned refused = 0;
	for (uint64_t nth = 1; nth <= calls; nth++) {
		struct wp_queue_options o = OPTIONS(.segment_count = 3);
		struct wp_queue *q = (struct wp_queue *)(void *)&o;
		wp__fault_arm(WP_FAULT_ANY, nth, false, ENOMEM);
		int error = wp_queue_create(&q, &o);
		wp__fault_disarm();
		if (error) {
			t_assert_int_eq(error, WP_ENOMEM);
			t_assert(q == NULL);
			refused++;
		} else {
			wp_queue_destroy(q);
		}
	}
	t_assert_u64_eq(refused, 3);
}

static size_t address_space(void)
{
	char text[128];
	t_assert(wp__os_read_file("/proc/self/statm", text, sizeof(text)) > 0);
	return strtoul(text, NULL, 10);
}

T_TEST(queue, failed_creations_leave_no_address_space)
{
	if (T_SANITIZED) {
		t_skip("a sanitizer keeps freed memory for a while");
		return;
	}
	static const enum wp_fault_site sites[] = { WP_FAULT_ALLOC, WP_FAULT_RESERVE };
	size_t before = address_space();
	for (unsigned round = 0; round < 2000; round++) {
		struct wp_queue_options o = OPTIONS(.capacity = 1u << 20);
		struct wp_queue *q;
		wp__fault_arm(sites[round % 2], 1 + round / 2 % (round % 2 ? 1 : 2), false, ENOMEM);
		t_assert_int_eq(wp_queue_create(&q, &o), WP_ENOMEM);
		wp__fault_disarm();
		accepts(o);
	}
	/* One reservation of a lane of this size is 40 MiB: 10,000 pages. Valgrind takes 5,000. */
	t_assert(address_space() < before + (t_memcheck() ? 9000 : 1000));
}

/* ---- several queues in turn, of one thread that remembers where it pushed last ---- */

#define QUEUES 3u

static struct turn {
	struct wp_queue *q;
	uint64_t capacity, pushed, popped;
} turns[QUEUES];

static int in_turn(void *payload)
{
	(void)payload;
	return 0;
}

static void renew(struct turn *t, struct wp__rng *rng)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	wp_queue_destroy(t->q); /* the next one may be where it was */
	do
		o.segment_size = sizes[wp__rng_below(rng, COUNT(sizes))];
	while (!lane_lives_long_enough(o.segment_size));
	o.capacity = 1 + wp__rng_below(rng, 130);
	*t = (struct turn){ .capacity = o.capacity };
	t_assert_int_eq(wp_queue_create(&t->q, &o), 0);
}

/* Payloads name the queue and the job, so whatever comes out elsewhere or twice is found. */
static struct wp_job job_of(const struct turn *t, uint64_t number)
{
	return (struct wp_job){ .fn = in_turn,
		.payload = (void *)(number << 2 | (size_t)(t - turns)) };
}

static void push_in_turn(struct turn *t, uint64_t n, bool many)
{
	struct wp_job jobs[200];
	n = n < t->capacity - (t->pushed - t->popped) ? n : t->capacity - (t->pushed - t->popped);
	for (uint64_t i = 0; i < n; i++)
		jobs[i] = job_of(t, t->pushed + i);
	for (uint64_t i = 0; i < n && !many; i++)
		t_assert_int_eq(wp_queue_push(t->q, &jobs[i]), 0);
	if (n && many)
		t_assert_u64_eq(wp_queue_push_many(t->q, jobs, n), n);
	t->pushed += n;
	t_assert_u64_eq(wp_queue_depth(t->q), t->pushed - t->popped);
	if (t->pushed - t->popped == t->capacity)
		t_assert_int_eq(
			wp_queue_try_push(t->q, &(struct wp_job){ .fn = in_turn }), WP_EFULL);
}

static void pop_in_turn(struct turn *t, uint64_t n)
{
	struct wp_job out[200];
	uint64_t inside = t->pushed - t->popped, got = wp_queue_pop_many(t->q, out, n);
	t_assert_u64_eq(got, n < inside ? n : inside);
	for (uint64_t i = 0; i < got; i++)
		t_assert(out[i].payload == job_of(t, t->popped + i).payload);
	t->popped += got;
}

T_TEST(queue, several_in_turn)
{
	struct wp__rng rng = { 1 };
	for (unsigned i = 0; i < QUEUES; i++)
		renew(&turns[i], &rng);
	for (unsigned i = 0; i < t_scaled(100000); i++) {
		struct turn *t = &turns[wp__rng_below(&rng, QUEUES)];
		uint64_t n = wp__rng_below(&rng, wp__rng_below(&rng, 16) ? 4 : 200);
		if (wp__rng_below(&rng, 500) == 0)
			renew(t, &rng);
		else if (wp__rng_below(&rng, 2))
			pop_in_turn(t, n);
		else
			push_in_turn(t, n, wp__rng_below(&rng, 4) == 0);
	}
	for (unsigned i = 0; i < QUEUES; i++) {
		pop_in_turn(&turns[i], 200);
		wp_queue_destroy(turns[i].q);
		turns[i].q = NULL;
	}
}
