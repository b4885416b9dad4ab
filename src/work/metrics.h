/* SPDX-License-Identifier: MIT */
/* The metrics policies that come with the library are public: see <wpool/metrics.h>. */
#ifndef WP_WORK_METRICS_H
#define WP_WORK_METRICS_H

#include <stdbool.h>

#include <wpool/metrics.h>

/* Whether every member of the table is set. */
bool wp__metrics_is_complete(const struct wp_metrics_ops *ops);

#endif
