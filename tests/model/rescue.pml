/* SPDX-License-Identifier: MIT */
/*
 * Rescue: src/engine/rescue.[ch], the owner of a batch against those who take its jobs.
 *
 * The owner offers BATCHES batches of SIZE jobs, one after the other, and starts them; RESCUERS
 * threads try ROUNDS times each to take what it has not started; with STOPS another one sets
 * DISCARD meanwhile. A job is known by its batch and its place. Checked: each job runs once, what
 * is copied is of the batch that was offered, everybody ends, and `interrupt` is clean in the end.
 * LIGHT: the rescuer's membarrier waits until the owner's store buffer is empty, and the owner
 * executes no fence.
 *
 * config light: LIGHT=1 BATCHES=2 SIZE=3 RESCUERS=2 ROUNDS=2
 * config stop: LIGHT=1 BATCHES=1 SIZE=3 RESCUERS=2 ROUNDS=1 STOPS=1
 * config fenced: LIGHT=0 BATCHES=2 SIZE=3 RESCUERS=2 ROUNDS=2
 * config pso: LIGHT=1 BATCHES=2 SIZE=2 RESCUERS=2 ROUNDS=2 PSO
 * config fenced_pso: LIGHT=0 BATCHES=2 SIZE=2 RESCUERS=2 ROUNDS=2 PSO
 * config live: LIGHT=1 BATCHES=1 SIZE=2 RESCUERS=1 ROUNDS=2 LIVE
 * control NO_MEMBARRIER light: the rescuer passes no heavy fence [X1]
 * control NO_FENCE_OWNER fenced: no membarrier, and no fence in the owner either [X6]
 * control FLAG_FIRST light: the owner reads interrupt, then stores left [X6]
 * control LEFT_FIRST light: the rescuer reads left, then announces itself [X1]
 * control DOUBT_IS_MINE light: the owner runs the job in doubt without a look at taken_from [X5]
 * control NO_WAIT light: the owner does not wait while RESCUING stands [X5]
 * control LEFT_STAYS light: the owner accepts a rescue and leaves left as it was [X7]
 * control TAKES_AGAIN light: a rescuer does not mind RESCUED
 * control STORES_ZERO stop: the owner clears interrupt by a store, not one bit of it [X7]
 * control TAKEN_RELAXED pso: RESCUED does not release taken_from [X2]
 * control OFFER_RELAXED pso: left does not release the batch and its count [X3]
 * control CLEAR_RELAXED fenced_pso: the end of RESCUED does not release left [X7]
 */
#define PROCESSES (1 + RESCUERS + STOPS)
#define WORDS     5
#define LEFT      0
#define COUNT     1
#define TAKEN     2	/* taken_from */
#define BATCH     3	/* what the jobs are: the number of their batch */
#define RESCUING  1
#define RESCUED   2
#define DISCARD   4
#include "machine.pml"

byte interrupt;		/* changed by read-modify-writes only */
bool ran[BATCHES * SIZE];
byte ended;

inline start(batch, place) {
	atomic { assert(!ran[SIZE * (batch) + (place)]); ran[SIZE * (batch) + (place)] = true }
}

inline yield() {
	atomic { !(interrupt & RESCUING) || NO_WAIT -> seen = interrupt };	/* [X5] */
	mine = true;
	if :: !(seen & RESCUED) :: seen & RESCUED ->
		atomic { count = mem[TAKEN]; mine = index < count || DOUBT_IS_MINE };
		STORE(COUNT, count);
		if :: LEFT_STAYS :: !LEFT_STAYS -> left = 0; STORE(LEFT, 0) fi;
		if :: CLEAR_RELAXED -> FREE :: !CLEAR_RELAXED -> FULL fi;	/* [X7] */
		atomic { if :: STORES_ZERO -> interrupt = 0 :: else -> interrupt = interrupt & (RESCUING | DISCARD) fi }
	fi
}

proctype owner(byte me)
{
	byte batch, left, count, index, seen;	/* left and count are stored by nobody else */
	bool mine;
	do
	:: batch < BATCHES ->
		STORE(BATCH, batch);
		STORE(COUNT, SIZE);
		if :: OFFER_RELAXED :: !OFFER_RELAXED -> REL fi;
		STORE(LEFT, SIZE);	/* [X3] */
		atomic { left = SIZE; count = SIZE };
		do
		:: left > 0 ->
			if :: FLAG_FIRST -> seen = interrupt :: !FLAG_FIRST fi;
			REL; STORE(LEFT, left - 1);	/* [X3] */
			if :: LIGHT || NO_FENCE_OWNER :: !LIGHT && !NO_FENCE_OWNER -> FULL fi;	/* [X6] */
			if :: FLAG_FIRST :: !FLAG_FIRST -> seen = interrupt fi;
			atomic { index = count - left; left--; mine = seen == 0 };
			if :: seen != 0 -> yield() :: seen == 0 fi;
			if :: mine -> start(batch, index) :: !mine fi
		:: left == 0 -> break
		od;
		atomic { batch++; index = 0; seen = 0; mine = false }
	:: batch == BATCHES -> break
	od;
	ended++
}

/* Of the other buffers only the owner's matter. */
#ifdef PSO
inline membarrier() { FULL; empty(buffer[0]) && empty(buffer[1]) }
#else
inline membarrier() { FULL; empty(buffer[0]) }
#endif

proctype rescuer(byte me)
{
	byte round, n, from, batch, place;
	bool got;
	do
	:: round < ROUNDS ->
		if :: LEFT_FIRST -> n = mem[LEFT] :: !LEFT_FIRST fi;
		atomic {
			FREE;
			got = !(interrupt & RESCUING) && (TAKES_AGAIN || !(interrupt & RESCUED));
			if :: got -> interrupt = interrupt | RESCUING :: !got fi
		};
		if
		:: got ->
			if :: LIGHT && !NO_MEMBARRIER -> membarrier() :: else -> FULL fi;	/* [X1] */
			if :: LEFT_FIRST :: !LEFT_FIRST -> n = mem[LEFT] fi;	/* [X4] */
			if :: n == 0 :: n > 0 ->
				atomic { assert(mem[COUNT] >= n); from = mem[COUNT] - n };
				place = from;
				do
				:: place < from + n -> batch = mem[BATCH]; start(batch, place); place++
				:: place == from + n -> break
				od;
				STORE(TAKEN, from)
			fi;
			if :: TAKEN_RELAXED -> FREE :: !TAKEN_RELAXED -> FULL fi;	/* [X2] */
			atomic { interrupt = (interrupt & ~RESCUING) | (n > 0 -> RESCUED : 0) }
		:: !got
		fi;
		atomic { round++; n = 0; from = 0; batch = 0; place = 0; got = false }
	:: round == ROUNDS -> break
	od;
	ended++
}

proctype stopper(byte me) { atomic { FREE; interrupt = interrupt | DISCARD }; ended++ }

init {
	byte n = 1;
	atomic {
		run owner(0);
		do :: n <= RESCUERS -> run rescuer(n); n++ :: else -> break od;
		if :: STOPS -> run stopper(n) :: !STOPS fi;
		n = 0
	};
	ended == PROCESSES;
	do :: n < BATCHES * SIZE -> assert(ran[n]); n++ :: else -> break od;
	assert(interrupt == (STOPS -> DISCARD : 0))
}
#ifdef LIVE
ltl ends { <> (ended == PROCESSES) }
#endif
