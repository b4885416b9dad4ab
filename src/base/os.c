/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/hooks.h"
#include "base/layout.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- waiting ---- */

/* The kernel looks at the timeout only when it lets the thread sleep: so look here, too. */
static int passed(uint64_t deadline)
{
	return deadline != UINT64_MAX && wp__os_now_ns() >= deadline ? -ETIMEDOUT : 0;
}

int wp__os_futex_wait(wp_atomic_u32 *word, uint32_t expected, uint64_t deadline)
{
	struct timespec t, *timeout = NULL;
	if (WP_FAULT(WP_FAULT_FUTEX_WAIT)) /* as if a signal had come: every caller looks again */
		return passed(deadline);
	if (deadline != UINT64_MAX) {
		t.tv_sec = (time_t)(deadline / NS_PER_S);
		t.tv_nsec = (long)(deadline % NS_PER_S);
		timeout = &t;
	}
	int saved = errno;
	/* FUTEX_WAIT_BITSET takes an absolute time; FUTEX_WAIT a relative one. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, timeout,
		NULL, FUTEX_BITSET_MATCH_ANY);
	errno = saved;
	return passed(deadline);
}

int wp__os_futex_wake(wp_atomic_u32 *word, uint32_t n)
{
	if (WP_FAULT(WP_FAULT_FUTEX_WAKE))
		wp__os_yield(); /* a wake cannot fail, only be late */
	int saved = errno;
	long r = syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
		n > INT_MAX ? INT_MAX : (int)n, NULL, NULL, 0);
	errno = saved;
	return r < 0 ? 0 : (int)r;
}

static int membarrier(int command)
{
	int error = WP_FAULT(WP_FAULT_MEMBARRIER);
	if (error)
		return -error;
	int saved = errno;
	long r = syscall(SYS_membarrier, command, 0, 0);
	error = r < 0 ? -errno : 0;
	errno = saved;
	return error;
}

int wp__os_membarrier_register(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

int wp__os_membarrier(void)
{
	return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

void wp__os_yield(void)
{
	sched_yield();
}

void wp__os_sleep(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
	int before;
	/* Not a cancellation point: wpool sleeps where it must not be cancelled. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
	pthread_setcancelstate(before, &before);
}

/* ---- time ---- */

uint64_t wp__os_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

struct instant {
	uint64_t ns, ticks;
};

/* Both clocks at one moment: the tightest of a few readings, since a thread may be preempted. */
static struct instant read_both(void)
{
	struct instant best = { 0 };
	uint64_t best_width = UINT64_MAX;
	for (unsigned try = 0; try < 8; try++) {
		uint64_t before = wp__os_ticks();
		uint64_t ns = wp__os_now_ns();
		uint64_t width = wp__os_ticks() - before;
		if (width < best_width) {
			best_width = width;
			best = (struct instant){ ns, before + width / 2 };
		}
	}
	return best;
}

uint64_t wp__os_ticks_per_1024ns(void)
{
	static wp_atomic_u64 measured;
	uint64_t rate = wp_load_rlx_u64(&measured);
	if (rate)
		return rate;
	struct instant start = read_both(), end;
	do
		end = read_both();
	while (end.ns - start.ns < 2000000);
	rate = wp_max_u64(1, (end.ticks - start.ticks) * 1024 / (end.ns - start.ns));
	/* Relaxed: the value stands for itself; two threads may both measure. */
	wp_store_rlx_u64(&measured, rate);
	return rate;
}

/* ---- threads ---- */

int wp__os_thread_create(
	struct wp__thread *thread, size_t stack_size, void *(*start)(void *), void *arg)
{
	int error = WP_FAULT(WP_FAULT_THREAD);
	if (error)
		return -error;
	pthread_attr_t attr;
	error = pthread_attr_init(&attr);
	if (error)
		return -error;
	if (stack_size) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		size_t size = wp_round_up(wp_max_u64(stack_size, (size_t)PTHREAD_STACK_MIN), page);
		error = pthread_attr_setstacksize(&attr, size);
	}
	sigset_t mask;
	sigfillset(&mask);
	static const int of_faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
		SIGPROF };
	for (size_t i = 0; i < sizeof(of_faults) / sizeof(of_faults[0]); i++)
		sigdelset(&mask, of_faults[i]);
	if (!error)
		error = pthread_attr_setsigmask_np(&attr, &mask);
	if (!error)
		error = pthread_create(&thread->handle, &attr, start, arg);
	pthread_attr_destroy(&attr);
	return -error;
}

void wp__os_thread_join(struct wp__thread *thread)
{
	int before = wp__os_forbid_cancel();
	pthread_join(thread->handle, NULL);
	wp__os_allow_cancel(before);
}

int wp__os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	static bool done; /* it cannot be undone */
	int error = WP_FAULT(WP_FAULT_AT_FORK);
	if (error)
		return -error;
	if (!done)
		error = pthread_atfork(before, in_parent, in_child);
	done = !error;
	return -error;
}

