// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	_ "unsafe" // for linkname
)

// tally counts the jobs of one consumer, or of one of the scheduler's processors. It has one writer
// at a time; the frame reads the count while jobs run.
type tally struct {
	count   atomic.Uint64
	sum     uint64
	squares uint64
	_       [104]byte // no line, nor its neighbour, is shared
}

func (t *tally) add(id uint64) {
	t.sum += id
	t.squares += id * id
	t.count.Store(t.count.Load() + 1)
}

var (
	tallies    []*tally
	talliesMu  sync.Mutex
	processors []*tally
)

func newTally() *tally {
	t := new(tally)
	talliesMu.Lock()
	defer talliesMu.Unlock()
	tallies = append(tallies, t)
	return t
}

// A goroutine cannot know which thread it runs on, but it can hold on to its processor for a moment:
// no other goroutine runs there until procUnpin. So a job adds to its processor's tally, without an
// atomic read-modify-write and without a line that all processors write to, as a thread does in C.

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

func init() {
	for range runtime.GOMAXPROCS(0) {
		processors = append(processors, new(tally))
	}
}

// What jobs of pools do besides counting themselves; nil: nothing.
var task func()

var added atomic.Uint64

func compute() {
	var sum uint64
	for i := range uint64(100000) {
		sum += i
	}
	// Where the compiler cannot see that nobody wants it.
	added.Store(sum)
}

// chooseTask sets the task of this name, and names its workload.
func chooseTask(name string) (workload string, known bool) {
	switch name {
	case "empty":
		return "peer_pool", true
	case "cpu":
		task = compute
		return "peer_cpu", true
	case "io":
		task = func() { time.Sleep(time.Millisecond) }
		return "peer_io", true
	}
	return "", false
}

// runJob is the job: it does the task, if there is one, and counts itself.
func runJob(id uint64) {
	if task != nil {
		task()
	}
	processors[procPin()].add(id)
	procUnpin()
}

func everyTally() []*tally {
	talliesMu.Lock()
	defer talliesMu.Unlock()
	return append(append([]*tally(nil), tallies...), processors...)
}

func countTallies() uint64 {
	var count uint64
	for _, t := range everyTally() {
		count += t.count.Load()
	}
	return count
}

// checkTallies ends the program unless the jobs 1 .. jobs ran once each, and forgets them.
func checkTallies(name string, jobs uint64) {
	var count, sum, squares, wantSum, wantSquares uint64
	for _, t := range everyTally() {
		count += t.count.Load()
		sum += t.sum
		squares += t.squares
		t.count.Store(0)
		t.sum, t.squares = 0, 0
	}
	for id := uint64(1); id <= jobs; id++ {
		wantSum += id
		wantSquares += id * id
	}
	if count != jobs || sum != wantSum || squares != wantSquares {
		die("%s: NOT EXACTLY ONCE: %d jobs went in, %d came out; sum of ids %d instead of %d",
			name, jobs, count, sum, wantSum)
	}
	tallies = nil
}
