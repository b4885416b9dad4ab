/* SPDX-License-Identifier: MIT */
/*
 * The stressor: a process of its own that picks threads of the soak at random and
 *
 *   - stops one wherever it is, also in the middle of the library, for 50 us to 2 s. Workers block
 *     all signals, so it is done as a debugger does it (PTRACE_SEIZE, PTRACE_INTERRUPT);
 *   - binds one to a processor for a while;
 *   - takes its priority away for a while (SCHED_IDLE).
 *
 * It shares one page with the soak and dies with it.
 */
#define _GNU_SOURCE
#include "soak.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

/* One of the threads of the process; 0 when there is none to be seen. */
static pid_t pick(pid_t process, struct wp__rng *rng)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	DIR *folder = opendir(path);
	if (!folder)
		return 0;
	pid_t chosen = 0;
	uint64_t seen = 0;
	for (struct dirent *e; (e = readdir(folder));) {
		int thread = atoi(e->d_name);
		if (thread > 0 && wp__rng_below(rng, ++seen) == 0)
			chosen = thread;
	}
	closedir(folder);
	return chosen;
}

/* As rr does it: mostly short, now and then very long. */
static uint64_t how_long(struct wp__rng *rng)
{
	bool rare = wp__rng_below(rng, 50) == 0;
	return soak_log_uniform(rng, 16, rare ? 31 : 26);
}

static void pause_thread(struct soak_stress *stress, pid_t thread, struct wp__rng *rng)
{
	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) {
		if (errno == EPERM || errno == ENOSYS)
			wp_store_rlx_u32(&stress->refused, (uint32_t)errno + 1);
		return;
	}
	int status = 0;
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0 ||
		waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
		return; /* it has ended meanwhile */
	uint64_t begin = wp_now_ns();
	wp__os_sleep(how_long(rng));
	wp_add_rlx_u64(&stress->pauses, 1);
	wp_add_rlx_u64(&stress->paused_ns, wp_now_ns() - begin);
	/* A signal that came first is passed on; the interruption itself is none. */
	int pending = status >> 16 ? 0 : WSTOPSIG(status);
	ptrace(PTRACE_DETACH, thread, NULL, (void *)(intptr_t)pending);
}

static void move_thread(struct soak_stress *stress, pid_t thread, struct wp__rng *rng)
{
	cpu_set_t all, one;
	if (sched_getaffinity(thread, sizeof(all), &all) != 0)
		return;
	uint64_t chosen = wp__rng_below(rng, (uint64_t)CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && chosen-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(thread, sizeof(one), &one) != 0)
		return;
	wp_add_rlx_u64(&stress->moves, 1);
	wp__os_sleep(how_long(rng));
	sched_setaffinity(thread, sizeof(all), &all);
}

static void demote_thread(struct soak_stress *stress, pid_t thread, struct wp__rng *rng)
{
	struct sched_param none = { 0 };
	if (sched_setscheduler(thread, SCHED_IDLE, &none) != 0)
		return;
	wp_add_rlx_u64(&stress->demotions, 1);
	wp__os_sleep(how_long(rng));
	sched_setscheduler(thread, SCHED_OTHER, &none);
}

static void disturb(struct soak_stress *stress, pid_t process, struct wp__rng *rng)
{
	pid_t thread = pick(process, rng);
	if (thread == 0)
		return;
	uint64_t dice = wp__rng_below(rng, 8);
	if (dice < 5 && !wp_load_rlx_u32(&stress->refused))
		pause_thread(stress, thread, rng);
	else if (dice < 7)
		move_thread(stress, thread, rng);
	else
		demote_thread(stress, thread, rng);
}

static _Noreturn void run(struct soak_stress *stress, pid_t process, uint64_t seed)
{
	struct wp__rng rng = { seed };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == process) {
		bool active = wp_load_acq_u32(&stress->active);
		wp_store_rel_u32(&stress->resting, !active);
		if (active) {
			disturb(stress, process, &rng);
			wp__os_sleep(soak_log_uniform(&rng, 16, 25));
		} else {
			wp__os_sleep(1000000);
		}
	}
	_exit(0);
}

struct soak_stress *soak_stress_start(uint64_t seed)
{
	struct soak_stress *stress = mmap(
		NULL, sizeof(*stress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stress == MAP_FAILED)
		return NULL;
	pid_t process = getpid();
	child = fork();
	if (child == 0)
		run(stress, process, seed);
	if (child < 0) {
		munmap(stress, sizeof(*stress));
		return NULL;
	}
	/* Where only a parent may stop a process; fails where there is no such rule. */
	prctl(PR_SET_PTRACER, (unsigned long)child, 0, 0, 0);
	return stress;
}

void soak_stress_set(struct soak_stress *stress, bool active)
{
	if (!stress)
		return;
	if (active)
		wp_store_rel_u32(&stress->resting, 0);
	wp_store_rel_u32(&stress->active, active);
	while (!active && !wp_load_acq_u32(&stress->resting))
		wp__os_sleep(1000000);
}

void soak_stress_stop(struct soak_stress *stress)
{
	if (!stress)
		return;
	soak_stress_set(stress, false);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
