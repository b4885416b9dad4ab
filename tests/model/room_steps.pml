/* SPDX-License-Identifier: MIT */
/* The steps of src/queue/room.c, for room.pml. */

#define ROOM(position, h) ((h) + CAPACITY - (position))

inline room_wake(count) {
	if :: atomic { !EPOCH_KEPT -> FULL; mem[EPOCH]++ } :: EPOCH_KEPT fi;	/* [W3] */
	atomic {	/* futex wake, whichever */
		FULL;
		do
		:: count > 0 && asleep[0] -> asleep[0] = false; count--
		:: count > 0 && PRODUCERS > 1 && asleep[1 % PRODUCERS] -> asleep[1 % PRODUCERS] = false; count--
		:: count > 0 && PRODUCERS > 2 && asleep[2 % PRODUCERS] -> asleep[2 % PRODUCERS] = false; count--
		:: else -> count = 0; break
		od
	}
}
inline leave(unused) {
	atomic { RLX(WAITING); k = mem[WAITING] == 1; mem[WAITING]-- };
	if
	:: k -> k = 0;
		atomic { FREE; waiters_bit = false };	/* [W5] */
		if
		:: mem[WAITING] == 0 || NO_REPAIR
		:: mem[WAITING] > 0 && !NO_REPAIR ->
			atomic { FREE; waiters_bit = true; k = EVERYBODY };
			room_wake(k)
		fi
	:: !k && unused && !NO_PASS_ON -> k = 1; room_wake(k)
	:: else
	fi
}
/* until there is room, or the lane is closed; late: or the deadline has passed */
inline wait(position, has) {
	do
	:: if :: !EPOCH_LATE -> e = mem[EPOCH] :: EPOCH_LATE fi;	/* [W1] */
	   if :: BIT_LATE -> h = head :: !BIT_LATE fi;
	   atomic { (FULL || COUNT_RELAXED); waiters_bit = true; h = (BIT_LATE -> h : head) };	/* [W2] */
	   atomic { late = closed || ROOM((has -> position : tail), h) > 0; h = 0 };
	   if :: late && !NO_LOOK -> late = false; break :: !late || NO_LOOK -> late = false fi;
	   if :: EPOCH_LATE -> e = mem[EPOCH] :: !EPOCH_LATE fi;
	   atomic { FULL -> asleep[me] = e == mem[EPOCH]; e = 0 };	/* futex wait */
	   if
	   :: !asleep[me]
	   :: me < IMPATIENT -> asleep[me] = false; late = true; break
	   fi
	od
}
inline plan(least) {	/* wake, keep; for a head that becomes next */
	t = tail;
	w = mem[WAITING];
	atomic {
		wake = 0; keep = true; room = ROOM(t, next);
		if
		:: room >= least ->
			wake = room; keep = room < w && !BIT_DROPPED;
			if :: room >= w -> wake = (EXACT_WAKE -> w : EVERYBODY) :: else fi
		:: else
		fi;
		t = 0; w = 0; room = 0
	}
}
inline room_made() {
	if :: mem[HOLDING] && !HOLDER_UNSEEN -> wake = EVERYBODY :: else fi;
	if :: wake > 0 -> room_wake(wake) :: wake == 0 fi
}
