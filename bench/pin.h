/* SPDX-License-Identifier: MIT */
/*
 * Where threads run when --pin is given: consumers (and the workers of a pool) on the first CPUs of
 * the library's own order, wp_pin_order, producers on the ones that follow; both wrap around.
 */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <stdbool.h>

/* CPUs that this process may run on; at least 1. */
unsigned pin_cpus(void);

/* The CPU at this place in the order, counted round and round. */
int pin_cpu(unsigned place);

/* Binds the calling thread; a refusal is ignored, for the kernel may have taken the CPU away. */
void pin_thread(int cpu);

/* pin_cpu(place) where pinning is wanted, else -1. */
int pin_cpu_if(bool wanted, unsigned place);

#endif
