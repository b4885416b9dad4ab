/* SPDX-License-Identifier: MIT */
/* The calls that -fsanitize=thread compiles into the code under test. */
#include <stdlib.h>
#include <string.h>

#include "rt.h"

#define HERE    __builtin_return_address(0)
#define ADDR(p) ((uintptr_t)(p))

/* No header declares them: the compiler knows them by name. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-declarations"

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

static inline void watch(uintptr_t addr, size_t size, enum access how)
{
	if (rt->watch)
		rt->watch(addr, size, how);
}

static void plain(uintptr_t addr, size_t size, bool write, const void *pc)
{
	rt_plain(addr, size, write, pc);
	watch(addr, size, write ? ACCESS_WRITE : ACCESS_READ);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

void __tsan_ignore_thread_begin(void)
{
}

void __tsan_ignore_thread_end(void)
{
}

#define PLAIN(name, size, write)                   \
	void __tsan_##name(void *p);               \
	void __tsan_##name(void *p)                \
	{                                          \
		plain(ADDR(p), size, write, HERE); \
	}

PLAIN(read1, 1, false)
PLAIN(read2, 2, false)
PLAIN(read4, 4, false)
PLAIN(read8, 8, false)
PLAIN(read16, 16, false)
PLAIN(write1, 1, true)
PLAIN(write2, 2, true)
PLAIN(write4, 4, true)
PLAIN(write8, 8, true)
PLAIN(write16, 16, true)
PLAIN(unaligned_read2, 2, false)
PLAIN(unaligned_read4, 4, false)
PLAIN(unaligned_read8, 8, false)
PLAIN(unaligned_read16, 16, false)
PLAIN(unaligned_write2, 2, true)
PLAIN(unaligned_write4, 4, true)
PLAIN(unaligned_write8, 8, true)
PLAIN(unaligned_write16, 16, true)
PLAIN(volatile_read1, 1, false)
PLAIN(volatile_read2, 2, false)
PLAIN(volatile_read4, 4, false)
PLAIN(volatile_read8, 8, false)
PLAIN(volatile_write1, 1, true)
PLAIN(volatile_write2, 2, true)
PLAIN(volatile_write4, 4, true)
PLAIN(volatile_write8, 8, true)

#define RANGE(name, write)                               \
	void __tsan_##name(void *p, unsigned long size); \
	void __tsan_##name(void *p, unsigned long size)  \
	{                                                \
		plain(ADDR(p), size, write, HERE);       \
	}

RANGE(read_range, false)
RANGE(write_range, true)

#define RMW(name, op, bits)                                                                        \
	uint##bits##_t __tsan_atomic##bits##_##name(                                               \
		volatile void *p, uint##bits##_t v, int order);                                    \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile void *p, uint##bits##_t v, int order) \
	{                                                                                          \
		uint64_t was = rt_rmw(op, ADDR(p), bits / 8, v, order, HERE);                      \
		watch(ADDR(p), bits / 8, ACCESS_RMW);                                              \
		return (uint##bits##_t)was;                                                        \
	}

#define CAS(name, bits, weak)                                                                      \
	int __tsan_atomic##bits##_compare_exchange_##name(                                         \
		volatile void *p, void *expected, uint##bits##_t desired, int order, int failure); \
	int __tsan_atomic##bits##_compare_exchange_##name(                                         \
		volatile void *p, void *expected, uint##bits##_t desired, int order, int failure)  \
	{                                                                                          \
		uint##bits##_t *e = expected;                                                      \
		uint64_t value = *e;                                                               \
		bool done =                                                                        \
			rt_cas(ADDR(p), bits / 8, &value, desired, order, failure, weak, HERE);    \
		watch(ADDR(p), bits / 8, ACCESS_RMW);                                              \
		if (!done)                                                                         \
			*e = (uint##bits##_t)value;                                                \
		return done;                                                                       \
	}

#define ATOMICS(bits)                                                                     \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile void *p, int order);     \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile void *p, int order)      \
	{                                                                                 \
		uint64_t v = rt_load(ADDR(p), bits / 8, order, HERE);                     \
		watch(ADDR(p), bits / 8, ACCESS_READ);                                    \
		return (uint##bits##_t)v;                                                 \
	}                                                                                 \
	void __tsan_atomic##bits##_store(volatile void *p, uint##bits##_t v, int order);  \
	void __tsan_atomic##bits##_store(volatile void *p, uint##bits##_t v, int order)   \
	{                                                                                 \
		rt_store(ADDR(p), bits / 8, v, order, HERE);                              \
		watch(ADDR(p), bits / 8, ACCESS_WRITE);                                   \
	}                                                                                 \
	RMW(exchange, RMW_SWAP, bits)                                                     \
	RMW(fetch_add, RMW_ADD, bits)                                                     \
	RMW(fetch_sub, RMW_SUB, bits)                                                     \
	RMW(fetch_and, RMW_AND, bits)                                                     \
	RMW(fetch_or, RMW_OR, bits)                                                       \
	RMW(fetch_xor, RMW_XOR, bits)                                                     \
	RMW(fetch_nand, RMW_NAND, bits)                                                   \
	CAS(weak, bits, true)                                                             \
	CAS(strong, bits, false)                                                          \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile void *p,       \
		uint##bits##_t expected, uint##bits##_t desired, int order, int failure); \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile void *p,       \
		uint##bits##_t expected, uint##bits##_t desired, int order, int failure)  \
	{                                                                                 \
		uint64_t value = expected;                                                \
		rt_cas(ADDR(p), bits / 8, &value, desired, order, failure, false, HERE);  \
		watch(ADDR(p), bits / 8, ACCESS_RMW);                                     \
		return (uint##bits##_t)value;                                             \
	}

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

/* clang's weak compare-and-swap; see intercept.h. */
bool __tsan_atomic_weak_cas(volatile void *at, void *expected, unsigned long desired, unsigned size,
	int order, int failure);
bool __tsan_atomic_weak_cas(volatile void *at, void *expected, unsigned long desired, unsigned size,
	int order, int failure)
{
	uint64_t value = 0;
	memcpy(&value, expected, size); /* the machines wpool runs on are little-endian */
	bool done = rt_cas(ADDR(at), size, &value, desired, order, failure, true, HERE);
	watch(ADDR(at), size, ACCESS_RMW);
	if (!done)
		memcpy(expected, &value, size);
	return done;
}

void __tsan_atomic_thread_fence(int order)
{
	rt_fence(order, HERE);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* The C library's, as the objects under test see them; see intercept.h. */
void *explore_memcpy(void *to, const void *from, size_t n);
void *explore_memmove(void *to, const void *from, size_t n);
void *explore_memset(void *to, int c, size_t n);

void *explore_memcpy(void *to, const void *from, size_t n)
{
	plain(ADDR(from), n, false, HERE);
	plain(ADDR(to), n, true, HERE);
	return memcpy(to, from, n);
}

void *explore_memmove(void *to, const void *from, size_t n)
{
	plain(ADDR(from), n, false, HERE);
	plain(ADDR(to), n, true, HERE);
	return memmove(to, from, n);
}

void *explore_memset(void *to, int c, size_t n)
{
	plain(ADDR(to), n, true, HERE);
	return memset(to, c, n);
}
