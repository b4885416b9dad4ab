/* SPDX-License-Identifier: MIT */
/* What the kernel counts about threads and CPUs, from /proc. */
#ifndef BENCH_PROCFS_H
#define BENCH_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sums over the threads of this process other than the calling one. */
struct procfs_threads {
	unsigned threads;
	uint64_t cpu_ns;   /* time on a CPU */
	uint64_t switches; /* context switches, voluntary and not */
};

/* Whether it could be read. */
bool procfs_other_threads(struct procfs_threads *sum);

/* CPU time of the machine since it started, in seconds, over all CPUs. */
struct procfs_machine {
	double busy;   /* by processes, this one included, and by the kernel */
	double stolen; /* taken by the host of a virtual machine */
};

bool procfs_machine(struct procfs_machine *m);

/*
 * Watches for `ns` nanoseconds who else uses the CPU: returns how many CPUs' worth of time other
 * processes took, and fills text with the busiest ("cc1 0.9, python3 0.4"). Negative: unknown.
 */
double procfs_others(uint64_t ns, char *text, size_t size);

/* Reads the first line of a file without its line end; false and "" when there is none. */
bool procfs_line(const char *path, char *line, size_t size);

#endif