void wp__os_thread_self(struct wp__thread *thread)
{
	thread->handle = pthread_self();
}

int wp__os_thread_set_name(const char *name)
{
	int error = WP_FAULT(WP_FAULT_THREAD_NAME);
	if (error)
		return -error;
	char kept[16] = { 0 };
	strncpy(kept, name, sizeof(kept) - 1);
	return -pthread_setname_np(pthread_self(), kept);
}

void wp__os_mutex_init(struct wp__mutex *mutex)
{
	pthread_mutex_init(&mutex->handle, NULL);
}

void wp__os_mutex_destroy(struct wp__mutex *mutex)
{
	pthread_mutex_destroy(&mutex->handle);
}

_Thread_local unsigned wp__os_mutexes_held;

/* Counted on the outside of both: a handler that comes in between sees too many, not too few. */
void wp__os_mutex_lock(struct wp__mutex *mutex)
{
	wp__os_mutexes_held++;
	wp_fence_compiler();
	pthread_mutex_lock(&mutex->handle);
}

void wp__os_mutex_unlock(struct wp__mutex *mutex)
{
	pthread_mutex_unlock(&mutex->handle);
	wp_fence_compiler();
	wp__os_mutexes_held--;
}

/* ---- giving up ---- */

static void avert_end(void *arg)
{
	struct wp__escape *escape = arg;
	escape->thread_ends = true;
	longjmp(escape->to, 1);
}

/*
 * The jump from the handler back into the frame that pushed it is what POSIX leaves undefined and
 * glibc provides: it is as if the handler's caller did not go on unwinding. The pop takes the
 * handler away, and with it all that were pushed by frames which are gone.
 */
bool wp__os_try(struct wp__escape *escape, void (*body)(void *arg), void *arg)
{
	volatile bool returned = false;
	escape->thread_ends = false;
	pthread_cleanup_push(avert_end, escape);
	if (_setjmp(escape->to) == 0) {
		body(arg);
		returned = true;
	}
	pthread_cleanup_pop(0);
	return returned;
}

void wp__os_escape(struct wp__escape *escape)
{
	longjmp(escape->to, 1);
}

unsigned wp__os_backtrace(void **frames, unsigned max)
{
	if (WP_FAULT(WP_FAULT_BACKTRACE))
		return 0;
	int saved = errno;
	int count = backtrace(frames, max > INT_MAX ? INT_MAX : (int)max);
	errno = saved;
	return count > 0 ? (unsigned)count : 0;
}

void wp__os_symbolize(void *const *frames, unsigned count, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < count && used < size; i++) {
		Dl_info info = { 0 };
		int length;
		/* A return address may be the first one behind a function that does not return. */
		bool known = dladdr((char *)frames[i] - 1, &info) != 0;
		const char *object = known && info.dli_fname ? info.dli_fname : "?";
		const char *slash = strrchr(object, '/');
		object = slash ? slash + 1 : object;
		if (known && info.dli_sname)
			length = snprintf(text + used, size - used, "#%u %s+0x%zx (%s) [%p]\n", i,
				info.dli_sname,
				(size_t)((char *)frames[i] - (char *)info.dli_saddr), object,
				frames[i]);
		else
			length = snprintf(text + used, size - used, "#%u +0x%zx (%s) [%p]\n", i,
				known ? (size_t)((char *)frames[i] - (char *)info.dli_fbase) : 0,
				object, frames[i]);
		used += length > 0 ? (size_t)length : 0;
	}
}

