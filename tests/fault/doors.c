/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "doors.h"

#include <errno.h>
#include <hwloc.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "t.h"

/* ---- settings ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t left; /* counts down to the call that fails; 0: none will */
	bool onwards;
	int error;
	uint64_t calls, failures;
} arms[DOORS];
static struct door_books books;

/* 0, or the errno number with which this call is to fail. */
static int strike(unsigned site)
{
	unsigned i = site - WP_FAULT_SITES;
	int error = 0;
	pthread_mutex_lock(&mutex);
	arms[i].calls++;
	if (arms[i].left == 1) {
		error = arms[i].error;
		arms[i].failures++;
	}
	if (arms[i].left && !(arms[i].left == 1 && arms[i].onwards))
		arms[i].left--;
	pthread_mutex_unlock(&mutex);
	return error;
}

/* The same for a call that reports by errno. */
static bool struck(unsigned site)
{
	int error = strike(site);
	if (error)
		errno = error;
	return error;
}

void door_arm(unsigned site, uint64_t nth, bool onwards, int error)
{
	pthread_mutex_lock(&mutex);
	arms[site - WP_FAULT_SITES].left = nth;
	arms[site - WP_FAULT_SITES].onwards = onwards;
	arms[site - WP_FAULT_SITES].error = error;
	pthread_mutex_unlock(&mutex);
}

void door_disarm(void)
{
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < DOORS; i++)
		arms[i].left = 0;
	pthread_mutex_unlock(&mutex);
}

static uint64_t read_locked(const uint64_t *word)
{
	pthread_mutex_lock(&mutex);
	uint64_t value = *word;
	pthread_mutex_unlock(&mutex);
	return value;
}

uint64_t door_calls(unsigned site)
{
	return read_locked(&arms[site - WP_FAULT_SITES].calls);
}

uint64_t door_failures(unsigned site)
{
	return read_locked(&arms[site - WP_FAULT_SITES].failures);
}

/* ---- books ---- */

struct door_books door_open_now(void)
{
	pthread_mutex_lock(&mutex);
	struct door_books now = books;
	pthread_mutex_unlock(&mutex);
	return now;
}

static void enter(long *book, long change)
{
	pthread_mutex_lock(&mutex);
	*book += change;
	pthread_mutex_unlock(&mutex);
}

/* Memory that the library holds: its free() is everybody's. */
#define MEMORY_MAX 4096
static void *memory[MEMORY_MAX];

static void enter_memory(void *new)
{
	pthread_mutex_lock(&mutex);
	size_t i = 0;
	while (i < MEMORY_MAX && memory[i])
		i++;
	t_assert(i < MEMORY_MAX);
	memory[i] = new;
	books.memory++;
	pthread_mutex_unlock(&mutex);
}

static void strike_out_memory(void *old)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < MEMORY_MAX; i++)
		if (memory[i] == old) {
			memory[i] = NULL;
			books.memory--;
			break;
		}
	pthread_mutex_unlock(&mutex);
}

/* ---- in place of the C library ---- */

#define WRAP(type, name, ...)            \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(void *, aligned_alloc, size_t align, size_t size)
{
	if (struck(DOOR_ALIGNED_ALLOC))
		return NULL;
	void *new = __real_aligned_alloc(align, size);
	if (new)
		enter_memory(new);
	return new;
}

WRAP(void, free, void *old)
{
	if (old)
		strike_out_memory(old);
	__real_free(old);
}

WRAP(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (struck(DOOR_MMAP))
		return MAP_FAILED;
	void *new = __real_mmap(at, size, protection, flags, fd, offset);
	if (new != MAP_FAILED)
		enter(&books.mappings, 1);
	return new;
}

/* The same under the name that programs with 64-bit file offsets call. */
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
	__attribute__((alias("__wrap_mmap")));

WRAP(int, munmap, void *at, size_t size)
{
	int r = __real_munmap(at, size);
	if (r == 0)
		enter(&books.mappings, -1);
	return r;
}

WRAP(int, madvise, void *at, size_t size, int advice)
{
	return struck(DOOR_MADVISE) ? -1 : __real_madvise(at, size, advice);
}

WRAP(int, mprotect, void *at, size_t size, int protection)
{
	return struck(DOOR_MPROTECT) ? -1 : __real_mprotect(at, size, protection);
}

WRAP(int, sigaltstack, const stack_t *stack, stack_t *before)
{
	return struck(DOOR_SIGALTSTACK) ? -1 : __real_sigaltstack(stack, before);
}

WRAP(int, pthread_getattr_np, pthread_t thread, pthread_attr_t *attr)
{
	int error = strike(DOOR_ATTR_GET);
	if (!error)
		error = __real_pthread_getattr_np(thread, attr);
	if (!error)
		enter(&books.attributes, 1);
	return error;
}

