// SPDX-License-Identifier: MIT
//! Peers in Rust: crossbeam's queues and channel, rayon's pool. See ../peer.h for what is timed and
//! ../driver for who runs this; frame.rs does here what peer_main.c and peer_run.c do for C and C++.

mod frame;
mod pools;
mod queues;

fn main() {
    frame::main(&queues::all(), &pools::all());
}
