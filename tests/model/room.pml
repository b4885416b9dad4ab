/* SPDX-License-Identifier: MIT */
/*
 * Waiting for room: src/queue/room.c with the claim of src/queue/segqueue.c.
 *
 * A lane of CAPACITY that is full. PRODUCERS producers each push one job by compare-and-swap and
 * wait where there is no room; IMPATIENT of them have a deadline that may pass at any time: then
 * they try once more, or with GIVES_UP do not. HOLDERS of them took a ticket by fetch-add that is
 * beyond the limit and wait with it. CONSUMERS consumers claim one or two jobs at a time, CLAIMS in
 * all, and then offer_room; CLAIMS just lets the last producer in, so nothing later makes good for
 * a wake-up that is lost: somebody never ends. No patience. CLOSER: a thread that closes the lane.
 *
 * config two: PRODUCERS=2 CONSUMERS=1 CAPACITY=1 CLAIMS=2 WAKE_ROOM=1
 * config three: PRODUCERS=3 CONSUMERS=1 CAPACITY=1 CLAIMS=3 WAKE_ROOM=1
 * config consumers: PRODUCERS=2 CONSUMERS=2 CAPACITY=2 CLAIMS=2 WAKE_ROOM=1
 * config bunch: PRODUCERS=2 CONSUMERS=1 CAPACITY=2 CLAIMS=2 WAKE_ROOM=2
 * config timed: PRODUCERS=2 CONSUMERS=1 CAPACITY=2 CLAIMS=1 WAKE_ROOM=1 IMPATIENT=1
 * config cancelled: PRODUCERS=2 CONSUMERS=1 CAPACITY=2 CLAIMS=1 WAKE_ROOM=1 IMPATIENT=1 GIVES_UP=1
 * config holder: PRODUCERS=2 CONSUMERS=1 CAPACITY=1 CLAIMS=2 WAKE_ROOM=1 HOLDERS=1
 * config close: PRODUCERS=2 CAPACITY=1 WAKE_ROOM=1 HOLDERS=1 CLOSER=1
 * config live: PRODUCERS=2 CONSUMERS=1 CAPACITY=1 CLAIMS=2 WAKE_ROOM=1 HOLDERS=1 LIVE
 * config pso: PRODUCERS=2 CONSUMERS=1 CAPACITY=1 CLAIMS=2 WAKE_ROOM=1 HOLDERS=1 PSO
 * control NO_LOOK two: sleeps without a look at the head that [W2] returned
 * control EPOCH_LATE two: reads the epoch after the look [W1]
 * control BIT_LATE two: looks at head, then sets WAITERS [W2]
 * control EPOCH_KEPT two: wakes without advancing the epoch [W3]
 * control WAKE_BEFORE_HEAD two: the consumer wakes before it moves head [H1] [W3]
 * control BIT_DROPPED consumers: a claim clears WAITERS though it wakes only some [H1]
 * control EXACT_WAKE two: clears WAITERS and wakes as many as were counted before [H1]
 * control NO_REPAIR three: the last one out does not look for others after clearing WAITERS [W5]
 * control NO_PASS_ON cancelled: who gives up does not wake the next [W3]
 * control HOLDER_UNSEEN holder: claims do not look at the holders
 * control NO_OFFER bunch: no look at the room left behind when the consumer stops
 * control CLOSE_QUIET close: the close does not wake [C3] [W3]
 * control COUNT_RELAXED pso: WAITERS set without release: the counts may come later [W2]
 */
#define PROCESSES (PRODUCERS + CONSUMERS + CLOSER)
#define WORDS     4
#define WAITING   0		/* room.waiters */
#define HOLDING   1		/* room.holders */
#define EPOCH     3		/* room.epoch */
#define EVERYBODY 9
#include "machine.pml"

short tail = CAPACITY, head;	/* in tickets */
bool waiters_bit, closed;	/* WAITERS in head, CLOSED in tail */
bool ready[CAPACITY + PRODUCERS];
bool asleep[PRODUCERS];
byte claims, extra, ended;	/* extra: claims for those impatient that got in */

#include "room_steps.pml"

proctype producer(byte me)
{
	short position, h;
	byte e, k;
	bool late;
	if
	:: me >= PRODUCERS - HOLDERS ->	/* with a ticket */
		atomic { FREE; position = tail; tail++ };
		if :: ROOM(position, head) > 0 || closed -> goto in :: else fi;
		ADD(WAITING, 1); ADD(HOLDING, 1);
		wait(position, true);
		atomic { RLX(HOLDING); mem[HOLDING]-- };
		leave(true)
	:: me < PRODUCERS - HOLDERS ->
again:		if
		:: atomic { closed || (late && GIVES_UP) -> goto over }
		:: atomic { !closed && !(late && GIVES_UP) && ROOM(tail, head) > 0 -> position = tail; tail++;
			extra = extra + (me < IMPATIENT); goto in }
		:: !closed && ROOM(tail, head) <= 0 && late -> goto over
		:: !closed && ROOM(tail, head) <= 0 && !late
		fi;
		ADD(WAITING, 1);
		wait(position, false);
		leave(late);
		goto again
	fi;
in:	atomic { FULL; ready[position] = true };	/* [Q2] */
over:	atomic { ended++; position = 0; late = false; k = 0 }
}

proctype consumer(byte me)
{
	short position, next, t, room;
	byte w, wake, batch;
	bool had, keep;
end_idle:
	do
	:: atomic { claims < CLAIMS + extra -> claims++; batch = 1;
		if :: claims < CLAIMS + extra -> claims++; batch = 2 :: true fi };
end_dry:	atomic { ready[head] -> position = head; had = waiters_bit };	/* [Q3] */
		atomic { next = position + 1;
			if :: batch == 2 && ready[next] -> next++ :: batch == 2 && !ready[next] -> claims--; batch = 1 :: else fi };
		keep = had;
		if :: had -> plan(WAKE_ROOM) :: !had fi;
		if :: had && WAKE_BEFORE_HEAD -> room_made() :: else fi;
		if
		:: atomic { FULL && head == position && waiters_bit == had ->	/* [H1] */
			head = next; waiters_bit = had && keep }
		:: FULL && !(head == position && waiters_bit == had) -> goto end_dry
		fi;
		if :: had && !WAKE_BEFORE_HEAD -> room_made() :: else fi;
		if	/* offer_room */
		:: waiters_bit && WAKE_ROOM > 1 && !NO_OFFER -> next = head; plan(1); room_made()
		:: else
		fi;
		atomic { position = 0; next = 0; wake = 0; batch = 0; had = 0; keep = 0 }
	od
}

proctype closer(byte me)
{
	byte k = EVERYBODY;
	atomic { FREE; closed = true };	/* [C3] */
	if :: !CLOSE_QUIET -> room_wake(k) :: CLOSE_QUIET fi
}

#ifdef LIVE
ltl enters { <> (ended == PRODUCERS) }
#endif

init {
	atomic {
		byte n;
		do :: n < CAPACITY -> ready[n] = true; n++ :: else -> n = 0; break od;
		do :: n < PRODUCERS -> run producer(n); n++ :: else -> break od;
		do :: n < PRODUCERS + CONSUMERS -> run consumer(n); n++ :: else -> break od;
		if :: CLOSER -> run closer(n) :: else fi
	};
	ended == PRODUCERS
}
