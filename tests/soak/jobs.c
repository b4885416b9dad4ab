/* SPDX-License-Identifier: MIT */
/* What jobs do, and every way to hand them to a pool. */
#include "soak.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define AT_ONCE 48u

static struct soak_arena *arena_of(uint64_t id)
{
	unsigned number = soak_arena_of(id);
	return number < SOAK_ARENAS ? &soak_arenas[number] : NULL;
}

/* The slot of the thread a job runs on; NULL when its round is over, which is noted. */
static struct soak_slot *slot_for(uint64_t id)
{
	struct soak_arena *arena = arena_of(id);
	if (!arena) {
		soak_complain("a job that nobody submitted: %#llx", (unsigned long long)id);
		return NULL;
	}
	if (soak_round_of(id) != arena->round) {
		wp_add_rlx_u64(&arena->strays, 1);
		return NULL;
	}
	return soak_slot_here(arena);
}

/* ---- jobs ---- */

static void work_for(uint64_t ns)
{
	for (uint64_t end = wp_now_ns() + ns; wp_now_ns() < end;)
		wp_spin_hint();
}

/* Most jobs do nothing, some a little, few much; some wait, until they are cancelled at most. */
static void work(struct soak_slot *slot, struct wp_ctx *ctx)
{
	uint64_t dice = wp__rng_below(&slot->rng, 16384);
	uint64_t wait = wp__rng_below(&slot->rng, 2000000);
	if (dice == 0) {
		wp__os_sleep(wait);
	} else if (dice < 4) {
		int error = wp_ctx_wait(ctx, wp_after_ns(wait));
		if (error && !soak_is_end(error, ctx))
			soak_complain("wp_ctx_wait returned %d: %s", error, slot->arena->what);
	} else if (dice < 64)
		work_for(wp__rng_below(&slot->rng, 100000));
	else if (dice < 1024)
		work_for(wp__rng_below(&slot->rng, 2000));
	else if (dice < 1040)
		wp__os_yield();
}

/* What must be refused from inside a job. */
static void misbehave(struct soak_slot *slot, struct wp_pool *pool)
{
	if (wp_pool_wait(pool, WP_FOREVER) != WP_EDEADLK ||
		wp_pool_shutdown(pool, WP_FOREVER, NULL) != WP_EDEADLK ||
		wp_pool_stop(pool, NULL) != WP_EDEADLK)
		soak_complain("a job could wait for its own pool: %s", slot->arena->what);
}

static void message_of(uint64_t id, char *text, size_t size)
{
	snprintf(text, size, "job %#llx gives up", (unsigned long long)id);
}

/* Nobody's: what a job has that faults. */
static int *volatile nowhere;

/* Does not return. Nothing on this stack is needed any more, and the job holds nothing. */
static void give_up(struct soak_slot *slot, uint64_t id)
{
	enum soak_fate fate = soak_fate_of(id);
	slot->count[SOAK_PANICKED]++;
	if (fate == SOAK_ENDS_ITS_THREAD && soak_take_one(&slot->arena->deaths)) {
		slot->count[SOAK_ENDED]++;
		pthread_exit(NULL);
	}
	if (fate == SOAK_FAULTS && slot->arena->contains) {
		slot->count[SOAK_FAULTED]++;
		*nowhere = 1;
	}
	char text[64];
	message_of(id, text, sizeof(text));
	wp_panic(soak_code_of(id), "%s", text);
}

static int run(uint64_t id, enum soak_book book)
{
	struct soak_slot *slot = slot_for(id);
	if (!slot)
		return 0;
	fp_add(&slot->book[book], id);
	const struct wp_job_info *info = wp_job_current();
	if (!info || info->pool != slot->arena->pool) {
		soak_complain("a job does not know its pool: %s", slot->arena->what);
		return 0;
	}
	unsigned worker = info->worker;
	work(slot, info->ctx);
	uint64_t dice = wp__rng_below(&slot->rng, 4096);
	if (dice == 0)
		misbehave(slot, slot->arena->pool);
	if (dice % 8 == 1 && soak_depth_of(id) < SOAK_DEPTH_MAX)
		soak_submit_some(slot, soak_depth_of(id) + 1, true);
	slot->arena->last_ran[worker] = id;
	if (soak_fate_of(id) != SOAK_RETURNS)
		give_up(slot, id);
	int code = soak_code_of(id);
	slot->count[SOAK_FAILED] += code != 0;
	return code;
}

