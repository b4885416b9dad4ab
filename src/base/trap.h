/* SPDX-License-Identifier: MIT */
/*
 * Traps: SIGSEGV, SIGBUS, SIGFPE and SIGILL as they are raised on a thread by what it does. The
 * only door to signal handlers.
 *
 * While somebody uses them, wpool's handler stands in front of whatever the application had, for
 * the whole process. It asks the function that was given; whatever that one does not take is passed
 * on as if wpool's handler were not there: to the application's handler with its mask and flags, or
 * to the default action, which ends the process by the same signal.
 *
 * The last user puts back what was there before. If the application has put a handler of its own on
 * top meanwhile, that stays, and so does wpool's below it: it may be called by the other one for
 * ever, and passes everything on.
 *
 * A stack overflow can only be handled on another stack, which each thread has to enter by itself.
 */
#ifndef WP_BASE_TRAP_H
#define WP_BASE_TRAP_H

#include <stdbool.h>
#include <stddef.h>

struct wp__trap {
	int signal;
	const void *address; /* what was accessed, or executed; NULL for a signal sent by raise */
	const char *what;    /* "segmentation fault", ... */
};

/*
 * Called in the signal handler. Takes the trap by not returning (wp__os_escape); signals are not
 * blocked because of it.
 */
typedef void (*wp__trap_fn)(const struct wp__trap *trap);

/* One more user; they all give the same function. 0 or a negative errno. Pairs with release. */
int wp__trap_acquire(wp__trap_fn take);
void wp__trap_release(void);

/*
 * Between these nobody is in the middle of the two above: around a fork, so that the child finds
 * the handlers complete and can have users of its own.
 */
void wp__trap_hold(void);
void wp__trap_let_go(void);

/*
 * Gives the calling thread a stack for signal handlers, with a guard page below it, if it has not
 * got one of this kind; and puts back what it had. Enter returns 0 or a negative errno.
 */
int wp__trap_enter_thread(void);
void wp__trap_leave_thread(void);

#endif
