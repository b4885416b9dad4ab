/* SPDX-License-Identifier: MIT */
/*
 * What the explorer's tests of the segmented queue share: one queue, numbered jobs, and the checks
 * that hold for every claim. Call the functions from the bodies, from setup and from check.
 *
 * A job's payload is its place in lab_taken_by, which whoever claims it writes as plain memory: so
 * a job that comes out twice fails, and one that was not handed over in order is a data race.
 */
#ifndef WP_TESTS_EXPLORE_QUEUE_LAB_H
#define WP_TESTS_EXPLORE_QUEUE_LAB_H

#include "base/atomic.h"
#include "explore.h"
#include "queue/segqueue.h"

#define LAB_JOBS 16u

extern struct wp__segqueue lab_queue;
/* 1 + the thread that took the job of a number; 0 nobody. */
extern uint32_t lab_taken_by[LAB_JOBS];
extern wp_atomic_u32 lab_accepted, lab_consumed;

void lab_make(uint64_t capacity, uint32_t segment_size);
void lab_make_with(const struct wp__segqueue_options *options);

struct wp_job lab_job(uint32_t number);

/* Count what was accepted; the result of the push. */
int lab_push(uint32_t number);
int lab_push_until(uint32_t number, uint64_t deadline);
/* Jobs number .. number + n - 1, as many as there is room for; how many. */
size_t lab_push_some(uint32_t number, size_t n);

/* A push that must succeed; one that may find the queue closed. */
void lab_must_push(uint32_t number);
void lab_push_or_closed(uint32_t number);
/* n jobs side by side; waits for room in a loop. */
void lab_must_push_many(uint32_t number, size_t n);

/* Claims once; how many. The jobs are checked and counted. */
uint32_t lab_claim_share(uint32_t max, uint32_t share, uint64_t wake_room);
uint32_t lab_claim(uint32_t max);
/* Until n jobs were consumed by all together. */
void lab_claim_until(uint32_t n, uint32_t max);
/* Until the queue is closed and all that was promised is consumed. */
void lab_claim_until_closed(uint32_t max);
void lab_close(void);

/* Alone, at the end: claims what is left and ends the queue; every promise was kept. */
void lab_drain_and_end(void);
/* Alone, at the end: exactly the jobs 0 .. n-1 were taken; ends the queue. */
void lab_all_taken(uint32_t n);

#endif
