/* SPDX-License-Identifier: MIT */
/*
 * overload_pool, overload_thread: requests of 500 KB that take 20 ms of CPU, twice as many as the
 * CPUs can serve, to a pool and to a thread per request.
 *
 * The load is the same in both, and an open loop: requests arrive by a schedule, one every
 * 1/rate seconds with rate = 2 x CPUs x 50 per second, whatever becomes of the earlier ones. On
 * arrival 500 KB are mapped and every byte of them is written, as a request's body would be. Then
 * it is handed over: to wp_try_submit, where WP_EFULL means that the request is rejected and its
 * memory given back at once; or to a new thread, where only the system's limit rejects. The job
 * reads the body, checks it, uses 20 ms of CPU by its own thread's clock, and gives the memory
 * back. Bodies are mapped rather than malloc'ed, so that no heap decides when memory goes back.
 *
 * Measured: the latency of a request, from the moment at which the schedule wanted it to arrive to
 * the end of its job (so queueing counts, and so does an arrival that was late); how many were
 * rejected; how many finished; "bodies at once", the most that existed; "peak memory" of the child
 * process that the case runs in. For the pool, "bound" is (workers + capacity + 1) x 500 KB: each
 * worker holds one request, the line its capacity, and one is about to be handed over. Nobody may
 * get beyond it; more bodies than that end the program.
 *
 * Not measured: clients that give up or try again.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <wpool/wpool.h>

#include "bench.h"
#include "costs.h"
#include "histogram.h"
#include "pool_run.h"
#include "tally.h"
#include "task.h"

#define BODY_BYTES          (500u * 1000)
#define SERVICE_NS          20000000u
#define OVERLOAD            2  /* times what can be served */
#define CAPACITY_PER_WORKER 20 /* 0.4 s of waiting at most */
#define RUN_NS              4000000000u
#define RUN_BRIEF_NS        400000000u
#define RATE_MAX            4000 /* one thread can write that many bodies */
#define STACK_BYTES         65536
#define MIB                 (1024.0 * 1024.0)

struct overload {
	const char *workload;
	struct wp_pool *pool; /* or NULL: a thread per request */
	pthread_attr_t attr;  /* of such a thread */
	uint64_t *due_ns;     /* by id */
	_Atomic uint64_t bodies, bodies_most, finished;
	uint64_t rejected;
	struct histogram latency;
	pthread_mutex_t mutex; /* of the histogram; fifty times a second and CPU */
};

struct request {
	struct overload *overload;
	uint64_t id;
	unsigned char body[];
};

