/* SPDX-License-Identifier: MIT */
/*
 * Event count: src/park/eventcount.c.
 *
 * NOTIFIERS threads each make their part of the condition true and notify; WAITERS threads wait
 * until all parts are. IMPATIENT of them may give up at a deadline at any time. Every process has
 * to end, so a lost wake-up is a deadlock.
 *
 * config tso: WAITERS=2 NOTIFIERS=2 IMPATIENT=0 SPURIOUS=1
 * config timed: WAITERS=2 NOTIFIERS=2 IMPATIENT=1 SPURIOUS=0
 * config pso: WAITERS=2 NOTIFIERS=2 IMPATIENT=0 SPURIOUS=0 PSO
 * config live: WAITERS=1 NOTIFIERS=2 IMPATIENT=0 SPURIOUS=1 LIVE
 * control NO_FENCE_NOTIFIER tso: no fence between the condition and the look at the count [V4]
 * control NO_FENCE_WAITER pso: no fence between the count and the look at the condition [V2]
 * control NO_LOOK tso: sleeps without a look after being counted [V2]
 * control COUNT_AFTER_LOOK tso: looks, then counts itself and reads the key [V1]
 * control KEY_AFTER_LOOK tso: counts, looks, then reads the key [V1]
 * control KEEPS_EPOCH tso: notify wakes and does not advance the epoch [V3]
 * control WAKES_ONE tso: notify wakes one sleeper only [V3]
 * control CANCEL_EATS timed: notify wakes one, who may have given up [V3]
 */
#define PROCESSES (WAITERS + NOTIFIERS)
#define WORDS     (2 + NOTIFIERS)
#define COUNT     0		/* waiters */
#define PART(i)   (1 + 2 * (i) - ((i) > 0))	/* the condition: words 1 and 2 */
#define EPOCH     3
#include "machine.pml"

bool asleep[WAITERS], spurious = SPURIOUS;
byte ended;

inline look() {	/* all: each part by a load of its own */
	all = true; n = 0;
	do
	:: n < NOTIFIERS -> atomic { all = all && mem[PART(n)]; n++ }
	:: n == NOTIFIERS -> n = 0; break
	od
}

proctype waiter(byte me)
{
	byte n, k;
	bool all;
	if :: COUNT_AFTER_LOOK -> look(); if :: all -> goto over :: !all fi :: !COUNT_AFTER_LOOK fi;
	ADD(COUNT, 1);	/* prepare */
	do
	:: if :: !KEY_AFTER_LOOK -> k = mem[EPOCH] :: KEY_AFTER_LOOK fi;	/* [V1] */
	   if :: FULL :: NO_FENCE_WAITER fi;	/* [V2] */
	   if
	   :: NO_LOOK || COUNT_AFTER_LOOK -> all = false
	   :: !(NO_LOOK || COUNT_AFTER_LOOK) -> look()
	   fi;
	   if :: KEY_AFTER_LOOK -> k = mem[EPOCH] :: !KEY_AFTER_LOOK fi;
	   if :: all -> break :: !all fi;
	   atomic { asleep[me] = mem[EPOCH] == k; k = 0 };	/* futex wait */
	   if
	   :: !asleep[me]
	   :: atomic { spurious -> spurious = false; asleep[me] = false }
	   :: me < IMPATIENT -> asleep[me] = false; break
	   fi
	od;
	atomic { RLX(COUNT); mem[COUNT]-- };	/* leave */
over:	atomic { ended++; all = 0; k = 0 }
}

proctype notifier(byte me)
{
	byte i;
	STORE(PART(me - WAITERS), 1);
	if :: FULL :: NO_FENCE_NOTIFIER fi;	/* [V4] */
	if
	:: mem[COUNT] == 0
	:: mem[COUNT] > 0 ->
		if :: atomic { !KEEPS_EPOCH -> FULL; mem[EPOCH]++ } :: KEEPS_EPOCH fi;	/* [V3] */
		atomic {	/* futex wake: a system call, but not ordered by itself */
			do
			:: i < WAITERS && asleep[i] -> asleep[i] = false;
			   if :: WAKES_ONE || CANCEL_EATS -> break :: else -> i++ fi
			:: i < WAITERS && !asleep[i] -> i++
			:: i == WAITERS -> break
			od;
			i = 0
		}
	fi;
	ended++
}

#ifdef LIVE
ltl wakes { <> (ended == PROCESSES) }
#endif

init {
	atomic {
		byte n;
		do :: n < WAITERS -> run waiter(n); n++ :: else -> break od;
		do :: n < WAITERS + NOTIFIERS -> run notifier(n); n++ :: else -> break od;
		n = 0
	};
	ended == PROCESSES;
	assert(mem[COUNT] == 0)
}
