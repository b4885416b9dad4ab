/* SPDX-License-Identifier: MIT */
/*
 * Shutdown: the close of src/queue/segqueue.c, in src/engine rest and end of lifecycle.c, the sums
 * of stats.c, and when worker.c and run.c count and tell. Two outcomes: completed and dropped. The
 * event count is that of eventcount.pml; a parked worker wakes when there is a job or the pool ends.
 *
 * SUBMITTERS submitters of a job each, two workers, CLOSERS threads in wp_pool_shutdown (STOP:
 * wp_pool_stop), RESTERS in wp_pool_wait. All have to end. Checked: each accepted job is over once,
 * all see its effects, nothing runs after the end, one join; over <= claimed <= accepted.
 *
 * config shutdown: SUBMITTERS=2 CLOSERS=1
 * config callers: SUBMITTERS=1 CLOSERS=2
 * config rest: SUBMITTERS=2 RESTERS=1
 * config stop: SUBMITTERS=2 CLOSERS=1 STOP=1
 * config live: SUBMITTERS=1 CLOSERS=1 LIVE
 * config pso: SUBMITTERS=1 RESTERS=1 PSO
 * control CHECK_THEN_PUSH shutdown: CLOSED is looked at before the fetch-add, not in its result [C3]
 * control FINAL_IS_TAIL shutdown: refused fetch-adds count as accepted
 * control CLOSED_FIRST shutdown: the final position is that of a look before the close [C3]
 * control NO_REST shutdown: the threads are ended without waiting for rest
 * control PARK_UNTOLD shutdown: a worker that parks with its last jobs untold tells nobody [V4]
 * control DROP_UNCOUNTED stop: dropped jobs are in no count [E1]
 * control END_TWICE callers: each caller ends the threads
 * control ACCEPTED_FIRST rest: accepted is read before over [E2]
 * control CLAIMED_FIRST rest: claimed is read before over [E2]
 * control COUNT_FIRST rest: a job counts before it has run [E1]
 * control COUNT_RELAXED pso: the count does not release the job's effects [E1]
 */
#define WORKERS     2
#define PROCESSES   (WORKERS + SUBMITTERS + CLOSERS + RESTERS)
#define WORDS       12
#define EFFECT(j)   (2 * (j))		/* 0, 2 */
#define OVER(w, o)  (1 + 4 * (w) + 2 * (o))	/* 1, 3, 5, 7; o: 0 completed, 1 dropped */
#define WAITING     4			/* pool.rest */
#define EPOCH       6
#define INTERRUPT   8
#define FINAL       9			/* 1 + the final ticket */
#define EXIT        11
#include "machine.pml"

byte tail, head, asleep;		/* asleep: bit by process */
bool closed, ready[SUBMITTERS + 1], done[SUBMITTERS + 1];	/* by ticket; done: run or dropped */
byte accepted, gone, joins, ended;
bool mutex, threads = true;

inline tell() {				/* wp__ec_notify */
	FULL;				/* [V4] */
	if :: mem[WAITING] == 0 :: mem[WAITING] > 0 -> atomic { FULL; mem[EPOCH]++; asleep = 0 } fi	/* [V3] */
}
inline read_accepted() {
	if
	:: atomic { !closed || FINAL_IS_TAIL -> a = tail }
	:: closed && mem[FINAL] > 0 && !FINAL_IS_TAIL -> a = mem[FINAL] - 1
	fi
}
inline at_rest() {			/* sum_jobs */
	if :: ACCEPTED_FIRST -> read_accepted() :: CLAIMED_FIRST -> c = head :: else fi;
	f = mem[OVER(0, 0)]; f = f + mem[OVER(0, 1)];	/* [E2] */
	f = f + mem[OVER(1, 0)]; f = f + mem[OVER(1, 1)];
	if :: !CLAIMED_FIRST -> c = head :: CLAIMED_FIRST fi;
	if :: !ACCEPTED_FIRST -> read_accepted() :: ACCEPTED_FIRST fi;
	atomic { assert(f <= c && c <= a); rest = f == a || NO_REST; f = 0; c = 0; a = 0 }
}
inline wait_rest() {
	at_rest();
	if :: rest -> goto resting :: !rest fi;
	ADD(WAITING, 1);
	do
	:: k = mem[EPOCH];		/* [V1] */
	   FULL;			/* [V2] */
	   at_rest();
	   if :: rest -> break :: !rest fi;
	   atomic { FULL; asleep = asleep | ((k == mem[EPOCH]) << me); k = 0 };
	   !(asleep & (1 << me))
	od;
	atomic { RLX(WAITING); mem[WAITING]--; k = 0 };
resting: skip
}

