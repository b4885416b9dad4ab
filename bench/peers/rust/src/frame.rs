// SPDX-License-Identifier: MIT
//! The frame of the Rust peers: command line, threads, timing, counting, output. It does what
//! peer_main.c, peer_run.c, peer_tally.c and ../../pacer.h do, with the same numbers; a change there
//! belongs here as well.

use std::arch::asm;
use std::cell::Cell;
use std::ops::Range;
use std::process::exit;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

pub const CAPACITY: usize = 65536;
const LIBRARY: &str = "crossbeam-queue 0.3, crossbeam-channel 0.5, rayon 1.12";
const CLAIM: usize = 256;
const WARM_SHARE: u64 = 8;
const WARM_MAX: u64 = 200_000;
const GAP_MIN: u64 = 125;
const GAP_MAX: u64 = 4000;
const EMPTY_MAX: u32 = 64;

/// As large as wpool's job, and with the same fields.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Job {
    pub run: fn(u64),
    pub id: u64,
    context: usize,
    cleanup: usize,
}

const _: () = assert!(std::mem::size_of::<Job>() == 32);

impl Job {
    pub fn new(id: u64) -> Self {
        Job {
            run: run_job,
            id,
            context: 0,
            cleanup: 0,
        }
    }
}

pub struct Case {
    pub producers: usize,
    pub workers: usize,
    pub paced: bool,
    pub crowded: bool,
}

/// The ids of one producer.
pub type Share = Range<u64>;

pub trait Queue: Sync {
    /// Called before each part of a run.
    fn begin(&self, _: &Case) {}
    fn produce(&self, case: &Case, share: Share);
    fn consume(&self, me: &mut Consumer);
}

pub trait Pool: Sync {
    fn submit(&self, case: &Case, share: Share);
    /// Waits until all jobs have run.
    fn finish(&mut self);
}

pub struct QueueEntry {
    pub name: &'static str,
    /// "single", or "waiting" where consumers block and there is one loop only.
    pub grade: &'static str,
    pub about: &'static str,
    pub create: fn(&Case) -> Box<dyn Queue>,
}

pub struct PoolEntry {
    pub name: &'static str,
    pub about: &'static str,
    pub open: fn(&Case) -> Box<dyn Pool>,
}

// ---- counting ----

/// One writer; the frame reads the count while jobs run, the sums at the end.
#[derive(Default)]
struct Tally {
    count: AtomicU64,
    sum: AtomicU64,
    squares: AtomicU64,
}

impl Tally {
    fn add(&self, id: u64) {
        let bump = |field: &AtomicU64, by: u64| {
            field.store(
                field.load(Ordering::Relaxed).wrapping_add(by),
                Ordering::Relaxed,
            )
        };
        bump(&self.count, 1);
        bump(&self.sum, id);
        bump(&self.squares, id.wrapping_mul(id));
    }
}

static TALLIES: Mutex<Vec<&'static CachePadded<Tally>>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Cell<*const Tally> = const { Cell::new(ptr::null()) };
}

fn my_tally() -> &'static Tally {
    let mine = MINE.get();
    // SAFETY: set only below, to something that is never freed.
    if let Some(tally) = unsafe { mine.as_ref() } {
        return tally;
    }
    let tally: &'static CachePadded<Tally> = Box::leak(Box::default());
    TALLIES.lock().unwrap().push(tally);
    MINE.set(&**tally);
    tally
}

/// What jobs of pools do besides counting themselves: an index into TASKS. Set before there are
/// threads.
static TASK: AtomicUsize = AtomicUsize::new(0);
const TASKS: [(&str, &str); 3] = [
    ("empty", "peer_pool"),
    ("cpu", "peer_cpu"),
    ("io", "peer_io"),
];

fn compute() {
    let mut sum = 0u64;
    for i in 0..100_000u64 {
        sum += i;
        // SAFETY: no instruction. The compiler must not know what became of the sum, or it would
        // compute a formula.
        unsafe { asm!("/* {0} */", inout(reg) sum, options(nomem, nostack, preserves_flags)) };
    }
    assert_eq!(sum, 100_000 * 99_999 / 2);
}

/// The job: does the task, if there is one, and counts itself.
pub fn run_job(id: u64) {
    match TASK.load(Ordering::Relaxed) {
        0 => {}
        1 => compute(),
        _ => thread::sleep(Duration::from_millis(1)),
    }
    my_tally().add(id);
}

