// SPDX-License-Identifier: MIT

// Peers in Go: a buffered channel, and pools of goroutines. See ../peer.h for what is timed and
// ../driver for who runs this. The frame here does what peer_main.c and peer_run.c do for C and C++.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	capacity  = 65536
	warmShare = 8
	warmMax   = 200000
)

// job is as large as wpool's, and with the same fields.
type job struct {
	run     func(uint64)
	id      uint64
	context uintptr
	cleanup uintptr
}

type shape struct {
	producers, workers int
}

// share is the ids of one producer: from id to end-1.
type share struct {
	id, end uint64
}

// queue is one way to carry jobs. Consumers block until the queue is closed.
type queue interface {
	produce(s share)
	consume(mine *tally)
	close()
}

// pool is one way to run jobs.
type pool interface {
	submit(s share)
	finish() // waits until all have run
}

type queueEntry struct {
	name, about string
	create      func(s shape) queue
}

type poolEntry struct {
	name, about string
	noWorkers   bool
	open        func(s shape) pool
}

type sample struct {
	jobs   uint64
	wallNs float64
	cpuNs  float64
}

func die(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "peer: "+format+"\n", arguments...)
	os.Exit(1)
}

func must(err error) {
	if err != nil {
		die("%v", err)
	}
}

func cpuNs() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func shareOf(s shape, producer int, first, jobs uint64) share {
	begin := func(index int) uint64 {
		return first + jobs*uint64(index)/uint64(s.producers)
	}
	return share{begin(producer), begin(producer + 1)}
}

func warmJobs(jobs uint64) uint64 {
	return min(jobs/warmShare+1, warmMax)
}

// crew runs work in count goroutines that begin together; when the first began, and the CPU time
// before.
func crew(count int, work func(index int)) (time.Time, float64) {
	gate := make(chan struct{})
	begins := make([]time.Time, count)
	var ready, done sync.WaitGroup
	for i := range count {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-gate
			begins[i] = time.Now()
			work(i)
		}()
	}
	ready.Wait()
	cpu := cpuNs()
	close(gate)
	done.Wait()
	return slices.MinFunc(begins, time.Time.Compare), cpu
}

func queuePart(entry queueEntry, s shape, first, jobs uint64) sample {
	q := entry.create(s)
	ends := make([]time.Time, s.workers)
	var consumers sync.WaitGroup
	for i := range s.workers {
		consumers.Add(1)
		go func() {
			defer consumers.Done()
			q.consume(newTally())
			ends[i] = time.Now()
		}()
	}
	begin, cpu := crew(s.producers, func(index int) {
		q.produce(shareOf(s, index, first, jobs))
	})
	q.close()
	consumers.Wait()
	end := slices.MaxFunc(ends, time.Time.Compare)
	return sample{jobs, float64(end.Sub(begin).Nanoseconds()), cpuNs() - cpu}
}

func runQueue(entry queueEntry, s shape, jobs uint64) sample {
	warm := warmJobs(jobs)
	queuePart(entry, s, 1, warm)
	result := queuePart(entry, s, 1+warm, jobs)
	checkTallies(entry.name, warm+jobs)
	return result
}

func runPool(entry poolEntry, s shape, jobs uint64) sample {
	warm := warmJobs(jobs)
	p := entry.open(s)
	crew(s.producers, func(index int) { p.submit(shareOf(s, index, 1, warm)) })
	for countTallies() != warm {
		time.Sleep(200 * time.Microsecond)
	}
	begin, cpu := crew(s.producers, func(index int) {
		p.submit(shareOf(s, index, 1+warm, jobs))
	})
	p.finish()
	wall := time.Since(begin)
	result := sample{jobs, float64(wall.Nanoseconds()), cpuNs() - cpu}
	checkTallies(entry.name, warm+jobs)
	return result
}

// ---- output ----

