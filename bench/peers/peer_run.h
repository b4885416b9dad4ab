/* SPDX-License-Identifier: MIT */
/* Runs one adapter once: see peer.h for what is timed. */
#ifndef BENCH_PEERS_PEER_RUN_H
#define BENCH_PEERS_PEER_RUN_H

#include "peer.h"

/* The ids up to this one warm up; the measured jobs follow. */
uint64_t peer_warm_jobs(uint64_t jobs);

/* `c->jobs` is the measured jobs alone. Ends the program if a job was lost or run twice. */
void peer_run_queue(
	const struct peer_queue *queue, const struct peer_case *c, struct bench_sample *sample);
void peer_run_pool(
	const struct peer_pool *pool, const struct peer_case *c, struct bench_sample *sample);

/*
 * A run begins; how many jobs have run since; the check that these were 1 .. jobs, once each, when
 * the threads that ran them have ended or what they wrote has become visible in another way.
 */
void peer_tally_begin(void);
uint64_t peer_tally_count(void);
void peer_tally_check(const char *name, uint64_t jobs);

#endif
