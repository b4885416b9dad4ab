/* SPDX-License-Identifier: MIT */
/*
 * A lane with one producer: sleep and close, src/queue/single.h.
 *
 * The producer pushes JOBS jobs; a consumer takes them and sleeps when it finds the lane empty;
 * CLOSERS threads close it. Without closers the consumer ends with the last job. Everybody has to
 * end: a sleeper that is not woken, or a promise that is not kept, is a deadlock. LIGHT: the other
 * side's membarrier waits for each store buffer in turn, and the producer executes no fence.
 *
 * config sleep: LIGHT=1 JOBS=3 CLOSERS=0
 * config close: LIGHT=1 JOBS=2 CLOSERS=1
 * config twice: LIGHT=1 JOBS=2 CLOSERS=2
 * config fenced: LIGHT=0 JOBS=2 CLOSERS=1
 * config pso: LIGHT=1 JOBS=2 CLOSERS=1 PSO
 * control NO_FENCE sleep: the sleeper passes no heavy fence [G2]
 * control NO_FENCE_CLOSER close: the closer passes no heavy fence [G2]
 * control NO_FENCE_PRODUCER fenced: no membarrier, and no fence in the producer either [G1]
 * control SIGNAL_FIRST sleep: the producer reads the signal, then stores tail [G1]
 * control LOOK_FIRST sleep: the sleeper looks at tail, then sets ASLEEP [G3]
 * control NO_LOOK sleep: the sleeper does not look after the fence
 * control FINAL_FIRST close: the closer reads tail before the fence [G2]
 * control REFUSE_AT_ONCE close: a push that sees CLOSED does not wait for final
 * control SECOND_RETURNS twice: who is not the first to close returns without a final
 * control WAKE_SPLIT close: ASLEEP is read and then cleared, not by one operation [G4]
 */
#define PROCESSES (2 + CLOSERS)
#define WORDS     2
#define TAIL      0	/* tickets */
#define MARK      1	/* jobs published: a release store each */
#include "machine.pml"

bool is_asleep, is_closed;	/* signal: changed by read-modify-writes only */
bool listed = true;	/* consumers look at the lane */
bool returned;		/* a close */
byte final;		/* 1 + tail */
byte accepted, claimed, ended;

inline heavy_fence() {
	FULL;
	if
	:: LIGHT -> all_pass()	/* [G2] membarrier: not at one instant */
	:: !LIGHT
	fi
}
/* Of the other buffers only the producer's ever have anything in them. */
inline all_pass() { empty(buffer[0]); empty(buffer[1]) }

inline wake() {	/* [G4] */
	if
	:: !WAKE_SPLIT -> atomic { FREE; took = is_asleep; is_asleep = false }
	:: WAKE_SPLIT -> took = is_asleep; is_asleep = false
	fi;
	if
	:: atomic { took -> assert(!listed); listed = true; took = false }
	:: !took
	fi
}

proctype producer(byte me)
{
	byte n;
	bool a, c, late, took;
	do
	:: n < JOBS ->
		late = returned;
		if :: SIGNAL_FIRST -> a = is_asleep; c = is_closed :: !SIGNAL_FIRST fi;
		STORE(TAIL, n + 1);
		if :: LIGHT || NO_FENCE_PRODUCER :: !LIGHT && !NO_FENCE_PRODUCER -> FULL fi;	/* [G1] */
		if :: !SIGNAL_FIRST -> atomic { a = is_asleep; c = is_closed } :: SIGNAL_FIRST fi;
		if
		:: c && REFUSE_AT_ONCE -> break
		:: c && !REFUSE_AT_ONCE ->
			final > 0;
			if :: n + 1 > final - 1 -> break :: n + 1 <= final - 1 fi
		:: !c
		fi;
		assert(!late);	/* no close had returned when this push began */
		REL; STORE(MARK, n + 1);
		atomic { n++; accepted = n };
		if :: a -> wake() :: !a fi;
		atomic { a = false; c = false; late = false }
	:: n == JOBS -> break
	od;
	if :: accepted < JOBS -> final > 0; assert(accepted == final - 1) :: else fi;
	FULL;
	ended++
}

proctype consumer(byte me)
{
	byte t;
	bool took;
	do
	:: claimed < mem[MARK] -> claimed++
	:: claimed == mem[MARK] ->
		if
		:: CLOSERS == 0 && claimed == JOBS -> break
		:: CLOSERS > 0 && final > 0 && claimed >= final - 1 -> break
		:: else
		fi;
		listed = false;
		if :: LOOK_FIRST -> t = mem[TAIL] :: !LOOK_FIRST fi;
		atomic { FULL; is_asleep = true };	/* [G3] */
		if :: !NO_FENCE -> heavy_fence() :: NO_FENCE fi;
		if :: !LOOK_FIRST -> t = mem[TAIL] :: LOOK_FIRST fi;	/* [G5] */
		if
		:: is_closed -> t = 255	/* nobody sleeps on it any more */
		:: !is_closed
		fi;
		if
		:: t == claimed || NO_LOOK
		:: t != claimed && !NO_LOOK -> wake()
		fi;
		t = 0;
		listed	/* sleeps, or the one who was faster is about to list it */
	od;
	assert(CLOSERS == 0 || claimed == final - 1);
	ended++
}

proctype closer(byte me)
{
	byte t;
	bool first, took;
	atomic { FREE; first = !is_closed; is_closed = true };
	if
	:: SECOND_RETURNS && !first
	:: !(SECOND_RETURNS && !first) ->
		if :: FINAL_FIRST -> t = mem[TAIL] :: !FINAL_FIRST fi;
		if :: !NO_FENCE_CLOSER -> heavy_fence() :: NO_FENCE_CLOSER fi;
		if :: !FINAL_FIRST -> t = mem[TAIL] :: FINAL_FIRST fi;
		atomic { if :: final == 0 -> final = t + 1 :: else fi };
		wake()
	fi;
	returned = true;
	ended++
}

init {
	atomic {
		byte n;
		run producer(0); run consumer(1);
		n = 2;
		do :: n < PROCESSES -> run closer(n); n++ :: else -> break od
	};
	ended == PROCESSES;
	assert(accepted == claimed && (CLOSERS == 0 || accepted == final - 1))
}