type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func spreadOf(samples []sample, of func(sample) float64) spread {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s)/float64(s.jobs))
	}
	slices.Sort(values)
	n := len(values)
	return spread{values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]}
}

// writeJSON prints in the form of seg_bench's results.
func writeJSON(peer, workload string, s shape, noWorkers bool, jobs uint64, samples []sample) {
	var runs []map[string]any
	for _, one := range samples {
		runs = append(runs, map[string]any{
			"jobs": one.jobs, "wall_ns": one.wallNs, "cpu_ns": one.cpuNs,
			"ns_per_job":         one.wallNs / float64(one.jobs),
			"ratio_to_raw_limit": nil, "values": map[string]any{},
		})
	}
	params := map[string]any{
		"producers": s.producers, "workers": s.workers, "batch": nil, "segment_size": nil,
		"capacity": nil, "rate": nil, "jobs": jobs,
	}
	if noWorkers {
		params["workers"] = nil
	}
	wall := spreadOf(samples, func(s sample) float64 { return s.wallNs })
	result := map[string]any{
		"workload": workload, "peer": peer, "library": library(), "kind": "time",
		"params": params, "runs": runs, "ns_per_job": wall,
		"cpu_ns_per_job":  spreadOf(samples, func(s sample) float64 { return s.cpuNs }),
		"jobs_per_second": 1e9 / wall.Median, "ratio_to_raw_limit": nil,
		"values": map[string]any{},
	}
	if workload == "peer_queue" {
		result["loop"] = "plain"
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(map[string]any{
		"format": "seg_bench/1", "complete": true,
		"machine": map[string]any{"compiler": runtime.Version()},
		"options": map[string]any{"runs": len(samples)},
		"results": []any{result}, "notes": []any{},
	}))
}

func printList() {
	for _, q := range queues {
		fmt.Printf("queue\t%s\twaiting\t0\t0\t%s\n", q.name, q.about)
	}
	for _, p := range pools {
		workers := "0"
		if p.noWorkers {
			workers = "-"
		}
		fmt.Printf("pool\t%s\tsingle\t0\t%s\t%s\n", p.name, workers, p.about)
	}
}

func wrong(option, text string) {
	fmt.Fprintf(os.Stderr, "peer_go: %s: '%s' is not possible; see --help\n", option, text)
	os.Exit(2)
}

func main() {
	list := flag.Bool("list", false, "print the adapters")
	peer := flag.String("peer", "", "the adapter to run")
	task := flag.String("task", "empty", "jobs of a pool: empty, cpu or io")
	loop := flag.String("loop", "plain", "consumers block, so there is only one: plain")
	producers := flag.Int("producers", 1, "goroutines that send or submit")
	workers := flag.Int("workers", 1, "workers of a pool, or consumers")
	jobs := flag.Uint64("jobs", 100000, "per run")
	runs := flag.Int("runs", 1, "runs")
	flag.Parse()
	if *list {
		printList()
		return
	}
	if *producers < 1 || *workers < 1 || *jobs < 1 || *runs < 1 {
		wrong("a number", "less than 1")
	}
	if *loop != "plain" && *loop != "paced" {
		wrong("loop", *loop)
	}
	workload, known := chooseTask(*task)
	if !known {
		wrong("task", *task)
	}
	if flag.NArg() != 0 {
		wrong("argument", flag.Arg(0))
	}
	s := shape{*producers, *workers}
	var samples []sample
	for _, q := range queues {
		if q.name == *peer {
			for range *runs {
				samples = append(samples, runQueue(q, s, *jobs))
			}
			writeJSON(*peer, "peer_queue", s, false, *jobs, samples)
			return
		}
	}
	for _, p := range pools {
		if p.name == *peer {
			for range *runs {
				samples = append(samples, runPool(p, s, *jobs))
			}
			writeJSON(*peer, workload, s, p.noWorkers, *jobs, samples)
			return
		}
	}
	wrong("peer", *peer)
}