int soak_run_job(void *payload)
{
	return run((uint64_t)(uintptr_t)payload, SOAK_RAN);
}

static int run_bare_job(void *payload)
{
	return run((uint64_t)(uintptr_t)payload, SOAK_BARE_RAN);
}

/*
 * Follows the job on the same worker; a job that did not run is cleaned up just so, and one that a
 * commit refused on the thread that committed it.
 */
void soak_clean_job(void *payload)
{
	uint64_t id = (uint64_t)(uintptr_t)payload;
	struct soak_slot *slot = slot_for(id);
	if (!slot)
		return;
	if (slot->committing) {
		slot->bounced++;
		return;
	}
	struct soak_arena *arena = slot->arena;
	const struct wp_job_info *info = wp_job_current();
	if (!info || info->pool != arena->pool) {
		soak_complain("a cleanup does not know its pool: %s", arena->what);
		return;
	}
	uint64_t *last_ran = &arena->last_ran[info->worker];
	if (*last_ran != id)
		fp_add(&slot->book[wp_ctx_err(info->ctx) ? SOAK_CANCELLED : SOAK_DROPPED], id);
	*last_ran = 0;
	fp_add(&slot->book[SOAK_CLEANED], id);
	wp_atomic_u64 *awaited = &arena->slot[soak_slot_of(id)].awaited;
	if (wp_load_rlx_u64(awaited) == id)
		wp_store_rlx_u64(awaited, 0);
}

/* What on_error is told agrees with what the job did. */
static bool is_true(const struct wp_job_error *error, uint64_t id)
{
	char text[64];
	message_of(id, text, sizeof(text));
	if (!error->message || error->result != soak_result_of(id))
		return false;
	if (soak_fate_of(id) == SOAK_RETURNS)
		return error->code == soak_code_of(id) && !error->signal;
	if (error->signal)
		return error->signal == SIGSEGV && soak_fate_of(id) == SOAK_FAULTS;
	if (error->code == WP_EPANIC)
		return soak_fate_of(id) == SOAK_ENDS_ITS_THREAD;
	return error->code == soak_code_of(id) && strcmp(error->message, text) == 0;
}

void soak_on_error(void *self, const struct wp_job_error *error)
{
	struct soak_arena *arena = self;
	uint64_t id = (uint64_t)(uintptr_t)error->payload;
	struct soak_slot *slot = soak_slot_here(arena);
	slot->count[SOAK_HANDLED]++;
	if (error->pool != arena->pool || !is_true(error, id))
		soak_complain("on_error: code %d of job %#llx: %s", error->code,
			(unsigned long long)id, arena->what);
	/* Other jobs may run on top of this one here. */
	if (wp__rng_below(&slot->rng, 16) == 0 && soak_depth_of(id) < SOAK_DEPTH_MAX) {
		uint64_t last = arena->last_ran[error->worker];
		soak_submit_some(slot, soak_depth_of(id) + 1, false);
		arena->last_ran[error->worker] = last;
	}
}

/* ---- ways to submit: how many were accepted, or why none was ---- */

typedef ssize_t way(struct soak_slot *slot, const struct wp_job *jobs, size_t n);

static ssize_t by_submit_job(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	(void)n;
	int error = wp_submit_job(slot->arena->pool, jobs);
	return error ? error : 1;
}

static ssize_t by_try_submit(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	(void)n;
	int error = wp_try_submit(slot->arena->pool, jobs);
	return error ? error : 1;
}

static ssize_t by_submit_until(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	(void)n;
	uint64_t deadline = wp_after_ns(wp__rng_below(&slot->rng, 1000000));
	int error = wp_submit_until(slot->arena->pool, jobs, deadline);
	return error ? error : 1;
}

static ssize_t by_batch(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	return wp_submit_batch(slot->arena->pool, jobs, n);
}

static ssize_t by_try_batch(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	return wp_try_submit_batch(slot->arena->pool, jobs, n);
}

