/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 100 /* how soon an interruption is passed on */

static _Noreturn void child_main(int out, child_fn fn, const struct bench_workload *workload,
	const struct bench_params *params)
{
	struct bench_sample sample;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(&sample, 0, sizeof(sample));
	fn(workload, params, &sample);
	if (write(out, &sample, sizeof(sample)) != (ssize_t)sizeof(sample))
		bench_die("%s: the child could not report: %s", workload->name, strerror(errno));
	/* What the parent has buffered is the parent's to print. */
	_exit(0);
}

/* Reads the sample, which is far smaller than a pipe; whether it came. */
static bool receive(int in, pid_t child, struct bench_sample *sample)
{
	struct pollfd wait = { .fd = in, .events = POLLIN };
	bool told = false;

	while (poll(&wait, 1, LOOK_MS) <= 0) {
		if (bench_interrupted() && !told) {
			kill(child, SIGINT);
			told = true;
		}
	}
	return read(in, sample, sizeof(*sample)) == (ssize_t)sizeof(*sample);
}

void child_run(child_fn fn, const struct bench_workload *workload,
	const struct bench_params *params, struct bench_sample *sample)
{
	int ends[2], status = 0;
	bool received;
	pid_t child;

	fflush(NULL);
	if (pipe(ends) != 0)
		bench_die("%s: no pipe: %s", workload->name, strerror(errno));
	child = fork();
	if (child < 0)
		bench_die("%s: no child process: %s", workload->name, strerror(errno));
	if (child == 0) {
		close(ends[0]);
		child_main(ends[1], fn, workload, params);
	}
	close(ends[1]);
	received = receive(ends[0], child, sample);
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && !bench_interrupted())
		bench_die("%s: the child was ended by signal %d (%s)", workload->name,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		_exit(WEXITSTATUS(status)); /* bench_die has spoken */
	if (!received && !bench_interrupted())
		bench_die("%s: the child reported nothing", workload->name);
}
