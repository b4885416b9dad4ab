/* SPDX-License-Identifier: MIT */
/*
 * Exact count of the system calls of the calling thread, whoever makes them and however.
 *
 * The kernel itself hands each one to us: syscall user dispatch (PR_SET_SYSCALL_USER_DISPATCH,
 * Linux 5.11, x86-64) turns a system call from anywhere but one small piece of code into a
 * SIGSYS before it is made. The handler counts it and makes it from that piece of code. So
 * nothing is estimated, and no call can hide in a library; a call takes some microseconds
 * longer. The vDSO's functions (reading the clock) and page faults are no system calls.
 *
 * One thread at a time. Where it cannot be had (another CPU, an older kernel, a sanitizer that
 * watches signals) syscalls_available says so.
 */
#ifndef BENCH_SYSCALLS_H
#define BENCH_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether it works here, found out by counting three calls. */
bool syscalls_available(void);

/* Between the two, on the same thread, every system call is counted. */
void syscalls_begin(void);
uint64_t syscalls_end(void);

#endif
