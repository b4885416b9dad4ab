/* SPDX-License-Identifier: MIT */
/*
 * The machine that the models run on: memory behind store buffers.
 *
 * A process has a number `me` and a store buffer, first in first out; the process `machine` carries
 * out one entry at a time, whenever it likes. With -DPSO it has two, for the words with even and
 * with odd numbers, that drain independently of each other.
 *
 *     STORE(w, v)  a plain, relaxed or release store: into the buffer
 *     ADD(w, v)    a relaxed addition whose result nobody uses. TSO: a locked instruction, it waits
 *                  until the buffer is empty. PSO: goes into the buffer, as an addition
 *     FULL         (blocks until) the buffer is empty: before each read-modify-write with release
 *                  order, before a system call, and as the fence
 *     RLX(w)       before a relaxed read-modify-write. TSO: as FULL. PSO: only what is buffered
 *                  for this word comes first; FREE is the same for words outside of mem[]
 *     PLAIN(w)     before a load of a word that the process itself stores to
 *
 * Release stores are ordered by FULL before them under PSO (REL). Loads see memory and are done in
 * program order: what the acquire halves are for is not modelled (the explorer does that).
 */
mtype = { put, plus };
byte mem[WORDS];

#ifdef PSO
#define BUFFERS       (2 * PROCESSES)
#define BUFFER(w)     buffer[2 * me + (w) % 2]
#define FULL          empty(buffer[2 * me]) && empty(buffer[2 * me + 1])
#define RLX(w)        empty(BUFFER(w))
#define FREE          true
#define REL           FULL
#define ADD(w, v)     BUFFER(w)!(w), plus, v
#else
#define BUFFERS       PROCESSES
#define BUFFER(w)     buffer[me]
#define FULL          empty(buffer[me])
#define RLX(w)        FULL
#define FREE          FULL
#define REL           true
#define ADD(w, v)     atomic { FULL; mem[w] = mem[w] + (v) }
#endif
#define STORE(w, v)   BUFFER(w)!(w), put, v
#define PLAIN(w)      empty(BUFFER(w))

chan buffer[BUFFERS] = [2] of { byte, mtype, byte };

#define DRAIN_ONE(b) \
	:: atomic { buffer[b]?w, what, v -> mem[w] = (what == put -> v : mem[w] + v); w = 0; v = 0; what = put }

active proctype machine()
{
	byte w, v;
	mtype what = put;
end_machine:
	do
	DRAIN_ONE(0)
#if BUFFERS > 1
	DRAIN_ONE(1)
#endif
#if BUFFERS > 2
	DRAIN_ONE(2)
#endif
#if BUFFERS > 3
	DRAIN_ONE(3)
#endif
#if BUFFERS > 4
	DRAIN_ONE(4)
#endif
#if BUFFERS > 5
	DRAIN_ONE(5)
#endif
#if BUFFERS > 6
	DRAIN_ONE(6)
	DRAIN_ONE(7)
#endif
#if BUFFERS > 8
	DRAIN_ONE(8)
	DRAIN_ONE(9)
#endif
#if BUFFERS > 10
	DRAIN_ONE(10)
	DRAIN_ONE(11)
#endif
	od
}
