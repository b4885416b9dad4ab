// SPDX-License-Identifier: MIT
//! crossbeam-queue's SegQueue (unbounded) and ArrayQueue (bounded), crossbeam-channel's bounded.
//!
//! Manual: docs.rs/crossbeam-queue, "SegQueue", "ArrayQueue" (`push` returns the job when full);
//! docs.rs/crossbeam-channel, "Blocking operations" and "Iteration": a consumer of a channel blocks
//! in its iterator, which ends when all senders are gone. None has bulk calls.

use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::{ArrayQueue, SegQueue};

use crate::frame::{wait_for_room, Case, Consumer, Job, Queue, QueueEntry, Share, CAPACITY};

struct Seg(SegQueue<Job>);

impl Queue for Seg {
    fn produce(&self, _: &Case, share: Share) {
        for id in share {
            self.0.push(Job::new(id));
        }
    }

    fn consume(&self, me: &mut Consumer) {
        me.look_for_jobs(|| self.0.pop());
    }
}

struct Array(ArrayQueue<Job>);

impl Queue for Array {
    fn produce(&self, case: &Case, share: Share) {
        let mut looks = 0;
        for id in share {
            let mut job = Job::new(id);
            while let Err(refused) = self.0.push(job) {
                job = refused;
                wait_for_room(case, &mut looks);
            }
        }
    }

    fn consume(&self, me: &mut Consumer) {
        me.look_for_jobs(|| self.0.pop());
    }
}

/// The ends of one part of a run: consumers stop when the last sender is dropped.
struct Ends {
    senders: Vec<Sender<Job>>,
    receiver: Receiver<Job>,
}

struct Channel(Mutex<Ends>);

impl Channel {
    fn ends(case: &Case) -> Ends {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        Ends {
            senders: vec![sender; case.producers],
            receiver,
        }
    }
}

impl Queue for Channel {
    fn begin(&self, case: &Case) {
        *self.0.lock().unwrap() = Channel::ends(case);
    }

    fn produce(&self, _: &Case, share: Share) {
        let sender = self
            .0
            .lock()
            .unwrap()
            .senders
            .pop()
            .expect("a sender for each producer");
        for id in share {
            sender
                .send(Job::new(id))
                .expect("consumers stay until all have been sent");
        }
    }

    fn consume(&self, me: &mut Consumer) {
        let receiver = self.0.lock().unwrap().receiver.clone();
        me.take_until_end(receiver.iter());
    }
}

pub fn all() -> Vec<QueueEntry> {
    vec![
        QueueEntry {
            name: "crossbeam_segqueue",
            grade: "single",
            about: "SegQueue: push, pop",
            create: |_| Box::new(Seg(SegQueue::new())),
        },
        QueueEntry {
            name: "crossbeam_arrayqueue",
            grade: "single",
            about: "ArrayQueue: push, pop",
            create: |_| Box::new(Array(ArrayQueue::new(CAPACITY))),
        },
        QueueEntry {
            name: "crossbeam_channel",
            grade: "waiting",
            about: "bounded channel: send, blocking iteration",
            create: |case| Box::new(Channel(Mutex::new(Channel::ends(case)))),
        },
    ]
}
