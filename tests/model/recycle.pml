/* SPDX-License-Identifier: MIT */
/*
 * Segment recycling: src/queue/segqueue.c (directory, claim, retire), segment.c and segpool.c.
 *
 * PRODUCERS producers take TICKETS tickets (below head + CAPACITY, by compare-and-swap), install
 * segments of SIZE slots where there are none, write and publish; CONSUMERS consumers claim one
 * slot at a time, copy it out, retire. ENTRIES directory entries, SEGMENTS segments, all in the
 * free list. A segment number is 1 + its index, 0 is none. Checked: what a consumer copies is the
 * job of its ticket; a segment has no slot published when it is installed; at the end every segment is
 * free once. An entry is lap * 8 + mark * 4 + segment.
 *
 * config single: PRODUCERS=2 CONSUMERS=1 SIZE=1 ENTRIES=4 SEGMENTS=3 CAPACITY=3 TICKETS=4
 * config pair: PRODUCERS=2 CONSUMERS=2 SIZE=2 ENTRIES=1 SEGMENTS=2 CAPACITY=2 TICKETS=4
 * config laps: PRODUCERS=1 CONSUMERS=2 SIZE=1 ENTRIES=2 SEGMENTS=2 CAPACITY=2 TICKETS=5
 * config pso: PRODUCERS=1 CONSUMERS=1 SIZE=1 ENTRIES=2 SEGMENTS=2 CAPACITY=2 TICKETS=4 PSO
 * control NO_TAG single: the free list's top without a tag [F1]
 * control NO_LAP laps: entries without a lap: any installed segment is taken for the block's [D1] [D4]
 * control COUNT_FIRST laps: done is counted before the copy [S1]
 * control HEAD_STORED laps: head is stored, not compared and swapped [H1]
 * control ENTRY_STORED pair: the entry is stored, not compared and swapped [D2]
 * control KEEP_LOSER pair: who loses the installation does not give its segment back [F2]
 * control NO_FLIP laps: a segment's next use has the mark of the one before [D3]
 * control PUBLISH_FIRST laps: the mark is set before the slot is written [Q2]
 * control PUBLISH_RELAXED pso: the mark without release [Q2]
 * control ENTRY_RELAXED pso: segments handed over without release [F2] [D3]
 */
#define PROCESSES (PRODUCERS + CONSUMERS)
#define SLOTS     (SEGMENTS * SIZE)
#define SLOT(s, i)  (2 * (((s) - 1) * SIZE + (i)))	/* even: the jobs */
#define READY(s, i) (SLOT(s, i) + 1)			/* odd: the marks */
#define ENTRY(b)    (2 * SLOTS + 2 * ((b) % ENTRIES) + 1)	/* odd: the directory */
#define NEXT(s)     (2 * SLOTS + 2 * ENTRIES + 2 * (s))	/* even: next_free */
#define WORDS       (2 * SLOTS + 2 * ENTRIES + 2 * SEGMENTS + 2)
#define LAP(b)      ((b) / ENTRIES)
#define FREE_OF(b)  (8 * LAP(b))
#define MATCH(e, b) ((e) % 4 > 0 && (NO_LAP || (e) / 8 == LAP(b)))
#define MARK(e)     ((e) / 4 % 2)
#include "machine.pml"

byte tail, head, top, tag, done[SEGMENTS + 1];	/* tickets; the free list; slots copied out */
bit uses[SEGMENTS + 1];	/* the lowest bit; the mark of the next use is 1 - uses */

inline pop() {	/* s: a free segment, or 0 */
	do
	:: atomic { s = top; g = tag };		/* [F1] */
	   if :: s == 0 -> break :: s > 0 fi;
	   n = mem[NEXT(s)];
	   if
	   :: atomic { FREE && top == s && (tag == g || NO_TAG) -> top = n; tag++; n = 0; g = 0; break }
	   :: FREE && !(top == s && (tag == g || NO_TAG))
	   fi
	od
}
inline push() {	/* s */
	do
	:: n = top;
	   STORE(NEXT(s), n);
	   if
	   :: atomic { (FULL || ENTRY_RELAXED) && top == n -> top = s; n = 0; break }	/* [F2] */
	   :: (FULL || ENTRY_RELAXED) && top != n
	   fi
	od
}
inline is_clear() {
	i = 0;
	do
	:: i < SIZE -> assert(mem[READY(s, i)] == uses[s]); i++
	:: i == SIZE -> i = 0; break
	od;
	assert(done[s] == 0)
}

