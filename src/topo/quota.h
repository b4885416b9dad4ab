/* SPDX-License-Identifier: MIT */
/*
 * How much of the machine this process may use: CPU time limits of cgroups, version 1 and 2, and
 * the number of CPUs that follows from them and from the affinity mask. Pure reading: nothing is
 * cached, so a changed limit shows at the next call. Any thread.
 *
 * The groups come from /proc/self/cgroup and the places where their files can be seen from
 * /proc/self/mountinfo; no mount point is guessed. Both versions are looked at, because on a mixed
 * ("hybrid") system the cpu controller may be with either. A limit binds everything below it, so
 * each group from the process's own up to the root of the mount is asked, and the smallest answer
 * counts. Inside a cgroup namespace or a container a mount shows only a part of the tree: then the
 * groups that can be seen are asked.
 *
 * The files are input that others write: whatever is missing, malformed, too large or leads out of
 * its mount by ".." counts as "no limit", and the work is bounded whatever they contain.
 */
#ifndef WP_TOPO_QUOTA_H
#define WP_TOPO_QUOTA_H

/*
 * How many CPUs the cgroups of this process allow at a time, rounded up, at least 1: the smallest
 * quota / period on the way from the process's own group to the root. 0 when nothing limits it.
 * `root` is put in front of /proc/self/cgroup, /proc/self/mountinfo and the mount points found
 * there ("" for the real machine), so that a test can make up a machine.
 */
unsigned wp__quota_cpus(const char *root);

/*
 * The CPUs in the calling thread's affinity mask, or wp__quota_cpus(root) if that is less; at least
 * 1. Where the mask cannot be had, the CPUs online by root's /sys/devices/system/cpu/online; where
 * that cannot be had either, 1.
 */
unsigned wp__usable_cpus(const char *root);

#endif
