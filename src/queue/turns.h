/* SPDX-License-Identifier: MIT */
/*
 * Turns: producers that push single jobs into one shared lane at the same moment take turns.
 *
 * While two of them push, tail's line and those of neighbouring slots and marks travel between them
 * for every job, and each fetch-add waits for them; a producer by itself has them all at hand. So
 * one that finds others' tickets between two of its own, a moment apart, yields its CPU, once its
 * job is published. The others push at full speed meanwhile; and where there are more threads than
 * CPUs a worker may get on with what has come, which is what everybody waits for next. Where nobody
 * else wants the CPU the yield is a pause of some hundred nanoseconds.
 *
 * How it is noticed. Every now and then a push that goes the careful way anyway leaves no easy
 * tickets behind (place.h), so that the next one goes it, too, and can look whether it got the
 * ticket behind the last. Producers that push now and then find others' tickets as well, but they
 * have nothing to gain: the two pushes must lie close together in time.
 *
 * What it must not cost. The scheduler owes nothing to a thread that yields: beside one that only
 * computes it might wait for a whole time slice, each time. So after a long yield it does not yield
 * again for as long.
 *
 * Nothing here is needed for anything to be right. Any thread; each has its own memory of it.
 */
#ifndef WP_QUEUE_TURNS_H
#define WP_QUEUE_TURNS_H

#include "queue/place.h"

/* The calling thread has published the job at `position`, of the place's block. */
void wp__turns_look(struct wp__place *place, uint64_t position);

#endif
