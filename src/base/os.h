/* SPDX-License-Identifier: MIT */
/*
 * The only door to the kernel: nobody else makes system calls or includes <pthread.h>.
 *
 * Functions that can fail return 0 or a negative errno, leave errno as it was, and have a fault
 * point (base/hooks.h). Sizes are bytes, times nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef WP_BASE_OS_H
#define WP_BASE_OS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <time.h>
#endif

#include "base/atomic.h"

/* ---- waiting ---- */

/*
 * Sleeps while *word is `expected`, until a wake, the deadline (UINT64_MAX: none; in the past: at
 * once) or a signal. -ETIMEDOUT when the deadline has passed by the clock, whatever ended the
 * sleep; else 0, which promises nothing: look again.
 */
int wp__os_futex_wait(wp_atomic_u32 *word, uint32_t expected, uint64_t deadline);

/*
 * Wakes up to n threads that sleep on word; returns how many. The memory need not exist any more:
 * only the address is used.
 */
int wp__os_futex_wake(wp_atomic_u32 *word, uint32_t n);

/*
 * Makes every running thread of the process pass a full fence before it returns. Register once,
 * before threads are created if possible; -ENOSYS or another error where the system has or allows
 * no such thing, then the call must not be relied on.
 */
int wp__os_membarrier_register(void);
int wp__os_membarrier(void);

/* Neither is a cancellation point. */
void wp__os_yield(void);
void wp__os_sleep(uint64_t ns);

/* ---- time ---- */

uint64_t wp__os_now_ns(void);

#ifdef WP_EXPLORE
uint64_t wp__os_ticks_explore(void);
#endif

/*
 * A counter that runs at a constant rate on all CPUs and costs a few nanoseconds to read: the time
 * stamp counter, or the arm64 generic timer; other machines use the clock.
 */
static inline uint64_t wp__os_ticks(void)
{
#if defined(WP_EXPLORE)
	return wp__os_ticks_explore();
#elif defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* Ticks in 1024 ns. The first call measures it, which takes about 2 ms; then it is a load. */
uint64_t wp__os_ticks_per_1024ns(void);

/* ---- threads ---- */

struct wp__thread {
	pthread_t handle;
};

/*
 * Starts start(arg) with all signals blocked but those that a fault raises. stack_size 0 is the
 * system's default, else rounded up to what the system allows. -ENOMEM or -EAGAIN, -EINVAL.
 */
int wp__os_thread_create(
	struct wp__thread *thread, size_t stack_size, void *(*start)(void *), void *arg);
/* Not a cancellation point: whoever joins holds a mutex. */
void wp__os_thread_join(struct wp__thread *thread);
void wp__os_thread_self(struct wp__thread *thread);

/*
 * From now on calls before() before each fork of the process, and after it in_parent() or, by the
 * only thread that the child has, in_child(). Called again it changes nothing; one caller at a
 * time. -ENOMEM.
 */
int wp__os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

/* Between these the calling thread is not cancelled; allow is given what forbid returned. */
static inline int wp__os_forbid_cancel(void)
{
	int before;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void wp__os_allow_cancel(int before)
{
	pthread_setcancelstate(before, &before);
}

/* Names the calling thread; the kernel keeps the first 15 bytes. */
int wp__os_thread_set_name(const char *name);

/*
 * Asks for time slices of `ns` for the calling thread: 0.1 .. 100 ms. Where other threads have
 * longer ones, it need not wait for the end of theirs when it is woken. A negative errno: also
 * -ENOTSUP where the thread is not scheduled by the ordinary policies. Kernels before 6.12 accept
 * it and do nothing.
 */
int wp__os_thread_set_slice(uint64_t ns);

struct wp__mutex {
	pthread_mutex_t handle;
};
#define WP__MUTEX_INIT                    \
	{                                 \
		PTHREAD_MUTEX_INITIALIZER \
	}

/* How many of these mutexes the calling thread holds; a fault's handler may look. */
extern _Thread_local unsigned wp__os_mutexes_held __attribute__((tls_model("initial-exec")));

void wp__os_mutex_init(struct wp__mutex *mutex);
void wp__os_mutex_destroy(struct wp__mutex *mutex);
void wp__os_mutex_lock(struct wp__mutex *mutex);
void wp__os_mutex_unlock(struct wp__mutex *mutex);

/* ---- giving up ---- */

/* A place to escape to, in a frame that is still there. */
struct wp__escape {
	jmp_buf to;
	bool thread_ends; /* it was not wp__os_escape, but pthread_exit or a cancellation */
};

/*
 * Calls body(arg). True: it returned. False: somewhere inside of it this thread called
 * wp__os_escape, or was about to end; that has been averted, and the thread lives on, but will not
 * be cancelled any more. What was on the stack is gone without notice, but for handlers
 * (pthread_cleanup_push, destructors of C++) when the thread was about to end.
 */
bool wp__os_try(struct wp__escape *escape, void (*body)(void *arg), void *arg);
_Noreturn void wp__os_escape(struct wp__escape *escape);

/*
 * The return addresses on the calling thread's stack, innermost first; how many. The first call in
 * a process loads what is needed and allocates; later ones do not, and may be made in the handler
 * of a fault.
 */
unsigned wp__os_backtrace(void **frames, unsigned max);

/*
 * One line for each frame, "#0 function+0x1a (object) [address]", as far as they fit; always ends
 * with a zero. Names are those that the dynamic linker knows. Allocates nothing.
 */
void wp__os_symbolize(void *const *frames, unsigned count, char *text, size_t size);

/* Writes the message to standard error and aborts the process. */
_Noreturn void wp__os_die(const char *message);

/*
 * The lowest address of the calling thread's stack, and how many bytes below it are guarded. A
 * negative errno where the system does not tell.
 */
int wp__os_stack_end(void **low, size_t *guard);

/* ---- memory ---- */

/*
 * Address space of `size` bytes, zeroed, page aligned, whose pages come into being when touched.
 * NULL when the system refuses.
 */
void *wp__os_reserve(size_t size);
void wp__os_release(void *memory, size_t size);

/* Makes whole pages inaccessible. */
int wp__os_protect(void *memory, size_t size);

/* Gives the pages back; they read as zero afterwards. Only whole pages inside are affected. */
int wp__os_discard(void *memory, size_t size);

/* ---- processors ---- */

/* Bits of CPU numbers, as the kernel has them. */
#define WP__CPU_MAX 8192
struct wp__cpu_set {
	uint64_t bits[WP__CPU_MAX / 64];
};

static inline bool wp__cpu_isset(const struct wp__cpu_set *set, unsigned cpu)
{
	return cpu < WP__CPU_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

/* The CPUs the calling thread may run on; and a restriction to them. */
int wp__os_get_affinity(struct wp__cpu_set *set);
int wp__os_set_affinity(const struct wp__cpu_set *set);

/* ---- environment ---- */

/* Reads up to size - 1 bytes of a file and ends them with a zero; returns the length. */
long wp__os_read_file(const char *path, char *buffer, size_t size);

/* The variable's value, or NULL; NULL in a program with raised privileges. */
const char *wp__os_getenv(const char *name);

#endif