static struct request *arrive(struct overload *overload, uint64_t id)
{
	uint64_t now, most;
	struct request *request =
		mmap(NULL, BODY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (request == MAP_FAILED)
		bench_die("%s: no memory for a request: %s", overload->workload, strerror(errno));
	memset(request->body, (int)(id % 256), BODY_BYTES - sizeof(*request));
	request->overload = overload;
	request->id = id;
	now = atomic_fetch_add_explicit(&overload->bodies, 1, memory_order_relaxed) + 1;
	most = atomic_load_explicit(&overload->bodies_most, memory_order_relaxed);
	/* Only this thread makes bodies, so it alone raises the mark. */
	if (now > most)
		atomic_store_explicit(&overload->bodies_most, now, memory_order_relaxed);
	return request;
}

static void leave(struct request *request)
{
	struct overload *overload = request->overload;

	munmap(request, BODY_BYTES);
	atomic_fetch_sub_explicit(&overload->bodies, 1, memory_order_relaxed);
}

static int serve(void *payload)
{
	struct request *request = payload;
	struct overload *overload = request->overload;
	uint64_t id = request->id, due = overload->due_ns[id], now;

	for (size_t i = 0; i < BODY_BYTES - sizeof(*request); i++)
		if (request->body[i] != id % 256)
			bench_die("%s: a body was damaged", overload->workload);
	task_burn_ns(SERVICE_NS);
	leave(request);
	now = bench_now_ns();
	pthread_mutex_lock(&overload->mutex);
	histogram_add(&overload->latency, now > due ? now - due : 0);
	pthread_mutex_unlock(&overload->mutex);
	tally_add(tally_of_thread(), id);
	/* Release: who counts all has all tallies. */
	atomic_fetch_add_explicit(&overload->finished, 1, memory_order_release);
	return 0;
}

static void *thread_main(void *payload)
{
	(void)serve(payload);
	return NULL;
}

/* Whether it was accepted. */
static bool hand_over(struct overload *overload, struct request *request)
{
	struct wp_job job = { .fn = serve, .payload = request };
	pthread_t thread;
	int error;

	if (overload->pool != NULL) {
		error = wp_try_submit(overload->pool, &job);
		if (error != 0 && error != WP_EFULL)
			bench_die("%s: wp_try_submit: %s", overload->workload, wp_strerror(error));
	} else {
		error = pthread_create(&thread, &overload->attr, thread_main, request);
		if (error != 0 && error != EAGAIN)
			bench_die("%s: pthread_create: %s", overload->workload, strerror(error));
	}
	return error == 0;
}

/* Offers `count` requests by the schedule; returns how many were accepted. */
static uint64_t offer(struct overload *overload, uint64_t count, uint64_t rate)
{
	uint64_t begin = bench_now_ns(), accepted = 0;

	for (uint64_t i = 0; i < count && !bench_interrupted(); i++) {
		uint64_t due = begin + i * 1000000000u / rate, now = bench_now_ns();
		struct request *request;

		if (now < due)
			bench_sleep_ns(due - now);
		/* Ids without gaps for what is accepted: a rejected request's is used again. */
		overload->due_ns[accepted + 1] = due;
		request = arrive(overload, accepted + 1);
		if (hand_over(overload, request)) {
			accepted++;
		} else {
			overload->rejected++;
			leave(request);
		}
	}
	return accepted;
}

static void add_values(const struct overload *overload, struct bench_sample *sample,
	uint64_t offered, uint64_t rate, uint64_t bodies)
{
	bench_sample_add(sample, "offered rate", "per s", (double)rate);
	bench_sample_add(sample, "offered", "jobs", (double)offered);
	bench_sample_add(sample, "rejected", "jobs", (double)overload->rejected);
	bench_sample_add(sample, "finished", "jobs", (double)overload->finished);
	bench_sample_add(
		sample, "latency p50", "ns", (double)histogram_percentile(&overload->latency, 0.5));
	bench_sample_add(sample, "latency p99", "ns",
		(double)histogram_percentile(&overload->latency, 0.99));
	bench_sample_add(sample, "latency max", "ns", (double)overload->latency.max);
	bench_sample_add(sample, "bodies at once", "jobs", (double)overload->bodies_most);
	if (bodies != 0)
		bench_sample_add(sample, "bound", "MiB", (double)bodies * BODY_BYTES / MIB);
}

static void open_pool(struct overload *overload, const struct bench_params *p, size_t capacity)
{
	struct wp_options options = pool_run_options(p);
	int error;

	options.capacity = capacity;
	error = wp_pool_create(&overload->pool, &options);
	if (error != 0)
		bench_die("%s: wp_pool_create: %s", overload->workload, wp_strerror(error));
}

static void run_overload(struct overload *overload, bool with_pool, const struct bench_params *p,
	struct bench_sample *sample)
{
	uint64_t served = wp_usable_cpus() * (1000000000u / SERVICE_NS);
	uint64_t rate = OVERLOAD * served < RATE_MAX ? OVERLOAD * served : RATE_MAX;
	uint64_t count = rate * (p->brief ? RUN_BRIEF_NS : RUN_NS) / 1000000000u;
	size_t capacity = p->capacity != 0 ? p->capacity : (size_t)CAPACITY_PER_WORKER * p->workers;
	uint64_t begin, cpu_begin, accepted, bodies = with_pool ? p->workers + capacity + 1 : 0;

	if (count > p->jobs)
		count = p->jobs;
	overload->due_ns = bench_alloc(count + 2, sizeof(*overload->due_ns));
	tally_begin(with_pool ? p->workers : (unsigned)count);
	if (with_pool)
		open_pool(overload, p, capacity);
	costs_begin();
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	accepted = offer(overload, count, rate);
	while (atomic_load_explicit(&overload->finished, memory_order_acquire) != accepted)
		bench_sleep_ns(1000000);
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = accepted;
	costs_end(sample);
	add_values(overload, sample, count, rate, bodies);
	if (bodies != 0 && overload->bodies_most > bodies)
		bench_die("%s: %llu bodies at once, where there is room for %llu",
			overload->workload, (unsigned long long)overload->bodies_most,
			(unsigned long long)bodies);
	tally_check(overload->workload, accepted);
}

static void run(const char *workload, bool with_pool, const struct bench_params *p,
	struct bench_sample *sample)
{
	static struct overload overload;

	overload.workload = workload;
	if (pthread_mutex_init(&overload.mutex, NULL) != 0 ||
		pthread_attr_init(&overload.attr) != 0 ||
		pthread_attr_setdetachstate(&overload.attr, PTHREAD_CREATE_DETACHED) != 0 ||
		pthread_attr_setstacksize(&overload.attr, STACK_BYTES) != 0)
		bench_die("%s: no attributes for threads", workload);
	/* Static and used once: the case has a process of its own, which ends with it. */
	run_overload(&overload, with_pool, p, sample);
}

static void run_pool(const struct bench_params *p, struct bench_sample *sample)
{
	run("overload_pool", true, p, sample);
}

static void run_thread(const struct bench_params *p, struct bench_sample *sample)
{
	run("overload_thread", false, p, sample);
}

const struct bench_workload bench_overload_pool = {
	.name = "overload_pool",
	.about = "requests of 500 KB and 20 ms, twice what can be served, to a pool",
	.kind = BENCH_VALUES,
	.costs = true,
	.own_process = true,
	.workers = "cpus",
	.profile = true,
	.jobs = 4000,
	.quick_jobs = 4000,
	.jobs_at_most = true,
	.run = run_pool,
};

const struct bench_workload bench_overload_thread = {
	.name = "overload_thread",
	.about = "the same, a thread for each",
	.kind = BENCH_VALUES,
	.costs = true,
	.own_process = true,
	.jobs = 4000,
	.quick_jobs = 4000,
	.jobs_at_most = true,
	.run = run_thread,
};