fn total(of: fn(&Tally) -> &AtomicU64) -> u64 {
    let tallies = TALLIES.lock().unwrap();
    tallies.iter().fold(0, |sum, tally| {
        sum.wrapping_add(of(tally).load(Ordering::Relaxed))
    })
}

fn check(name: &str, jobs: u64) {
    let n = u128::from(jobs);
    let sum = (n * (n + 1) / 2) as u64;
    let squares = (n * (n + 1) * (2 * n + 1) / 6) as u64;
    let found = (
        total(|t| &t.count),
        total(|t| &t.sum),
        total(|t| &t.squares),
    );
    if found != (jobs, sum, squares) {
        die(&format!(
            "{name}: NOT EXACTLY ONCE: {jobs} jobs went in, {} came out; sum of ids {} instead \
             of {sum}",
            found.0, found.1
        ));
    }
    TALLIES.lock().unwrap().clear();
}

fn die(message: &str) -> ! {
    eprintln!("peer: {message}");
    exit(1);
}

// ---- producers and consumers ----

/// For loops that wait for room in a full queue.
pub fn wait_for_room(case: &Case, looks: &mut u32) {
    std::hint::spin_loop();
    *looks += 1;
    if *looks % EMPTY_MAX == 0 || case.crowded {
        thread::yield_now();
    }
}

/// How long to wait between two looks: ../../pacer.h.
struct Pacer {
    gap_ns: u64,
    empty: u32,
    crowded: bool,
}

impl Pacer {
    fn wait(&self) {
        if self.empty != 0 || self.gap_ns == 0 {
            return;
        }
        if self.crowded {
            thread::yield_now();
            return;
        }
        let (begin, gap) = (Instant::now(), Duration::from_nanos(self.gap_ns));
        while begin.elapsed() < gap {
            std::hint::spin_loop();
        }
    }

    fn note(&mut self, found: usize) {
        if found == 0 {
            std::hint::spin_loop();
            self.empty += 1;
            if self.empty >= EMPTY_MAX || self.crowded {
                thread::yield_now();
            }
            return;
        }
        self.empty = 0;
        if found >= CLAIM {
            self.gap_ns /= 2;
        } else if found < CLAIM / 2 {
            self.gap_ns = if self.gap_ns == 0 {
                GAP_MIN
            } else {
                self.gap_ns * 2
            };
        }
        self.gap_ns = self.gap_ns.min(GAP_MAX);
    }
}

pub struct Consumer<'a> {
    case: &'a Case,
    producers_left: &'a AtomicUsize,
    end: Option<Instant>,
}

impl Consumer<'_> {
    /// The loop of a consumer of a queue that gives one job at a time.
    #[inline(always)]
    pub fn look_for_jobs(&mut self, mut pop: impl FnMut() -> Option<Job>) {
        let tally = my_tally();
        let mut pacer = Pacer {
            gap_ns: 0,
            empty: 0,
            crowded: self.case.crowded,
        };
        loop {
            if self.case.paced {
                pacer.wait();
            }
            // Acquire: who sees 0 sees every job that was pushed.
            let last = self.producers_left.load(Ordering::Acquire) == 0;
            let mut found = 0;
            while found < CLAIM {
                let Some(job) = pop() else { break };
                tally.add(job.id);
                found += 1;
            }
            pacer.note(found);
            if !last {
                continue;
            }
            if found == 0 {
                break;
            }
            self.end = Some(Instant::now());
        }
    }

    /// For a queue whose consumers block: until it is closed.
    pub fn take_until_end(&mut self, jobs: impl Iterator<Item = Job>) {
        let tally = my_tally();
        for job in jobs {
            tally.add(job.id);
        }
        self.end = Some(Instant::now());
    }
}

// ---- runs ----

struct Sample {
    jobs: u64,
    wall_ns: f64,
    cpu_ns: f64,
}

fn cpu_ns() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: t is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

fn share_of(case: &Case, producer: usize, jobs: &Range<u64>) -> Share {
    let (count, producers) = (jobs.end - jobs.start, case.producers as u64);
    let begin = |index: u64| jobs.start + count * index / producers;
    begin(producer as u64)..begin(producer as u64 + 1)
}

fn warm_jobs(jobs: u64) -> u64 {
    (jobs / WARM_SHARE + 1).min(WARM_MAX)
}