proctype producer(byte me)
{
	byte t, b, e, s, n, g, i;
	do
	:: atomic { FREE && tail < TICKETS && tail < head + CAPACITY -> t = tail; b = tail / SIZE; tail++ };
look:	   e = mem[ENTRY(b)];			/* [D1] */
	   if
	   :: MATCH(e, b) -> s = e % 4
	   :: e == FREE_OF(b) ->
		pop();
		if :: s == 0 -> top > 0 || mem[ENTRY(b)] != e; goto look :: s > 0 fi;
		if
		:: atomic { FULL && (mem[ENTRY(b)] == e || ENTRY_STORED) ->	/* [D2] */
			is_clear(); e = e + 4 * (1 - uses[s]) + s; mem[ENTRY(b)] = e }
		:: FULL && !(mem[ENTRY(b)] == e || ENTRY_STORED) ->
			if :: KEEP_LOSER -> s = 0 :: !KEEP_LOSER -> push() fi;
			goto look
		fi
	   :: !MATCH(e, b) && e != FREE_OF(b) -> mem[ENTRY(b)] != e; goto look	/* backs off */
	   fi;
	   if :: PUBLISH_FIRST -> mem[READY(s, t % SIZE)] = MARK(e) :: !PUBLISH_FIRST fi;
	   STORE(SLOT(s, t % SIZE), t + 1);
	   atomic { FULL || PUBLISH_RELAXED; mem[READY(s, t % SIZE)] = MARK(e);	/* [Q2] */
		t = 0; b = 0; e = 0; s = 0 }
	:: tail == TICKETS -> break
	od
}

proctype consumer(byte me)
{
	byte h, e, s, n, g, i;
	do
	:: atomic { head < TICKETS -> h = head };
		e = mem[ENTRY(h / SIZE)];	/* [D4] */
		if
		:: MATCH(e, h / SIZE) -> s = e % 4
		:: !MATCH(e, h / SIZE) -> mem[ENTRY(h / SIZE)] != e || head != h; goto dry
		fi;
		if	/* [Q3] */
		:: mem[READY(s, h % SIZE)] == MARK(e) -> e = 0
		:: mem[READY(s, h % SIZE)] != MARK(e) ->
			mem[READY(s, h % SIZE)] == MARK(e) || mem[ENTRY(h / SIZE)] != e || head != h; goto dry
		fi;
		if
		:: atomic { FULL && (head == h || HEAD_STORED) -> head = h + 1 }	/* [H1] */
		:: FULL && head != h && !HEAD_STORED -> goto dry
		fi;
		if :: !COUNT_FIRST -> assert(mem[SLOT(s, h % SIZE)] == h + 1) :: COUNT_FIRST fi;
		atomic { FULL; done[s]++; n = done[s] };	/* [S1] */
		if
		:: atomic { n == SIZE -> n = 0 };	/* retire */
			done[s] = 0; g = s;
			if :: !NO_FLIP -> uses[s] = 1 - uses[s] :: NO_FLIP fi;
			push();
			REL || ENTRY_RELAXED;
			STORE(ENTRY(h / SIZE), FREE_OF(h / SIZE + ENTRIES))	/* [D3] */
		:: n < SIZE -> g = s
		fi;
		if :: COUNT_FIRST -> assert(mem[SLOT(g, h % SIZE)] == h + 1) :: !COUNT_FIRST fi;
dry:		atomic { h = 0; e = 0; s = 0; n = 0; g = 0 }
	:: head == TICKETS -> break
	od
}

init {
	byte n, i;
	atomic {
		do :: n < SEGMENTS -> n++; mem[NEXT(n)] = top; top = n :: else -> n = 0; break od;
		do :: n < PRODUCERS -> run producer(n); n++ :: else -> break od;
		do :: n < PROCESSES -> run consumer(n); n++ :: else -> break od;
		n = 0
	};
	_nr_pr == 2 && head == TICKETS;
	do :: n < BUFFERS -> empty(buffer[n]); n++ :: else -> n = 0; break od;
	do :: top > 0 && n < SEGMENTS -> n++; top = mem[NEXT(top)] :: else -> break od;
	assert(n == SEGMENTS && top == 0)
}
