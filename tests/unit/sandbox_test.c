/* SPDX-License-Identifier: MIT */
/*
 * A filter on system calls that takes membarrier away, as sandboxes install it: after the libraries
 * were loaded, before the pool is made or while it works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crew.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

#define PRODUCERS 40u /* so many that the table of lanes is replaced three times */
#define JOBS      100u

/* In all threads of the process, for good; the test has a process of its own. */
static void forbid_membarrier(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			&program) != 0)
		t_skip("filters on system calls cannot be installed here");
}

/* Opens many producers, and puts their lanes to sleep and wakes them. */
static void use_producers(struct wp_pool *pool)
{
	struct wp_producer *producers[PRODUCERS];
	wp_atomic_u64 ran = { 0 };
	for (unsigned i = 0; i < PRODUCERS; i++)
		t_assert_int_eq(wp_producer_open(&producers[i], pool), 0);
	for (unsigned i = 0; i < PRODUCERS * JOBS; i++)
		t_assert_int_eq(wp_producer_submit(producers[i % PRODUCERS], count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), PRODUCERS * JOBS);
	pool_expect_asleep(pool);
	t_assert_int_eq(wp_producer_submit(producers[PRODUCERS - 1], count_fn, &ran), 0);
	pool_wait(pool);
	for (unsigned i = 0; i < PRODUCERS; i++)
		wp_producer_close(producers[i]);
}

T_TEST(sandbox, before_the_pool)
{
	forbid_membarrier();
	struct wp_pool *pool = pool_of(2, 64, 16);
	use_producers(pool);
	pool_end(pool);
}

T_TEST(sandbox, while_the_pool_works)
{
	struct wp_pool *pool = pool_of(2, 64, 16);
	struct wp_producer *first;
	t_assert_int_eq(wp_producer_open(&first, pool), 0);
	forbid_membarrier();
	use_producers(pool);
	wp_producer_close(first);
	pool_end(pool);
}