fn queue_part(queue: &dyn Queue, case: &Case, jobs: Range<u64>) -> Sample {
    let left = AtomicUsize::new(case.producers);
    let gate = Barrier::new(case.producers + case.workers + 1);
    let (left, gate, jobs) = (&left, &gate, &jobs);
    queue.begin(case);
    let mut cpu = 0.0;
    let (begins, ends) = thread::scope(|scope| {
        let consumers: Vec<_> = (0..case.workers)
            .map(|_| {
                scope.spawn(move || {
                    let mut me = Consumer {
                        case,
                        producers_left: left,
                        end: None,
                    };
                    gate.wait();
                    queue.consume(&mut me);
                    me.end
                })
            })
            .collect();
        let producers: Vec<_> = (0..case.producers)
            .map(|index| {
                scope.spawn(move || {
                    gate.wait();
                    let begin = Instant::now();
                    queue.produce(case, share_of(case, index, jobs));
                    let end = Instant::now();
                    left.fetch_sub(1, Ordering::Release);
                    (begin, end)
                })
            })
            .collect();
        cpu = cpu_ns();
        gate.wait();
        let times: Vec<_> = producers.into_iter().map(|t| t.join().unwrap()).collect();
        let mut ends: Vec<_> = times.iter().map(|t| t.1).collect();
        ends.extend(consumers.into_iter().filter_map(|t| t.join().unwrap()));
        (times.into_iter().map(|t| t.0).collect::<Vec<_>>(), ends)
    });
    let wall = *ends.iter().max().unwrap() - *begins.iter().min().unwrap();
    Sample {
        jobs: jobs.end - jobs.start,
        wall_ns: wall.as_nanos() as f64,
        cpu_ns: cpu_ns() - cpu,
    }
}

fn run_queue(entry: &QueueEntry, case: &Case, jobs: u64) -> Sample {
    let warm = warm_jobs(jobs);
    let queue = (entry.create)(case);
    queue_part(&*queue, case, 1..1 + warm);
    let sample = queue_part(&*queue, case, 1 + warm..1 + warm + jobs);
    check(entry.name, warm + jobs);
    sample
}

/// Has the producers submit; when the first of them began, and the CPU time before.
fn pool_part(pool: &dyn Pool, case: &Case, jobs: Range<u64>) -> (Instant, f64) {
    let gate = Barrier::new(case.producers + 1);
    let (gate, jobs) = (&gate, &jobs);
    thread::scope(|scope| {
        let producers: Vec<_> = (0..case.producers)
            .map(|index| {
                scope.spawn(move || {
                    gate.wait();
                    let begin = Instant::now();
                    pool.submit(case, share_of(case, index, jobs));
                    begin
                })
            })
            .collect();
        let cpu = cpu_ns();
        gate.wait();
        (
            producers
                .into_iter()
                .map(|t| t.join().unwrap())
                .min()
                .unwrap(),
            cpu,
        )
    })
}

fn run_pool(entry: &PoolEntry, case: &Case, jobs: u64) -> Sample {
    let warm = warm_jobs(jobs);
    let mut pool = (entry.open)(case);
    pool_part(&*pool, case, 1..1 + warm);
    while total(|t| &t.count) != warm {
        thread::sleep(Duration::from_micros(200));
    }
    let (begin, cpu) = pool_part(&*pool, case, 1 + warm..1 + warm + jobs);
    pool.finish();
    let wall_ns = begin.elapsed().as_nanos() as f64;
    let sample = Sample {
        jobs,
        wall_ns,
        cpu_ns: cpu_ns() - cpu,
    };
    drop(pool);
    check(entry.name, warm + jobs);
    sample
}

// ---- command line and output ----

struct Args {
    peer: String,
    paced: bool,
    producers: usize,
    workers: usize,
    jobs: u64,
    runs: usize,
}

fn wrong(option: &str, text: &str) -> ! {
    eprintln!("peer_rust: {option}: '{text}' is not possible; see --help");
    exit(2);
}

fn print_list(queues: &[QueueEntry], pools: &[PoolEntry]) {
    for q in queues {
        println!("queue\t{}\t{}\t0\t0\t{}", q.name, q.grade, q.about);
    }
    for p in pools {
        println!("pool\t{}\tsingle\t0\t0\t{}", p.name, p.about);
    }
}

