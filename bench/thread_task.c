/* SPDX-License-Identifier: MIT */
/*
 * thread_empty, thread_cpu, thread_io: a thread per job, which is what a pool is there to avoid.
 *
 * Measured: one producer starts a detached thread for each of the jobs of scale_*; ns per job from
 * the first start to the end of the last job, and "submit", the producer's time per job. Compare
 * with scale_empty, scale_cpu and scale_io of the same run. There is no limit to the threads alive
 * at once, as there is none in programs that do this; when the system refuses one, the producer
 * yields and tries again, and "refused" says how often. "at once" is the most that were alive.
 *
 * The stacks are of 64 KiB: nobody is to say that the threads were given more than they need.
 * Runs in a child process, so that memory that threads leave behind is not the next case's.
 *
 * Not measured: what so many threads do to the other programs on the machine.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench.h"
#include "costs.h"
#include "tally.h"
#include "task.h"

#define STACK_BYTES 65536

struct thread_run {
	const struct task *task;
	uint64_t jobs;
	_Atomic uint64_t finished;
	_Atomic uint64_t last_ns; /* set by the thread that finishes the last job */
};

static struct thread_run now_running;

static void *thread_main(void *payload)
{
	struct thread_run *run = &now_running;

	if (run->task->fn(payload) != 0)
		bench_die("a job failed");
	/* Acq_rel: who counts the last one has seen what all others wrote to their tallies. */
	if (atomic_fetch_add_explicit(&run->finished, 1, memory_order_acq_rel) + 1 == run->jobs)
		atomic_store_explicit(&run->last_ns, bench_now_ns(), memory_order_release);
	return NULL;
}

static uint64_t start(const char *workload, uint64_t id, const pthread_attr_t *attr)
{
	uint64_t refused = 0;
	pthread_t thread;
	int error;

	while ((error = pthread_create(&thread, attr, thread_main, tally_payload(id))) == EAGAIN) {
		refused++;
		sched_yield();
	}
	if (error != 0)
		bench_die("%s: pthread_create: %s", workload, strerror(error));
	return refused;
}

static void run_task(const char *workload, const struct task *task, const struct bench_params *p,
	struct bench_sample *sample)
{
	uint64_t begin, submitted, cpu_begin, refused = 0, most = 0;
	pthread_attr_t attr;

	now_running = (struct thread_run){ .task = task, .jobs = p->jobs };
	tally_begin((unsigned)p->jobs);
	if (pthread_attr_init(&attr) != 0 ||
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) != 0 ||
		pthread_attr_setstacksize(&attr, STACK_BYTES) != 0)
		bench_die("%s: no attributes for threads", workload);
	costs_begin();
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	for (uint64_t id = 1; id <= p->jobs; id++) {
		uint64_t alive;

		refused += start(workload, id, &attr);
		alive = id - atomic_load_explicit(&now_running.finished, memory_order_relaxed);
		most = alive > most ? alive : most;
	}
	submitted = bench_now_ns();
	while (atomic_load_explicit(&now_running.last_ns, memory_order_acquire) == 0)
		sched_yield();
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->wall_ns = (double)(now_running.last_ns - begin);
	sample->jobs = p->jobs;
	costs_end(sample);
	bench_sample_add(sample, "submit", "ns", (double)(submitted - begin) / (double)p->jobs);
	bench_sample_add(sample, "refused", "", (double)refused);
	bench_sample_add(sample, "at once", "threads", (double)most);
	pthread_attr_destroy(&attr);
	tally_check(workload, p->jobs);
}

static void run_empty(const struct bench_params *p, struct bench_sample *sample)
{
	run_task("thread_empty", &task_empty, p, sample);
}

static void run_cpu(const struct bench_params *p, struct bench_sample *sample)
{
	run_task("thread_cpu", &task_cpu, p, sample);
}

static void run_io(const struct bench_params *p, struct bench_sample *sample)
{
	run_task("thread_io", &task_io, p, sample);
}

const struct bench_workload bench_thread_empty = {
	.name = "thread_empty",
	.about = "a thread per empty job",
	.kind = BENCH_TIME,
	.costs = true,
	.own_process = true,
	.jobs = 5000,
	.quick_jobs = 500,
	.jobs_at_most = true,
	.run = run_empty,
};

const struct bench_workload bench_thread_cpu = {
	.name = "thread_cpu",
	.about = "a thread per job of 100,000 additions",
	.kind = BENCH_TIME,
	.costs = true,
	.own_process = true,
	.jobs = 5000,
	.quick_jobs = 200,
	.jobs_at_most = true,
	.run = run_cpu,
};

const struct bench_workload bench_thread_io = {
	.name = "thread_io",
	.about = "a thread per job that sleeps 1 ms",
	.kind = BENCH_TIME,
	.costs = true,
	.own_process = true,
	.jobs = 5000,
	.quick_jobs = 500,
	.jobs_at_most = true,
	.run = run_io,
};