WRAP(int, pthread_attr_init, pthread_attr_t *attr)
{
	int error = strike(DOOR_ATTR_INIT);
	if (!error)
		error = __real_pthread_attr_init(attr);
	if (!error)
		enter(&books.attributes, 1);
	return error;
}

WRAP(int, pthread_attr_destroy, pthread_attr_t *attr)
{
	enter(&books.attributes, -1);
	return __real_pthread_attr_destroy(attr);
}

WRAP(int, pthread_attr_setstacksize, pthread_attr_t *attr, size_t size)
{
	int error = strike(DOOR_ATTR_STACKSIZE);
	return error ? error : __real_pthread_attr_setstacksize(attr, size);
}

WRAP(int, pthread_attr_setsigmask_np, pthread_attr_t *attr, const sigset_t *mask)
{
	int error = strike(DOOR_ATTR_SIGMASK);
	return error ? error : __real_pthread_attr_setsigmask_np(attr, mask);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
	void *arg)
{
	int error = strike(DOOR_THREAD_CREATE);
	if (!error)
		error = __real_pthread_create(thread, attr, start, arg);
	if (!error)
		enter(&books.threads, 1);
	return error;
}

WRAP(int, pthread_join, pthread_t thread, void **result)
{
	int error = __real_pthread_join(thread, result);
	if (!error)
		enter(&books.threads, -1);
	return error;
}

WRAP(int, pthread_setname_np, pthread_t thread, const char *name)
{
	int error = strike(DOOR_THREAD_SETNAME);
	return error ? error : __real_pthread_setname_np(thread, name);
}

WRAP(int, clock_nanosleep, clockid_t clock, int flags, const struct timespec *t,
	struct timespec *rest)
{
	int error = strike(DOOR_NANOSLEEP);
	if (!error)
		return __real_clock_nanosleep(clock, flags, t, rest);
	*rest = *t;
	return error;
}

WRAP(int, open, const char *path, int flags, ...)
{
	if (struck(DOOR_OPEN))
		return -1;
	int fd = __real_open(path, flags, 0);
	if (fd >= 0)
		enter(&books.files, 1);
	return fd;
}

int __wrap_open64(const char *path, int flags, ...) __attribute__((alias("__wrap_open")));

WRAP(ssize_t, read, int fd, void *buffer, size_t size)
{
	return struck(DOOR_READ) ? -1 : __real_read(fd, buffer, size);
}

WRAP(int, close, int fd)
{
	enter(&books.files, -1);
	return __real_close(fd);
}

/*
 * A wait that is interrupted. As in the kernel, a deadline that has passed comes first: otherwise
 * the waiter would be right to wait again for ever.
 */
static bool interrupt_wait(const struct timespec *deadline)
{
	if (!struck(DOOR_FUTEX_WAIT))
		return false;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (deadline && (t.tv_sec > deadline->tv_sec ||
				(t.tv_sec == deadline->tv_sec && t.tv_nsec >= deadline->tv_nsec)))
		errno = ETIMEDOUT;
	return true;
}

/* The library's system calls without a wrapper: all have up to six words. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;
	va_start(args, number);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	bool wait = number == SYS_futex && ((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
	if ((wait && interrupt_wait((const struct timespec *)a[3])) ||
		(number == SYS_membarrier && struck(DOOR_MEMBARRIER)) ||
		(number == SYS_sched_getaffinity && struck(DOOR_GETAFFINITY)) ||
		(number == SYS_sched_setaffinity && struck(DOOR_SETAFFINITY)))
		return -1;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- in place of hwloc ---- */

WRAP(int, hwloc_topology_init, hwloc_topology_t *topology)
{
	if (struck(DOOR_HWLOC_INIT))
		return -1;
	int r = __real_hwloc_topology_init(topology);
	if (r == 0)
		enter(&books.topologies, 1);
	return r;
}

WRAP(int, hwloc_topology_set_flags, hwloc_topology_t topology, unsigned long flags)
{
	return struck(DOOR_HWLOC_FLAGS) ? -1 : __real_hwloc_topology_set_flags(topology, flags);
}

WRAP(int, hwloc_topology_load, hwloc_topology_t topology)
{
	return struck(DOOR_HWLOC_LOAD) ? -1 : __real_hwloc_topology_load(topology);
}

WRAP(void, hwloc_topology_destroy, hwloc_topology_t topology)
{
	enter(&books.topologies, -1);
	__real_hwloc_topology_destroy(topology);
}

/* ---- threads of the test ---- */

struct door_thread {
	pthread_t handle;
};

struct door_thread *door_thread_start(void *(*start)(void *), void *arg)
{
	struct door_thread *thread = calloc(1, sizeof(*thread));
	t_assert(thread && __real_pthread_create(&thread->handle, NULL, start, arg) == 0);
	return thread;
}

void door_thread_join(struct door_thread *thread)
{
	__real_pthread_join(thread->handle, NULL);
	free(thread);
}
