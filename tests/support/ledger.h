/* SPDX-License-Identifier: MIT */
/*
 * Ledger: shows that every job came out exactly once, whole, and in its producer's order.
 *
 * Job `seq` of a producer has an id; its function, payload and cleanup are derived from the id, so
 * that a mixture of two jobs is noticed. Each consumer has a reader of its own with private memory:
 * keeping the books makes no thread wait for another and hides no race. After the threads have
 * ended, the readers are posted to the ledger and the ledger is closed.
 */
#ifndef WP_TESTS_LEDGER_H
#define WP_TESTS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <wpool/job.h>

#include "t.h"

struct ledger {
	unsigned producers;
	uint64_t each; /* jobs per producer, at most */
	uint64_t *seen;
};

struct ledger_reader {
	const struct ledger *ledger;
	bool alone;     /* the only consumer: sees each producer's jobs without a gap */
	uint64_t *next; /* per producer: the smallest seq that may come */
	uint64_t *seen;
	uint64_t count;
};

static inline int ledger_fn0(void *payload)
{
	return payload == NULL;
}

static inline int ledger_fn1(void *payload)
{
	return payload != NULL;
}

static inline void ledger_cleanup(void *payload)
{
	(void)payload;
}

static inline uint64_t ledger_words(const struct ledger *ledger)
{
	return (ledger->producers * ledger->each + 63) / 64;
}

static inline uint64_t *ledger_zeros(uint64_t n)
{
	uint64_t *zeros = (uint64_t *)calloc(n ? n : 1, sizeof(uint64_t));
	t_assert(zeros != NULL);
	return zeros;
}

static inline void ledger_open(struct ledger *ledger, unsigned producers, uint64_t each)
{
	ledger->producers = producers;
	ledger->each = each;
	ledger->seen = ledger_zeros(ledger_words(ledger));
}

static inline struct wp_job ledger_job(const struct ledger *ledger, unsigned producer, uint64_t seq)
{
	uint64_t id = producer * ledger->each + seq;
	return (struct wp_job){
		.fn = id % 2 ? ledger_fn1 : ledger_fn0,
		.payload = (void *)(uintptr_t)(id + 1),
		.cleanup = id % 3 ? ledger_cleanup : NULL,
	};
}

static inline void ledger_reader_open(
	struct ledger_reader *reader, const struct ledger *ledger, bool alone)
{
	*reader = (struct ledger_reader){
		.ledger = ledger,
		.alone = alone,
		.next = ledger_zeros(ledger->producers),
		.seen = ledger_zeros(ledger_words(ledger)),
	};
}

/* This consumer got this job. */
static inline void ledger_take(struct ledger_reader *reader, const struct wp_job *job)
{
	const struct ledger *ledger = reader->ledger;
	uint64_t id = (uint64_t)(uintptr_t)job->payload - 1;
	t_assert_msg(id < ledger->producers * ledger->each, "not a job: %p", job->payload);
	unsigned producer = (unsigned)(id / ledger->each);
	uint64_t seq = id % ledger->each, expected = reader->next[producer];
	struct wp_job whole = ledger_job(ledger, producer, seq);
	t_assert_msg(job->fn == whole.fn && job->cleanup == whole.cleanup && !job->ctx,
		"job %llu of producer %u is torn", (unsigned long long)seq, producer);
	t_assert_msg(seq >= expected && (seq == expected || !reader->alone),
		"producer %u: job %llu came where %llu was next", producer, (unsigned long long)seq,
		(unsigned long long)expected);
	reader->next[producer] = seq + 1;
	reader->seen[id / 64] |= UINT64_C(1) << id % 64;
	reader->count++;
}

static inline void ledger_take_many(
	struct ledger_reader *reader, const struct wp_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ledger_take(reader, &jobs[i]);
}

/* Posts the reader to the ledger and frees it: nobody else may have seen its jobs. */
static inline void ledger_post(struct ledger *ledger, struct ledger_reader *reader)
{
	for (uint64_t i = 0; i < ledger_words(ledger); i++) {
		t_assert_msg(!(ledger->seen[i] & reader->seen[i]), "a job came out twice");
		ledger->seen[i] |= reader->seen[i];
	}
	free(reader->next);
	free(reader->seen);
}

/* Exactly the first `accepted` jobs of the producer came out. */
static inline void ledger_expect(const struct ledger *ledger, unsigned producer, uint64_t accepted)
{
	for (uint64_t seq = 0; seq < ledger->each; seq++) {
		uint64_t id = producer * ledger->each + seq;
		bool seen = ledger->seen[id / 64] >> id % 64 & 1;
		t_assert_msg(seen == (seq < accepted), "producer %u, job %llu of %llu accepted: %s",
			producer, (unsigned long long)seq, (unsigned long long)accepted,
			seen ? "came out" : "lost");
	}
}

static inline void ledger_close(struct ledger *ledger)
{
	free(ledger->seen);
	ledger->seen = NULL;
}

#endif
