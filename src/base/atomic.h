/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations with the memory order in their name.
 *
 * The types are structs, so that a bare assignment (silently sequentially consistent) does not
 * compile. An operation that is not relaxed carries a label at its use, as in
 *
 *     wp_store_rel_u64(&entry, e);  // [D2] rel: ... pairs with [D1]   (in C comments)
 *
 * and docs/memory-model.md lists each label with its partner. Sequential consistency exists only as
 * wp_fence_sc, for store-load handshakes; a fence never publishes data, because ThreadSanitizer
 * does not see fences.
 *
 * Order names: rlx relaxed, acq acquire, rel release, ar acquire and release.
 */
#ifndef WP_BASE_ATOMIC_H
#define WP_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WP_ATOMIC_TYPE(name, type)   \
	typedef struct {             \
		_Atomic(type) value; \
	} wp_atomic_##name

#define WP_ATOMIC_LOAD(name, type, order, c11)                                                \
	static inline type wp_load_##order##_##name(const wp_atomic_##name *a)                \
	{                                                                                     \
		return atomic_load_explicit(&((wp_atomic_##name *)(uintptr_t)a)->value, c11); \
	}

#define WP_ATOMIC_STORE(name, type, order, c11)                                   \
	static inline void wp_store_##order##_##name(wp_atomic_##name *a, type v) \
	{                                                                         \
		atomic_store_explicit(&a->value, v, c11);                         \
	}

/* A read-modify-write that returns the value before it. */
#define WP_ATOMIC_RMW(op, call, name, type, order, c11)                            \
	static inline type wp_##op##_##order##_##name(wp_atomic_##name *a, type v) \
	{                                                                          \
		return call(&a->value, v, c11);                                    \
	}

#define WP_ATOMIC_RMW_ORDERS(op, call, name, type)                     \
	WP_ATOMIC_RMW(op, call, name, type, rlx, memory_order_relaxed) \
	WP_ATOMIC_RMW(op, call, name, type, acq, memory_order_acquire) \
	WP_ATOMIC_RMW(op, call, name, type, rel, memory_order_release) \
	WP_ATOMIC_RMW(op, call, name, type, ar, memory_order_acq_rel)

/*
 * Compare and swap: stores `desired` if the value is *expected and says whether it did; else
 * *expected becomes the value found. A failure is relaxed. The weak form may fail for no reason.
 */
#define WP_ATOMIC_CAS(strength, name, type, order, c11)                           \
	static inline bool wp_cas_##strength##_##order##_##name(                  \
		wp_atomic_##name *a, type *expected, type desired)                \
	{                                                                         \
		return atomic_compare_exchange_##strength##_explicit(             \
			&a->value, expected, desired, c11, memory_order_relaxed); \
	}

#define WP_ATOMIC_CAS_ORDERS(strength, name, type)                     \
	WP_ATOMIC_CAS(strength, name, type, rlx, memory_order_relaxed) \
	WP_ATOMIC_CAS(strength, name, type, acq, memory_order_acquire) \
	WP_ATOMIC_CAS(strength, name, type, rel, memory_order_release) \
	WP_ATOMIC_CAS(strength, name, type, ar, memory_order_acq_rel)

#define WP_ATOMIC_BASICS(name, type)                                     \
	WP_ATOMIC_TYPE(name, type);                                      \
	WP_ATOMIC_LOAD(name, type, rlx, memory_order_relaxed)            \
	WP_ATOMIC_LOAD(name, type, acq, memory_order_acquire)            \
	WP_ATOMIC_STORE(name, type, rlx, memory_order_relaxed)           \
	WP_ATOMIC_STORE(name, type, rel, memory_order_release)           \
	WP_ATOMIC_RMW_ORDERS(swap, atomic_exchange_explicit, name, type) \
	WP_ATOMIC_CAS_ORDERS(weak, name, type)                           \
	WP_ATOMIC_CAS_ORDERS(strong, name, type)

#define WP_ATOMIC_INTEGER(name, type)                                    \
	WP_ATOMIC_BASICS(name, type)                                     \
	WP_ATOMIC_RMW_ORDERS(add, atomic_fetch_add_explicit, name, type) \
	WP_ATOMIC_RMW_ORDERS(sub, atomic_fetch_sub_explicit, name, type) \
	WP_ATOMIC_RMW_ORDERS(or, atomic_fetch_or_explicit, name, type)   \
	WP_ATOMIC_RMW_ORDERS(and, atomic_fetch_and_explicit, name, type)

WP_ATOMIC_INTEGER(u64, uint64_t)
WP_ATOMIC_INTEGER(u32, uint32_t)
WP_ATOMIC_BASICS(ptr, void *)

WP_ATOMIC_TYPE(u8, uint8_t);
WP_ATOMIC_LOAD(u8, uint8_t, rlx, memory_order_relaxed)
WP_ATOMIC_LOAD(u8, uint8_t, acq, memory_order_acquire)
WP_ATOMIC_STORE(u8, uint8_t, rlx, memory_order_relaxed)
WP_ATOMIC_STORE(u8, uint8_t, rel, memory_order_release)

/*
 * Eight neighbouring bytes at once, byte i in bits 8i .. 8i + 7; the first is aligned to 8. C11 has
 * no atomic access that covers others. The processors do: they perform an aligned access of 8 bytes
 * in one piece, and order it like any other (Intel SDM volume 3, 9.1.1 and 9.2; Arm ARM, B2.2). So
 * it is left out where accesses are followed by C11's rules: under ThreadSanitizer and in the
 * explorer, which compiles like it.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WP_EIGHT_AT_ONCE 0
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WP_EIGHT_AT_ONCE 0
#elif !defined(WP_EIGHT_AT_ONCE)
#define WP_EIGHT_AT_ONCE 1
#endif

#if WP_EIGHT_AT_ONCE
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte 0 is in the low bits");
typedef uint64_t __attribute__((may_alias)) wp_eight_u8;

static inline uint64_t wp_load_acq_eight_u8(const wp_atomic_u8 *first)
{
	return __atomic_load_n((const wp_eight_u8 *)(const void *)first, __ATOMIC_ACQUIRE);
}

static inline void wp_store_rel_eight_u8(wp_atomic_u8 *first, uint64_t v)
{
	__atomic_store_n((wp_eight_u8 *)(void *)first, v, __ATOMIC_RELEASE);
}
#endif

/*
 * The full barrier of a store-load handshake: what this thread wrote before it is visible to
 * whoever passes such a fence later, or this thread sees after it what the other wrote before its
 * own. It orders flags; it never publishes data.
 */
static inline void wp_fence_sc(void)
{
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wtsan"
#endif
	atomic_thread_fence(memory_order_seq_cst);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

/* Keeps the compiler, not the processor, from moving memory accesses across it. */
static inline void wp_fence_compiler(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

#ifdef WP_EXPLORE
void explore_spin_hint(void);
#endif

/* Tells the processor, or the explorer (tests/explore), that this is a waiting loop. */
static inline void wp_spin_hint(void)
{
#if defined(WP_EXPLORE)
	explore_spin_hint();
#elif defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

#endif
