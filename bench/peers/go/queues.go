// SPDX-License-Identifier: MIT

package main

// A buffered channel of 65,536 jobs by value. Manual: Effective Go, "Channels"; The Go Programming
// Language Specification, "Send statements", "For statements with range clause": consumers block in
// range until the channel is closed. There are no bulk operations.
type channel struct {
	jobs chan job
}

func (c *channel) produce(s share) {
	for id := s.id; id < s.end; id++ {
		c.jobs <- job{run: runJob, id: id}
	}
}

func (c *channel) consume(mine *tally) {
	for one := range c.jobs {
		mine.add(one.id)
	}
}

func (c *channel) close() {
	close(c.jobs)
}

var queues = []queueEntry{
	{"go_channel", "buffered channel: send, range", func(shape) queue {
		return &channel{make(chan job, capacity)}
	}},
}
