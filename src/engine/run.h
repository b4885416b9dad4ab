/* SPDX-License-Identifier: MIT */
/*
 * Running jobs: what happens to a job between its claim and its end.
 *
 * A worker runs the jobs of its batch in order. User code runs with no lock and no RCU read side
 * held. It need not return (engine/guard.h): then the job is concluded, and the batch goes on.
 *
 * A job whose context has ended by then is not run: its cleanup runs, it counts as cancelled.
 * When the pool is being stopped the jobs that the worker has claimed and not started are dropped:
 * their cleanup runs, they count as dropped. Another worker may take them back: see
 * engine/rescue.h. Whatever becomes of a job, wp__job_finish is the end of it (work/job.h).
 *
 * Jobs inside of jobs. A job that submits to a full lane, or waits for another job, lets its worker
 * run other jobs meanwhile. To wait, it first runs what its own batch still holds, then what was
 * set aside, then the lane; to make room only the lane helps.
 *
 * That nests. WP__HELP_DEPTH deep, jobs taken off the lane are not run but set aside (the spill, in
 * memory that grows as needed; without memory they are run after all), except the very job that is
 * waited for. So many jobs that each wait for a child do not pile up on the stack. Jobs set aside
 * are run when the batch is done, or by a wait for which nothing else is left.
 */
#ifndef WP_ENGINE_RUN_H
#define WP_ENGINE_RUN_H

#include <stdbool.h>

#include "engine/pool.h"

/* Runs, or drops, what the batch holds and then all that was set aside; counts them. */
void wp__run_batch(struct wp__worker *w);

/* The same from where a job of the batch gave up: w->running is still that job. */
void wp__run_resume(struct wp__worker *w);

/*
 * Inside a job: takes one job from the lane, and runs it or sets it aside. false: none was ready.
 */
bool wp__run_to_make_room(struct wp__worker *w);

/*
 * Inside a job that waits for `awaited`: runs one job, of this worker's or the lane's, or sets one
 * aside. false: there is none.
 */
struct wp__awaited;
bool wp__run_while_waiting(struct wp__worker *w, struct wp__awaited *awaited);

/*
 * n jobs that were refused, and whose cleanups nobody else will run: each runs, also where one
 * before it gives up. Any thread; inside a job or not.
 */
void wp__run_cleanups(const struct wp_job *jobs, size_t n, uint64_t first_id);

/* Frees what the worker holds; nothing is set aside any more. */
void wp__run_fini(struct wp__worker *w);

#endif
