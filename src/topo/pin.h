/* SPDX-License-Identifier: MIT */
/*
 * Binding workers to CPUs: whether it is wanted, which worker goes where, and the binding itself.
 *
 * The plan is made once, by the thread that creates the pool (whose affinity mask is the one that
 * counts), and each worker then binds itself: a thread that replaces a lost worker takes over its
 * CPU. A worker that cannot be bound works unbound; its caller reports that and goes on.
 *
 * hwloc numbers the CPUs and gives the order. The binding goes through base/os.h and not through
 * hwloc_set_cpubind(): on Linux that is the same system call behind a topology that would have to
 * be kept loaded for it, tests could not make it fail, and it silently does nothing when the
 * topology is not the one of this machine (HWLOC_SYNTHETIC).
 */
#ifndef WP_TOPO_PIN_H
#define WP_TOPO_PIN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What WP_PIN_WORKERS says: "1" true, "0" false, unset or anything else `option`.
 */
bool wp__pin_wanted(bool option);

/*
 * The CPU of worker i in cpus[i], for n workers: the CPUs of the calling thread's affinity mask in
 * the order of topo/topo.h, again from the first when they are used up. Returns how many different
 * ones there are among them; 0, and nothing filled in, when no CPU of the mask is in the topology;
 * negative errno when the topology cannot be loaded or memory is short.
 */
int wp__pin_plan(unsigned *cpus, size_t n);

/*
 * Binds the calling thread to one CPU, by its operating-system number. 0 or a negative errno:
 * -EINVAL when there is no such CPU or the process may not use it. The thread's affinity is
 * unchanged then.
 */
int wp__pin_self(unsigned cpu);

#endif
