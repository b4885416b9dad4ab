// SPDX-License-Identifier: MIT
//! rayon's thread pool, and threads around crossbeam's channel.
//!
//! Manual: docs.rs/rayon, "ThreadPool::in_place_scope" ("creates a scope that spawns work into this
//! thread-pool" while the closure runs in the calling thread) and "Scope::spawn"; the scope ends when
//! all that was spawned has run. It has no bound, no bulk call and allocates each job.
//!
//! crossbeam_pool is what a Rust programmer writes for a pool: threads that iterate over a bounded
//! channel of jobs (docs.rs/crossbeam-channel, "Sharing channels").

use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::frame::{run_job, Case, Job, Pool, PoolEntry, Share, CAPACITY};

struct Rayon(ThreadPool);

impl Pool for Rayon {
    /// Returns when its own share has run: that is what a scope is.
    fn submit(&self, _: &Case, share: Share) {
        self.0.in_place_scope(|scope| {
            for id in share {
                scope.spawn(move |_| run_job(id));
            }
        });
    }

    fn finish(&mut self) {}
}

struct Channel {
    sender: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Channel {
    fn new(case: &Case) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded::<Job>(CAPACITY);
        let threads = (0..case.workers)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || {
                    for job in receiver {
                        (job.run)(job.id);
                    }
                })
            })
            .collect();
        Channel {
            sender: Some(sender),
            threads,
        }
    }
}

impl Pool for Channel {
    fn submit(&self, _: &Case, share: Share) {
        let sender = self.sender.as_ref().expect("open until finish").clone();
        for id in share {
            sender
                .send(Job::new(id))
                .expect("workers stay until all have been sent");
        }
    }

    fn finish(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker panicked");
        }
    }
}

pub fn all() -> Vec<PoolEntry> {
    vec![
        PoolEntry {
            name: "rayon_scope",
            about: "ThreadPool::in_place_scope, spawn",
            open: |case| {
                let pool = ThreadPoolBuilder::new().num_threads(case.workers).build();
                Box::new(Rayon(pool.expect("rayon's threads could not be created")))
            },
        },
        PoolEntry {
            name: "crossbeam_pool",
            about: "threads that iterate over a bounded channel",
            open: |case| Box::new(Channel::new(case)),
        },
    ]
}
