/* SPDX-License-Identifier: MIT */
/*
 * Parking: src/park/parking.c, src/engine/worker.c and the lane's SLEEP bit.
 *
 * WORKERS workers; PRODUCERS producers, each with one job. Jobs below LONG last until all others
 * are done, whatever their worker believed. CHILD: job 0 submits one more and waits for it inside
 * (wp__worker_wait_in_job). One more thread ends the pool when all is done.
 * Every process has to end, so a lost wake-up is a deadlock. The standby's timer fires whenever it
 * likes and takes whom it likes for stuck, and those that are. A claim is one job: no rescue.
 *
 * config one: WORKERS=1 PRODUCERS=2 EACH=1 SPURIOUS=1
 * config two: WORKERS=2 PRODUCERS=1 EACH=2
 * config stuck: WORKERS=2 PRODUCERS=1 EACH=2 LONG=1
 * config child: WORKERS=2 PRODUCERS=1 EACH=1 CHILD=1
 * config exit: WORKERS=2 EXITS=1 SPURIOUS=1
 * config pso: WORKERS=2 PRODUCERS=1 EACH=2 LONG=1 PSO
 * config live: WORKERS=1 PRODUCERS=2 EACH=1 LIVE
 * control NO_SECOND_LOOK one: the last one to park does not compare tail and head [P1]
 * control SLEEP_READ_FIRST one: the producer reads SLEEP before its fetch-add
 * control ARM_FIRST one: lanes armed and looked at before the bit is set [P1] [K4]
 * control LATE_BIT stuck: a worker sets its bit after it has counted itself parked [K4]
 * control PARK_RELAXED pso: [K3] without release
 * control NO_OWNER exit: a worker that did not clear its own bit goes on all the same [K5]
 * control WAKE_BEFORE_TOKEN one: futex wake before the token's store [K8]
 * control EXIT_UNSEEN exit: no look at exit between setting the bit and sleeping [K4]
 * control NO_STANDBY stuck: nobody keeps a timer [K3]
 * control TICK_ONLY_TAKES stuck: the standby declares away and does not look itself [K2]
 * control LEAVE_UNARMED stuck: the last one to leave for a job arms nothing [K2]
 * control STANDBY_LOST stuck: nobody is appointed standby [K2]
 * control LATCH_UNSEEN child: no look at the latch between setting the bit and sleeping [L2]
 */
#define JOBS      (PRODUCERS * EACH + CHILD)
#define PROCESSES (WORKERS + PRODUCERS + 1)
#define WORDS     (WORKERS + 2)
#define BITS      0		/* parking.parked */
#define TOKEN(i)  (1 + (i))	/* spot.token */
#define EXIT      (WORKERS + 1)	/* pool.exit */
#define LOOK      1		/* WP__TOKEN_LOOK */
#define PARK      2		/* WP__TOKEN_PARK: to be the standby */
#include "machine.pml"

byte tail, head, kind[JOBS + 1];	/* the lane; kind: which job has the ticket */
bool ready[JOBS + 1], armed;	/* armed: SLEEP in tail */
byte n_active;			/* idle = active | STANDBY | parked << 32 */
bool standby;
short n_parked;
byte spot_active[WORKERS];
bool spot_standby[WORKERS], asleep[WORKERS], stuck[WORKERS];
bool latch, spurious = SPURIOUS;
byte waiter, done, gone;
#include "parking_steps.pml"

#define FORGET atomic { job = 0; more = 0; i = 0; work = 0; stay = 0; last = 0 }

proctype worker(byte me)
{
	byte i, end, job; bool got, last, work, stay, more, waits, asked;
	become_active();
look:	if
	:: !EXITS && done == JOBS -> goto over
	:: waits && latch -> waits = false; leave_watch(false); job = 0; goto finish	/* [L2] */
	:: !waits && spot_active[me] == 0 -> become_active()	/* back_to_looking */
	:: (waits && !latch) || spot_active[me]
	fi;
	if
	:: atomic { head < tail && ready[head] ->	/* [H1] */
		job = kind[head]; head++; more = head < tail && ready[head] }
	:: !(head < tail && ready[head]) -> goto dry
	fi;
	if
	:: leave_watch(more)
	:: !waits -> hand_over_cheap()	/* or so it believes */
	fi;
	if
	:: CHILD && job == 0 -> waiter = me; submit(JOBS - 1); waits = true; FORGET; goto look
	:: CHILD && job == JOBS - 1 -> latch = true; wake(waiter)	/* [L1] */
	:: job < LONG && !CHILD -> stuck[me] = true; done >= JOBS - LONG; stuck[me] = false
	:: else
	fi;
finish:	atomic { done++; job = 0; more = 0; i = 0 };
	if
	:: waits -> goto look
	:: !waits ->
		if :: spot_active[me] == 0 -> become_active() :: else fi;	/* back_to_looking */
		if :: n_active > 1 -> goto park :: goto look fi	/* one too many */
	fi;
dry:	if :: !waits && mem[EXIT] -> goto out :: else fi;	/* must_exit */
park:	park_count();
	stay = !waits && mem[EXIT] && !EXIT_UNSEEN;
	if :: last && !stay && !ARM_FIRST -> arm() :: else fi;
	if :: waits -> stay = latch && !LATCH_UNSEEN :: else fi;
	if :: stay || work -> unpark(); goto unparked :: !stay && !work fi;
sleep:	FORGET;
	do
	:: atomic { PLAIN(TOKEN(me)) && mem[TOKEN(me)] -> work = mem[TOKEN(me)] == PARK; STORE(TOKEN(me), 0); break }	/* [K7] */
	:: atomic { PLAIN(TOKEN(me)) && !mem[TOKEN(me)] -> asleep[me] = true };	/* futex wait */
end_asleep:
	   if
	   :: !asleep[me]
	   :: atomic { spurious -> spurious = false; asleep[me] = false }
	   :: atomic { spot_standby[me] -> asleep[me] = false };
	      tick(); unpark(); work = true; goto unparked
	   fi
	od;
	give_up_standby();
	if :: work && !waits -> work = false; goto park :: else -> work = false; goto look fi;
unparked:
	if	/* look_after_all */
	:: work -> disarm();
	   if :: spot_active[me] == 0 -> become_active() :: else fi
	:: !work
	fi;
	FORGET;
	goto look;
out:	atomic { got = spot_active[me] > 0; TAKE(me) };
	atomic { FULL; n_active = n_active - got; gone++ };	/* [K2] */
over:	FORGET
}

proctype producer(byte me; byte number)
{
	byte i, end, got, n;
	do :: n < EACH -> submit(number); number = number + (CHILD || number < LONG); n++; i = 0 :: n == EACH -> break od
}

proctype ender(byte me)
{
	byte i, end;
	done == JOBS;
	if :: EXITS :: !EXITS -> goto out fi;
	STORE(EXIT, 1);
	wake_all();
	gone == WORKERS;
	assert(n_active == 0 && n_parked == 0 && mem[BITS] == 0 && head == JOBS);
out:	skip
}

#ifdef LIVE
ltl taken { <> (done == JOBS) }
#endif
init {
	atomic {
		byte n;
		do :: n < WORKERS -> run worker(n); n++ :: else -> break od;
		do :: n < WORKERS + PRODUCERS -> run producer(n, (CHILD || LONG -> (n - WORKERS) * EACH : 0)); n++ :: else -> break od;
		run ender(n)
	}
}