void wp__os_die(const char *message)
{
	fprintf(stderr, "%s\n", message);
	abort();
}

int wp__os_stack_end(void **low, size_t *guard)
{
	int error = WP_FAULT(WP_FAULT_STACK_END);
	if (error)
		return -error;
	pthread_attr_t attr;
	size_t size;
	error = pthread_getattr_np(pthread_self(), &attr);
	if (error)
		return -error;
	error = pthread_attr_getstack(&attr, low, &size);
	if (!error)
		error = pthread_attr_getguardsize(&attr, guard);
	pthread_attr_destroy(&attr);
	return -error;
}

/* ---- memory ---- */

void *wp__os_reserve(size_t size)
{
	if (WP_FAULT(WP_FAULT_RESERVE))
		return NULL;
	int saved = errno;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	errno = saved;
	return memory == MAP_FAILED ? NULL : memory;
}

void wp__os_release(void *memory, size_t size)
{
	int saved = errno;
	munmap(memory, size);
	errno = saved;
}

int wp__os_protect(void *memory, size_t size)
{
	int error = WP_FAULT(WP_FAULT_PROTECT);
	if (error)
		return -error;
	int saved = errno;
	error = mprotect(memory, size, PROT_NONE) < 0 ? -errno : 0;
	errno = saved;
	return error;
}

int wp__os_discard(void *memory, size_t size)
{
	int error = WP_FAULT(WP_FAULT_DISCARD);
	if (error)
		return -error;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = wp_round_up((uintptr_t)memory, page);
	uintptr_t last = ((uintptr_t)memory + size) & ~(page - 1);
	if (first >= last)
		return 0;
	int saved = errno;
	int r = madvise((void *)first, last - first, MADV_DONTNEED);
	error = r < 0 ? -errno : 0;
	errno = saved;
	return error;
}

/* ---- processors ---- */

int wp__os_get_affinity(struct wp__cpu_set *set)
{
	int error = WP_FAULT(WP_FAULT_GET_AFFINITY);
	if (error)
		return -error;
	memset(set, 0, sizeof(*set));
	int saved = errno;
	/* The system call, not the C library's wrapper: it works for more than 1024 CPUs. */
	long r = syscall(SYS_sched_getaffinity, 0, sizeof(*set), set);
	error = r < 0 ? -errno : 0;
	errno = saved;
	return error;
}

int wp__os_set_affinity(const struct wp__cpu_set *set)
{
	int error = WP_FAULT(WP_FAULT_SET_AFFINITY);
	if (error)
		return -error;
	int saved = errno;
	long r = syscall(SYS_sched_setaffinity, 0, sizeof(*set), set);
	error = r < 0 ? -errno : 0;
	errno = saved;
	return error;
}

/* ---- time slices ---- */

/* As in <linux/sched/types.h>, which cannot be included beside <sched.h>. */
struct scheduling {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice;
	uint64_t deadline;
	uint64_t period;
};

static int set_slice(uint64_t ns)
{
	struct scheduling s = { .size = sizeof(s) };
	if (syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0) < 0)
		return -errno;
	if (s.policy != SCHED_OTHER && s.policy != SCHED_BATCH)
		return -ENOTSUP;
	s.size = sizeof(s);
	s.slice = ns;
	return syscall(SYS_sched_setattr, 0, &s, 0) < 0 ? -errno : 0;
}

int wp__os_thread_set_slice(uint64_t ns)
{
	int error = WP_FAULT(WP_FAULT_SLICE);
	if (error)
		return -error;
	int saved = errno;
	error = set_slice(ns);
	errno = saved;
	return error;
}

/* ---- environment ---- */

long wp__os_read_file(const char *path, char *buffer, size_t size)
{
	int error = WP_FAULT(WP_FAULT_READ_FILE);
	if (error)
		return -error;
	int saved = errno;
	long result;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		errno = saved;
		return result;
	}
	size_t length = 0;
	result = 0;
	while (length < size - 1) {
		ssize_t n = read(fd, buffer + length, size - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			result = -errno;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	close(fd);
	errno = saved;
	buffer[length] = '\0';
	return result < 0 ? result : (long)length;
}

const char *wp__os_getenv(const char *name)
{
	return secure_getenv(name);
}
