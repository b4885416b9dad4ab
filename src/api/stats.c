/* SPDX-License-Identifier: MIT */
#include <wpool/stats.h>

#include <errno.h>

#include <wpool/error.h>
#include <wpool/pool.h>

#include "engine/fork.h"
#include "engine/stats.h"

int wp_pool_stats(const struct wp_pool *pool, struct wp_stats *out)
{
	if (!pool || !out || out->size != sizeof(*out))
		return WP_EINVAL;
	if (wp__is_forked(pool))
		return WP_EFORKED;
	/* Reading takes the pool's mutex and changes nothing else. */
	wp__stats_read((struct wp_pool *)(uintptr_t)pool, out);
	return 0;
}

/* ---- for people ---- */

/* A duration with three digits or so, in the unit that suits it. */
struct text {
	char s[32];
};

static struct text duration(uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	struct text t;
	double value = (double)ns;
	unsigned unit = 0;
	for (; value >= 1000 && unit < 3; unit++)
		value /= 1000;
	snprintf(t.s, sizeof(t.s), "%.*f %s",
		unit == 0 || value >= 100 ? 0
		: value >= 10             ? 1
					  : 2,
		value, units[unit]);
	return t;
}

/* The numbers of the public struct, as printf wants them. */
#define N(value) ((unsigned long long)(value))
#define T(value) (duration(value).s)

static void dump_jobs(const struct wp_stats *s, FILE *f)
{
	fprintf(f, "  workers    %u alive, %u busy, %u idle; peak %u\n", s->workers_alive,
		s->workers_busy, s->workers_idle, s->workers_peak);
	fprintf(f, "  jobs       %llu submitted: %llu queued, %llu running\n", N(s->submitted),
		N(s->queued), N(s->running));
	fprintf(f,
		"  over       %llu completed, %llu failed, %llu panicked, %llu cancelled, "
		"%llu dropped\n",
		N(s->completed), N(s->failed), N(s->panicked), N(s->cancelled), N(s->dropped));
	fprintf(f, "  refused    %llu full, %llu timed out, %llu closed, %llu cancelled\n",
		N(s->rejected_full), N(s->rejected_timeout), N(s->rejected_closed),
		N(s->rejected_cancelled));
	if (s->last_error)
		fprintf(f, "  last error %d (%s)\n", s->last_error, wp_strerror(s->last_error));
}

static void dump_times(const struct wp_stats *s, FILE *f)
{
	fprintf(f, "  run time   average %s", T(s->run_ns_average));
	if (s->run_samples)
		fprintf(f, "; p50 %s, p90 %s, p99 %s, p99.9 %s, max %s (%llu timed)",
			T(s->run_ns_p50), T(s->run_ns_p90), T(s->run_ns_p99), T(s->run_ns_p999),
			T(s->run_ns_max), N(s->run_samples));
	fprintf(f, "\n");
	if (s->wait_samples)
		fprintf(f,
			"  queue wait average %s; p50 %s, p90 %s, p99 %s, p99.9 %s, max %s "
			"(%llu timed)\n",
			T(s->wait_ns_average), T(s->wait_ns_p50), T(s->wait_ns_p90),
			T(s->wait_ns_p99), T(s->wait_ns_p999), T(s->wait_ns_max),
			N(s->wait_samples));
}

static void dump_engine(const struct wp_stats *s, FILE *f)
{
	fprintf(f, "  batches    %llu of %.1f jobs on average\n", N(s->batches), s->batch_average);
	fprintf(f, "  segments   %llu touched, %llu free, %llu used again\n",
		N(s->segments_touched), N(s->segments_free), N(s->segments_reused));
	fprintf(f, "  sleep      %llu parks, %llu wakes, %llu rescues\n", N(s->parks), N(s->wakes),
		N(s->rescues));
}

int wp_pool_dump(const struct wp_pool *pool, FILE *file)
{
	struct wp_stats s = WP_STATS_INIT;
	if (!file)
		return WP_EINVAL;
	int error = wp_pool_stats(pool, &s);
	if (error)
		return error;
	int saved = errno;
	fprintf(file, "pool \"%s\", %s, up %s\n", pool->name, wp_state_name(wp_pool_state(pool)),
		T(s.uptime_ns));
	dump_jobs(&s, file);
	dump_times(&s, file);
	dump_engine(&s, file);
	errno = saved;
	return 0;
}