proctype submitter(byte me)
{
	byte t; bool refused;
	if :: CHECK_THEN_PUSH -> refused = closed :: !CHECK_THEN_PUSH fi;
	atomic { FREE; t = tail; refused = (CHECK_THEN_PUSH -> refused : closed); tail++ };
	if :: !refused -> atomic { FULL; ready[t] = true; accepted++ } :: refused fi;	/* [Q2] */
	ended++
}

proctype worker(byte me)
{
	byte j, n[2]; bit o; bool ran;
	do
	:: atomic { head < SUBMITTERS && ready[head] -> j = head; head++ };	/* [H1] */
	   ran = true;
	   if :: COUNT_FIRST -> STORE(OVER(me, 0), n[0] + 1) :: !COUNT_FIRST fi;
	   atomic { o = mem[INTERRUPT]; assert(!done[j] && joins == 0); done[j] = true };
	   STORE(EFFECT(j), 1);
	   if :: REL :: COUNT_RELAXED fi;
	   atomic { n[o]++; if :: o && DROP_UNCOUNTED :: else -> STORE(OVER(me, o), n[o]) fi; o = 0; j = 0 };	/* [E1] */
	   if :: true :: goto park fi		/* one too many */
	:: !(head < SUBMITTERS && ready[head]) ->	/* dry: search */
	   if :: ran -> ran = false; tell() :: !ran fi;
	   if :: mem[EXIT] -> break :: !mem[EXIT] fi;
park:	   if :: ran && !PARK_UNTOLD -> ran = false; tell() :: !(ran && !PARK_UNTOLD) fi;
end_parked:
	   (head < SUBMITTERS && ready[head]) || mem[EXIT]
	od;
	gone++
}

proctype closer(byte me)
{
	byte a, c, f, k, i; bool rest;
	if :: CLOSED_FIRST -> a = tail :: !CLOSED_FIRST fi;
	if
	:: atomic { FREE && !closed -> closed = true; a = (CLOSED_FIRST -> a : tail) };	/* [C3] */
	   atomic { STORE(FINAL, a + 1); a = 0 }	/* q->final */
	:: closed -> a = 0
	fi;
	if :: STOP -> STORE(INTERRUPT, 1) :: !STOP fi;
	wait_rest();
	atomic { FULL && !mutex -> mutex = true };
	if :: threads || END_TWICE -> STORE(EXIT, 1); gone == WORKERS; joins++; threads = false :: else fi;
	atomic { FULL; mutex = false };
	tell();
	atomic { assert(joins == 1); do :: i < SUBMITTERS -> assert(!ready[i] || (done[i] && mem[EFFECT(i)])); i++ :: else -> break od };
	ended++
}

proctype rester(byte me)
{
	byte a, c, f, k, i, before; bool rest;
	before = tail; wait_rest();
	do :: i < before -> assert(done[i] && mem[EFFECT(i)]); i++ :: else -> break od;
	FULL; ended++
}
#ifdef LIVE
ltl returns { <> (ended == PROCESSES - WORKERS) }
#endif
init {
	atomic {
		byte n;
		do :: n < WORKERS -> run worker(n); n++ :: else -> break od;
		do :: n < WORKERS + SUBMITTERS -> run submitter(n); n++ :: else -> break od;
		do :: n < WORKERS + SUBMITTERS + CLOSERS -> run closer(n); n++ :: else -> break od;
		do :: n < PROCESSES -> run rester(n); n++ :: else -> n = 0; break od
	};
	ended == PROCESSES - WORKERS;
	assert(CLOSERS == 0 || (accepted == head && gone == WORKERS))
}
