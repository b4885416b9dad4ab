/* SPDX-License-Identifier: MIT */
/* Signals: SIGINT sets what bench_interrupted() tells; a second one ends the program at once. */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

void interrupt_install(void);

#endif
