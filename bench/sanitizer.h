/* SPDX-License-Identifier: MIT */
/*
 * BENCH_SANITIZED: whether this is compiled with a sanitizer that puts itself between the program
 * and its heap or its signals. Then heap calls and system calls are not ours to count.
 */
#ifndef BENCH_SANITIZER_H
#define BENCH_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BENCH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define BENCH_SANITIZED 1
#endif
#endif
#ifndef BENCH_SANITIZED
#define BENCH_SANITIZED 0
#endif

#endif
