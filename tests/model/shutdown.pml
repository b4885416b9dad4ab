/* SPDX-License-Identifier: MIT */
/*
 * Shutdown: the close of src/queue/segqueue.c, rest and end of src/engine/lifecycle.c, and when
 * src/engine/worker.c and run.c count and tell. The event count is that of eventcount.pml; parking
 * is abstract: a parked worker wakes when there is a job for it or the pool ends.
 *
 * SUBMITTERS submitters of one job each, two workers, CLOSERS threads in wp_pool_shutdown (STOP:
 * wp_pool_stop), RESTERS in wp_pool_wait. Every process has to end. Checked: each accepted job is
 * run or dropped once, whoever returns sees the effects, nothing runs after the end, one join.
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
 * control DROP_UNCOUNTED stop: dropped jobs do not count as finished [E1]
 * control END_TWICE callers: each caller ends the threads
 * control ACCEPTED_FIRST rest: accepted is read before finished [E2]
 * control COUNT_FIRST rest: a job counts before it has run [E1]
 * control COUNT_RELAXED pso: the count does not release the job's effects [E1]
 */
#define WORKERS     2
#define PROCESSES   (WORKERS + SUBMITTERS + CLOSERS + RESTERS)
#define WORDS       9
#define EFFECT(j)   (2 * (j))		/* 0, 2 */
#define FINISHED(w) (1 + 2 * (w))	/* 1, 3 */
#define WAITING     4			/* pool.rest */
#define EPOCH       6
#define FINAL       5			/* 1 + the final ticket */
#define EXIT        7
#define INTERRUPT   8
#include "machine.pml"

byte tail, head, asleep;		/* asleep: bit by process */
bool closed, ready[SUBMITTERS + 1], over[SUBMITTERS + 1];	/* by ticket; over: run or dropped */
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
inline at_rest() {			/* rest */
	if :: ACCEPTED_FIRST -> read_accepted() :: !ACCEPTED_FIRST fi;
	f = mem[FINISHED(0)];		/* [E2] */
	f = f + mem[FINISHED(1)];
	if :: !ACCEPTED_FIRST -> read_accepted() :: ACCEPTED_FIRST fi;
	atomic { rest = f == a || NO_REST; f = 0; a = 0 }
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
	byte j, n; bool ran;
	do
	:: atomic { head < SUBMITTERS && ready[head] -> j = head; head++ };	/* [H1] */
	   ran = true;
	   if :: COUNT_FIRST -> STORE(FINISHED(me), n + 1) :: !COUNT_FIRST fi;
	   if :: mem[INTERRUPT] && DROP_UNCOUNTED -> n-- :: else fi;
	   atomic { assert(!over[j] && joins == 0); over[j] = true };
	   STORE(EFFECT(j), 1);
	   if :: REL :: COUNT_RELAXED fi;
	   atomic { n++; j = 0; STORE(FINISHED(me), n) };	/* [E1] */
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
	byte a, f, k, i; bool rest;
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
	atomic { assert(joins == 1); do :: i < SUBMITTERS -> assert(!ready[i] || (over[i] && mem[EFFECT(i)])); i++ :: else -> break od };
	ended++
}

proctype rester(byte me)
{
	byte a, f, k, i, before; bool rest;
	before = tail; wait_rest();
	do :: i < before -> assert(over[i] && mem[EFFECT(i)]); i++ :: else -> break od;
	FULL;
	ended++
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