/*
 * The error of a context may mean that the job was refused, or that it was accepted and not run: if
 * it was cleaned up, it was accepted. Inside of a job a thread may wait for several jobs at once:
 * there they have no context.
 */
static ssize_t by_wait(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	(void)n;
	uint64_t id = (uint64_t)(uintptr_t)jobs->payload;
	if (jobs->ctx)
		wp_store_rlx_u64(&slot->awaited, id);
	int result = wp_submit_wait(slot->arena->pool, jobs);
	bool skipped =
		jobs->ctx && wp_load_rlx_u64(&slot->awaited) == 0 && soak_is_end(result, jobs->ctx);
	wp_store_rlx_u64(&slot->awaited, 0);
	if (skipped || result == soak_result_of(id))
		return 1;
	if (result == WP_EDROPPED && slot->arena->stops)
		return 1;
	return result < 0 ? result : WP_EINVAL;
}

/* The last one waits for the job, which an error handler must not. */
static way *const ways[] = { by_submit_job, by_try_submit, by_submit_until, by_batch, by_try_batch,
	soak_by_lane, by_wait };
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* A loss or a duplicate that is made up: the ledger must find it. */
static bool make_up_a_mistake(struct soak_slot *slot, const struct wp_job *job, uint64_t id)
{
	if (soak_take_one(&soak_to_lose)) {
		fp_add(&slot->book[SOAK_ACCEPTED], id);
		return true;
	}
	if (soak_take_one(&soak_to_duplicate) && wp_submit_job(slot->arena->pool, job) != 0)
		wp_add_rlx_u32(&soak_to_duplicate, 1);
	return false;
}

static bool went_on(struct soak_slot *slot, ssize_t result, const struct wp_ctx *ctx)
{
	if (result < 0 && result != WP_EFULL && result != WP_ETIMEDOUT && result != WP_ECLOSED &&
		!(ctx && soak_is_end((int)result, ctx)))
		soak_complain("a submit call returned %zd: %s", result, slot->arena->what);
	return result != WP_ECLOSED;
}

static bool submit_bare(struct soak_slot *slot, unsigned depth)
{
	uint64_t id = soak_new_id(slot, depth);
	int error = wp_submit(slot->arena->pool, run_bare_job, (void *)(uintptr_t)id);
	if (!error)
		fp_add(&slot->book[SOAK_BARE_ACCEPTED], id);
	slot->count[SOAK_REFUSED] += error != 0;
	return went_on(slot, error, NULL);
}

bool soak_submit_some(struct soak_slot *slot, unsigned depth, bool may_wait)
{
	struct wp_job jobs[AT_ONCE];
	uint64_t ids[AT_ONCE];
	if (depth)
		wp_add_rlx_u64(&slot->arena->nested, 1);
	if (!slot->arena->stops && wp__rng_below(&slot->rng, 4) == 0)
		return submit_bare(slot, depth);
	way *how = ways[wp__rng_below(&slot->rng, may_wait ? WAYS : WAYS - 1)];
	size_t n = 1;
	if (how == by_batch || how == by_try_batch || how == soak_by_lane)
		n += wp__rng_below(&slot->rng, depth ? 3 : AT_ONCE);
	/* Held until the call is over: a job that runs meanwhile may renew the thread's context. */
	struct wp_ctx *ctx = depth && how == by_wait ? NULL : soak_draw_context(slot);
	for (size_t i = 0; i < n; i++) {
		ids[i] = soak_new_id(slot, depth);
		jobs[i] = (struct wp_job){ .fn = soak_run_job,
			.payload = (void *)(uintptr_t)ids[i],
			.ctx = ctx,
			.cleanup = soak_clean_job };
	}
	ssize_t accepted = 0;
	bool goes_on = true;
	if (!make_up_a_mistake(slot, jobs, ids[0])) {
		accepted = how(slot, jobs, n);
		for (ssize_t i = 0; i < accepted; i++)
			fp_add(&slot->book[SOAK_ACCEPTED], ids[i]);
		slot->count[SOAK_REFUSED] += accepted > 0 ? n - (size_t)accepted : n;
		goes_on = went_on(slot, accepted, ctx);
	}
	wp_ctx_unref(ctx);
	return goes_on;
}