fn parse(queues: &[QueueEntry], pools: &[PoolEntry]) -> Args {
    let mut args = Args {
        peer: String::new(),
        paced: true,
        producers: 1,
        workers: 1,
        jobs: 100_000,
        runs: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        match option.as_str() {
            "--list" => {
                print_list(queues, pools);
                exit(0);
            }
            "--help" => {
                println!("usage: peer_rust [--list | --peer NAME [option ...]]");
                println!(
                    "Options as in the other programs of bench/peers: --producers, --workers,"
                );
                println!("--loop paced|plain, --task empty|cpu|io, --jobs, --runs.");
                exit(0);
            }
            _ => {}
        }
        let text = words.next().unwrap_or_else(|| wrong(&option, ""));
        let number = |most: u64| match text.parse::<u64>() {
            Ok(n) if n >= 1 && n <= most => n,
            _ => wrong(&option, &text),
        };
        match option.as_str() {
            "--peer" => args.peer = text,
            "--producers" => args.producers = number(1024) as usize,
            "--workers" => args.workers = number(1024) as usize,
            "--jobs" => args.jobs = number(1_000_000_000),
            "--runs" => args.runs = number(1000) as usize,
            "--task" => match TASKS.iter().position(|task| task.0 == text) {
                Some(index) => TASK.store(index, Ordering::Relaxed),
                None => wrong(&option, &text),
            },
            "--loop" if text == "paced" || text == "plain" => args.paced = text == "paced",
            _ => wrong(&option, &text),
        }
    }
    args
}

fn spread(samples: &[Sample], of: fn(&Sample) -> f64) -> (f64, String) {
    let mut values: Vec<f64> = samples.iter().map(|s| of(s) / s.jobs as f64).collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let median = (values[(n - 1) / 2] + values[n / 2]) / 2.0;
    let text = format!(
        "{{ \"min\": {}, \"median\": {median}, \"max\": {} }}",
        values[0],
        values[n - 1]
    );
    (median, text)
}

fn print_json(args: &Args, queue: bool, samples: &[Sample]) {
    let (median, wall) = spread(samples, |s| s.wall_ns);
    let (_, cpu) = spread(samples, |s| s.cpu_ns);
    let runs: Vec<String> = samples
        .iter()
        .map(|s| {
            format!(
                "        {{ \"jobs\": {}, \"wall_ns\": {}, \"cpu_ns\": {}, \"ns_per_job\": {}, \
                 \"ratio_to_raw_limit\": null, \"values\": {{}} }}",
                s.jobs,
                s.wall_ns,
                s.cpu_ns,
                s.wall_ns / s.jobs as f64
            )
        })
        .collect();
    let (workload, which) = match (queue, args.paced) {
        (true, true) => ("peer_queue", "\"loop\": \"paced\", "),
        (true, false) => ("peer_queue", "\"loop\": \"plain\", "),
        (false, _) => (TASKS[TASK.load(Ordering::Relaxed)].1, ""),
    };
    println!(
        "{{\n  \"format\": \"seg_bench/1\",\n  \"complete\": true,\n  \"machine\": {{}},\n  \
         \"options\": {{ \"runs\": {} }},\n  \"results\": [\n    {{\n      \
         \"workload\": \"{workload}\", \"peer\": \"{}\", \"library\": \"{}\", {which}\
         \"kind\": \"time\",\n      \"params\": {{ \"producers\": {}, \"workers\": {}, \
         \"batch\": null, \"segment_size\": null, \"capacity\": null, \"rate\": null, \
         \"jobs\": {} }},\n      \"runs\": [\n{}\n      ],\n      \"ns_per_job\": {wall},\n      \
         \"cpu_ns_per_job\": {cpu},\n      \"jobs_per_second\": {},\n      \
         \"ratio_to_raw_limit\": null,\n      \"values\": {{}}\n    }}\n  ],\n  \
         \"notes\": []\n}}",
        args.runs,
        args.peer,
        LIBRARY,
        args.producers,
        args.workers,
        args.jobs,
        runs.join(",\n"),
        1e9 / median
    );
}

pub fn main(queues: &[QueueEntry], pools: &[PoolEntry]) {
    let args = parse(queues, pools);
    let cpus = thread::available_parallelism().map_or(1, |n| n.get());
    let case = Case {
        producers: args.producers,
        workers: args.workers,
        paced: args.paced,
        crowded: args.producers + args.workers > cpus,
    };
    let queue = queues.iter().find(|q| q.name == args.peer);
    let pool = pools.iter().find(|p| p.name == args.peer);
    let samples: Vec<Sample> = (0..args.runs)
        .map(|_| match (queue, pool) {
            (Some(queue), _) => run_queue(queue, &case, args.jobs),
            (_, Some(pool)) => run_pool(pool, &case, args.jobs),
            _ => wrong("--peer", &args.peer),
        })
        .collect();
    print_json(&args, queue.is_some(), &samples);
}
