/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/pool.h>
#include <wpool/queue.h>
#include <wpool/topo.h>

#include "engine/pool.h"
#include "work/metrics.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* A standby that wakes more often does little else. */
#define STANDBY_LEAST (50 * US)

_Static_assert(WP_WORKERS_MAX == WP__PARKING_MAX, "a place for every worker");

const char *wp_queue_type_name(enum wp_queue_type type)
{
	return type == WP_QUEUE_FIFO ? "FIFO" : "unknown";
}

static const struct {
	const char *name;
	uint64_t spin_ns, poll_gap_ns, standby_ns;
} profiles[] = {
	[WP_PROFILE_BALANCED] = { "balanced", 50 * US, 4 * US, 1 * MS },
	[WP_PROFILE_LATENCY] = { "latency", 10 * MS, 1 * US, 250 * US },
	[WP_PROFILE_ECO] = { "eco", 2 * US, 500 * US, 5 * MS },
};

#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

static bool is_profile(enum wp_profile profile)
{
	return (unsigned)profile < PROFILES;
}

const char *wp_profile_name(enum wp_profile profile)
{
	return is_profile(profile) ? profiles[profile].name : "unknown";
}

/* The environment's, if that names one; else what is asked for. */
static enum wp_profile choose_profile(enum wp_profile asked)
{
	const char *value = wp__os_getenv("WP_PROFILE");
	for (unsigned i = 0; value && i < PROFILES; i++)
		if (strcmp(value, profiles[i].name) == 0)
			return (enum wp_profile)i;
	return asked;
}

static void fill_by_profile(struct wp_options *o)
{
	o->profile = choose_profile(o->profile);
	/* One that does not exist stays, for wp_options_validate to tell. */
	enum wp_profile p = is_profile(o->profile) ? o->profile : WP_PROFILE_BALANCED;
	if (!o->spin_ns)
		o->spin_ns = profiles[p].spin_ns;
	if (!o->poll_gap_ns)
		o->poll_gap_ns = profiles[p].poll_gap_ns;
	if (!o->standby_ns)
		o->standby_ns = profiles[p].standby_ns;
}

int wp_options_fill_defaults(struct wp_options *o)
{
	if (!o || o->size != sizeof(*o))
		return WP_EINVAL;
	if (!o->name)
		o->name = "wpool";
	if (!o->workers) {
		unsigned cpus = wp_usable_cpus();
		o->workers = cpus < WP_WORKERS_MAX ? cpus : WP_WORKERS_MAX;
	}
	if (!o->capacity)
		o->capacity = 65536;
	if (!o->producer_capacity)
		o->producer_capacity = o->capacity < 8192 ? o->capacity : 8192;
	if (!o->segment_size)
		o->segment_size = 1024;
	if (!o->batch_max)
		o->batch_max = WP__BATCH_MAX;
	fill_by_profile(o);
	if (!o->batch_ns)
		o->batch_ns = 10 * US;
	if (!o->shutdown_timeout)
		o->shutdown_timeout = 30 * S;
	if (!o->metrics)
		o->metrics = &wp_metrics_noop;
	return 0;
}

/* NULL, or what is wrong. */
static const char *find_fault(const struct wp_options *o)
{
	if (!o)
		return "options: must not be NULL";
	if (o->size != sizeof(*o))
		return "size: must be sizeof(struct wp_options)";
	if (o->workers > WP_WORKERS_MAX)
		return "workers: must be 1 .. 1024, or 0 for the default";
	if (o->capacity > WP_CAPACITY_MAX)
		return "capacity: must be 1 .. 4294967296, or 0 for the default";
	if (o->producer_capacity > WP_CAPACITY_MAX)
		return "producer_capacity: must be 1 .. 4294967296, or 0 for the default";
	if (o->segment_size > WP_SEGMENT_SIZE_MAX)
		return "segment_size: must be 1 .. 1048576, or 0 for the default";
	if (o->queue_type != WP_QUEUE_FIFO)
		return "queue_type: must be WP_QUEUE_FIFO";
	if (!is_profile(o->profile))
		return "profile: must be WP_PROFILE_BALANCED, WP_PROFILE_LATENCY or WP_PROFILE_ECO";
	if (o->batch_max > WP__BATCH_MAX)
		return "batch_max: must be 1 .. 256, or 0 for the default";
	if (o->spin_ns > S)
		return "spin_ns: must be at most 1 s";
	if (o->poll_gap_ns > MS)
		return "poll_gap_ns: must be at most 1 ms";
	if (o->standby_ns > S || (o->standby_ns && o->standby_ns < STANDBY_LEAST))
		return "standby_ns: must be 50 us .. 1 s, or 0 for the default";
	if (o->batch_ns > S)
		return "batch_ns: must be at most 1 s";
	if (o->metrics && !wp__metrics_is_complete(o->metrics))
		return "metrics: every function must be set";
	struct wp_options full = *o;
	wp_options_fill_defaults(&full);
	uint64_t segments = wp__segqueue_segments(full.capacity, full.segment_size);
	if (segments > WP_SEGMENTS_MAX ||
		wp__segqueue_segments(full.producer_capacity, full.segment_size) > WP_SEGMENTS_MAX)
		return "segment_size: too small for this capacity: more than 4194304 segments";
	if (full.segment_count > segments)
		return "segment_count: more segments than the capacity can need";
	return NULL;
}

int wp_options_validate(const struct wp_options *o, const char **why)
{
	const char *fault = find_fault(o);
	if (why)
		*why = fault;
	return fault ? WP_EINVAL : 0;
}
