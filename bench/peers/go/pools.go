// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"golang.org/x/sync/errgroup"
)

// library names everything in this program, with the versions that go.mod pins.
func library() string {
	text := runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			text += fmt.Sprintf(", %s %s", dependency.Path, dependency.Version)
		}
	}
	return text
}

// ---- a channel of jobs and goroutines that range over it ----

// Manual: Effective Go, "Parallelization" and "Channels"; "Go Concurrency Patterns: Pipelines and
// cancellation" (a fixed number of goroutines that receive from one channel).
type channelPool struct {
	jobs chan job
	done sync.WaitGroup
}

func openChannelPool(s shape) pool {
	p := &channelPool{jobs: make(chan job, capacity)}
	for range s.workers {
		p.done.Add(1)
		go func() {
			defer p.done.Done()
			for one := range p.jobs {
				one.run(one.id)
			}
		}()
	}
	return p
}

func (p *channelPool) submit(s share) {
	for id := s.id; id < s.end; id++ {
		p.jobs <- job{run: runJob, id: id}
	}
}

func (p *channelPool) finish() {
	close(p.jobs)
	p.done.Wait()
}

// ---- ants ----

// Manual: README of ants, "Pool with func generic" (one function, a payload per job, so no closure is
// made for each) and "Pre-malloc goroutine queue in pool". It has no queue of jobs: Invoke waits for a
// free worker. ReleaseTimeout, "Release Pool", waits for the workers' end; a WaitGroup tells when all
// jobs have run, as in the README's example.
type antsPool struct {
	pool *ants.PoolWithFuncGeneric[uint64]
	left sync.WaitGroup
}

func openAnts(s shape) pool {
	p := new(antsPool)
	made, err := ants.NewPoolWithFuncGeneric(s.workers, func(id uint64) {
		runJob(id)
		p.left.Done()
	}, ants.WithPreAlloc(true))
	must(err)
	p.pool = made
	return p
}

func (p *antsPool) submit(s share) {
	p.left.Add(int(s.end - s.id))
	for id := s.id; id < s.end; id++ {
		must(p.pool.Invoke(id))
	}
}

func (p *antsPool) finish() {
	p.left.Wait()
	p.pool.Release()
}

// ---- pond ----

// Manual: README of pond v2, "Submitting tasks to a pool" (Go, "fire and forget"), "Bounded Pools"
// (WithQueueSize; Go blocks when the queue is full), "Stopping a pool" (StopAndWait). It can submit
// several at once only in groups that are waited for.
type pondPool struct {
	pool pond.Pool
}

func openPond(s shape) pool {
	return &pondPool{pond.NewPool(s.workers, pond.WithQueueSize(capacity))}
}

func (p *pondPool) submit(s share) {
	for id := s.id; id < s.end; id++ {
		must(p.pool.Go(func() { runJob(id) }))
	}
}

func (p *pondPool) finish() {
	p.pool.StopAndWait()
}

// ---- errgroup ----

// Manual: pkg.go.dev/golang.org/x/sync/errgroup, Group.SetLimit, Group.Go, Group.Wait: a goroutine
// for each job, and never more than the limit; Go waits for one to end.
type group struct {
	errgroup.Group
}

func openGroup(s shape) pool {
	g := new(group)
	g.SetLimit(s.workers)
	return g
}

func (g *group) submit(s share) {
	for id := s.id; id < s.end; id++ {
		g.Go(func() error {
			runJob(id)
			return nil
		})
	}
}

func (g *group) finish() {
	must(g.Wait())
}

// ---- a goroutine for each job ----

// Manual: pkg.go.dev/sync, WaitGroup.Go. There are no workers and no bound.
type goroutines struct {
	left sync.WaitGroup
}

func (g *goroutines) submit(s share) {
	for id := s.id; id < s.end; id++ {
		g.left.Go(func() { runJob(id) })
	}
}

func (g *goroutines) finish() {
	g.left.Wait()
}

var pools = []poolEntry{
	{"go_channel_pool", "goroutines that range over a buffered channel", false, openChannelPool},
	{"go_ants", "ants v2: PoolWithFuncGeneric, Invoke", false, openAnts},
	{"go_pond", "pond v2: Go, StopAndWait", false, openPond},
	{"go_errgroup", "errgroup with SetLimit: Go, Wait", false, openGroup},
	{"goroutine_per_job", "WaitGroup.Go", true, func(shape) pool { return new(goroutines) }},
}
