# SPDX-License-Identifier: MIT
"""Rounds of measurements: each round runs every case of every peer once, A B C, A B C, ..."""

import copy
import json
import os
import statistics
import subprocess
import sys

from driver import programs

QUEUE_SHAPES = ((1, 1), (2, 2), (1, 2), (2, 1), (4, 4))
POOL_PRODUCERS = (1, 2, 8)
POOL_WORKERS = (1, 2, 4, 16)
LOOPS = ('paced', 'plain')

# Pools also run jobs that compute, with as many workers as CPUs, and jobs that sleep, as their
# kinds "cpu" and "io". They are handed over one by one.
CPUS = len(os.sched_getaffinity(0))
TASK_WORKERS = {'cpu': (CPUS,), 'io': (CPUS, 16)}

# The first two looks at how long a job takes; then as many jobs as fill the time of a run.
FIRST_JOBS = 2000
FIRST_SLOW_JOBS = 200
SECOND_JOBS = 100000
JOBS_MAX = 4000000

# What ratios are ratios to: wpool's way for any number of producers.
BASELINES = {('queue', False): 'wpool', ('queue', True): 'wpool_batch',
             ('pool', False): 'wpool_submit', ('pool', True): 'wpool_submit_batch',
             ('cpu', False): 'wpool_submit', ('io', False): 'wpool_submit'}

# Only a hang takes this long.
LIMIT_S = 120


class Peer:
    """An adapter of a program, as the program lists it."""

    def __init__(self, program, kind, name, grade, producers, workers, about):
        self.program = program
        self.kind = kind            # queue or pool; cpu or io: a pool with such jobs
        self.name = name
        self.bulk = grade == 'bulk'
        self.max_producers = int(producers)
        self.any_workers = workers == '-'
        self.max_workers = 0 if self.any_workers else int(workers)
        self.loops = (None,)
        if kind == 'queue':
            self.loops = LOOPS if grade != 'waiting' else ('plain',)
        self.about = about


def list_peers(program):
    """The adapters of a program that has been built."""
    done = programs.run([program.path, '--list'])
    if done.returncode != 0:
        raise programs.Missing('does not run: ' + programs.last_line(done.stderr))
    peers = [Peer(program, *line.split('\t')) for line in done.stdout.splitlines()]
    if {peer.name for peer in peers} != set(program.peers):
        raise programs.Missing('lists other adapters than bench/peers/driver/programs.py')
    return peers


def with_tasks(peers):
    """The peers, and once more for each task those that can do it."""
    made = list(peers)
    for kind in TASK_WORKERS:
        for peer in peers:
            if peer.kind == 'pool' and not peer.bulk:
                made.append(copy.copy(peer))
                made[-1].kind = kind
    return made


class Case:
    """One peer in one shape, and what was measured of it."""

    def __init__(self, peer, producers, workers, loop):
        self.peer = peer
        self.producers = producers
        self.workers = workers      # None: cannot be chosen
        self.loop = loop
        self.least = FIRST_SLOW_JOBS if peer.kind in TASK_WORKERS else FIRST_JOBS
        self.jobs = None            # per run, once that is known
        self.result = None          # of the last run, in seg_bench's form
        self.runs = {}              # round -> its entry of "runs"
        self.failure = None

    @property
    def shape(self):
        return (self.peer.kind, self.producers, self.workers)

    @property
    def key(self):
        """What tells its result from the others of a file."""
        return (self.peer.name, 'peer_' + self.peer.kind, self.producers, self.workers, self.loop)

    def __str__(self):
        workers = 'any' if self.workers is None else self.workers
        loop = f' {self.loop}' if self.loop else ''
        task = f' {self.peer.kind}' if self.peer.kind in TASK_WORKERS else ''
        return f'{self.peer.name} {self.producers}x{workers}{loop}{task}'

    def command(self, jobs):
        words = [self.peer.program.path, '--peer', self.peer.name, '--jobs', str(jobs),
                 '--producers', str(self.producers), '--workers', str(self.workers or 1)]
        words += ['--task', self.peer.kind] if self.peer.kind in TASK_WORKERS else []
        return words + (['--loop', self.loop] if self.loop else [])

    def run(self, jobs):
        """ns per job of one run; None when it failed, and the reason is kept."""
        try:
            done = programs.run(self.command(jobs), timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.failure = f'did not end within {LIMIT_S} s'
            return None
        if done.returncode != 0:
            why = programs.last_line(done.stderr)
            self.failure = f'exit status {done.returncode}: {why}'
            return None
        self.result = json.loads(done.stdout)['results'][0]
        return self.result['runs'][0]['ns_per_job']

    def calibrate(self, run_ms):
        """Finds out how many jobs fill a run; also a warm-up."""
        ns = self.run(self.least)
        if ns is None:
            return
        second = max(self.least, min(SECOND_JOBS, int(run_ms * 1e6 / 4 / ns)))
        ns = self.run(second) if second > 2 * self.least else ns
        if ns is not None:
            self.choose_jobs(ns, run_ms)

    def choose_jobs(self, ns, run_ms):
        jobs = max(self.least, min(JOBS_MAX, int(run_ms * 1e6 / ns)))
        digits = len(str(jobs)) - 2
        self.jobs = jobs // 10 ** digits * 10 ** digits

    def measure(self, number, run_ms):
        if self.jobs is None:
            self.calibrate(run_ms)
        if self.failure is not None:
            return
        ns, before = self.run(self.jobs), self.jobs
        if ns is not None and ns * before < run_ms * 1e6 / 4:
            # The machine was slow when the jobs were counted: so short a run says little.
            self.choose_jobs(ns, run_ms)
            ns = self.run(self.jobs) if self.jobs > before else ns
        if ns is not None:
            self.runs[number] = {**self.result['runs'][0], 'round': number}


def shapes_of(peer, quick):
    if peer.kind in TASK_WORKERS:
        shapes = [(1, w) for w in ((None,) if peer.any_workers else TASK_WORKERS[peer.kind])]
    elif peer.kind == 'queue':
        shapes = QUEUE_SHAPES[:2] if quick else QUEUE_SHAPES
    else:
        workers = POOL_WORKERS[:2] if quick else POOL_WORKERS
        shapes = [(p, w) for p in (POOL_PRODUCERS[:1] if quick else POOL_PRODUCERS)
                  for w in ((None,) if peer.any_workers else workers)]
    for producers, workers in shapes:
        if peer.max_producers and producers > peer.max_producers:
            continue
        if peer.max_workers and workers > peer.max_workers:
            continue
        if peer.program.spins and producers > 1 and producers + workers > CPUS:
            continue  # minutes: each waits for one that is not running until its time slice ends
        yield producers, workers


def shape_order(case):
    """As the tables have it."""
    if case.peer.kind == 'queue':
        return QUEUE_SHAPES.index((case.producers, case.workers))
    return case.producers * 10000 + (case.workers or 9999)


def plan(peers, quick):
    """All cases, so ordered that those to be compared with each other stand side by side."""
    cases = [Case(peer, producers, workers, loop)
             for peer in peers for producers, workers in shapes_of(peer, quick)
             for loop in peer.loops]
    kinds = ('queue', 'pool', *TASK_WORKERS)
    return sorted(cases, key=lambda case: (kinds.index(case.peer.kind), shape_order(case)))


class Progress:
    """Where the run is, for somebody who waits at a terminal."""

    def __init__(self, total):
        self.total, self.done = total, 0
        self.on = sys.stderr.isatty()

    def step(self, what):
        self.done += 1
        if self.on:
            print(f'\r\033[K{self.done} of {self.total}: {what}', end='', file=sys.stderr,
                  flush=True)

    def end(self):
        if self.on:
            print('\r\033[K', end='', file=sys.stderr, flush=True)


class Raw:
    """The raw limit of every round, and the machine's card: seg_bench knows both."""

    def __init__(self, seg_bench, quick):
        self.seg_bench = seg_bench
        self.command = [seg_bench, '--filter', 'raw_limit', '--runs', '1', '--json', '-']
        if quick:
            self.command.append('--quick')
        self.machine = {}
        self.result = None
        self.runs = {}

    def measure(self, number):
        done = programs.run(self.command, timeout=LIMIT_S)
        if done.returncode != 0:
            raise programs.Missing('seg_bench failed: ' + programs.last_line(done.stderr))
        data = json.loads(done.stdout)
        self.machine = self.machine or data['machine']
        self.result = data['results'][0]
        self.runs[number] = {**self.result['runs'][0], 'round': number}


def rounds(cases, raw, runs, run_ms):
    """Measures `runs` more rounds; True when it was not interrupted.

    A round that was interrupted is ended first. A case's number of jobs is found out when its turn
    comes for the first time.
    """
    last = max((n for one in (raw, *cases) for n in one.runs), default=-1)
    cut = any(last not in case.runs and case.failure is None for case in cases) and last >= 0
    numbers = range(last if cut else last + 1, last + 1 + runs)
    progress = Progress(len(cases) * len(numbers))
    try:
        for number in numbers:
            if number not in raw.runs:
                raw.measure(number)
            for case in cases:
                progress.step(f'{case}, round {number + 1} of {numbers.stop}')
                if number not in case.runs:
                    case.measure(number, run_ms)
    except KeyboardInterrupt:
        return False
    finally:
        progress.end()
    return True


def continue_from(document, cases, raw):
    """What an earlier run measured, taken into the cases of this one."""
    results = {(r.get('peer'), r['workload'], r['params']['producers'], r['params']['workers'],
                r.get('loop')): r for r in document['results']}
    limit = next((r for r in document['results'] if r['workload'] == 'raw_limit'), None)
    failures = {one['case']: one['why'] for one in document['failures']}
    for case in cases:
        case.failure = failures.get(str(case))
        found = results.get(case.key)
        if found:
            take(case, found)
            case.jobs = found['params']['jobs']
    if limit:
        take(raw, limit)
    raw.machine = document['machine']


def take(one, result):
    one.result = result
    one.runs = {run.get('round', number): run for number, run in enumerate(result['runs'])}


# ---- figures ----

def spread(values):
    return {'min': min(values), 'median': statistics.median(values), 'max': max(values)}


def median_of(case):
    return statistics.median(run['ns_per_job'] for run in case.runs.values())


def best(cases):
    """The one with the smaller median: paced or plain."""
    return min((case for case in cases if case.runs), key=median_of, default=None)


def ratio(case, base):
    """Of neighbouring runs, round by round."""
    values = [run['ns_per_job'] / base.runs[number]['ns_per_job']
              for number, run in case.runs.items() if number in base.runs]
    return spread(values) if values else None


def own(cases, name):
    """Shape -> the case of wpool's adapter of this name. Any workers: its first shape."""
    found = {}
    for case in cases:
        if case.peer.name == name and case.runs:
            found.setdefault(case.shape, []).append(case)
    chosen = {shape: best(group) for shape, group in found.items()}
    for shape in list(chosen):
        chosen.setdefault((*shape[:2], None), chosen[shape])
    return chosen


def baselines(cases):
    """(shape, bulk) -> the case of wpool that others are compared with there."""
    return {(shape, bulk): case for (kind, bulk), name in BASELINES.items()
            for shape, case in own(cases, name).items() if shape[0] == kind}


def results(cases, raw):
    """All of it in the form of seg_bench's results."""
    base = baselines(cases)
    made = [] if raw.result is None else [one_result(raw.result, list(raw.runs.values()))]
    for case in cases:
        if not case.runs:
            continue
        result = one_result(case.result, list(case.runs.values()))
        limits = {n: raw.runs[n]['ns_per_job'] for n in case.runs if n in raw.runs}
        for number, run in case.runs.items():
            if number in limits:
                run['ratio_to_raw_limit'] = run['ns_per_job'] / limits[number]
        if limits:
            result['ratio_to_raw_limit'] = spread(
                [case.runs[n]['ratio_to_raw_limit'] for n in limits])
        wpool = base.get((case.shape, case.peer.bulk))
        result['ratio_to_wpool'] = ratio(case, wpool) if wpool else None
        made.append(result)
    return made


def one_result(last, runs):
    result = dict(last)
    result['runs'] = runs
    result['ns_per_job'] = spread([run['ns_per_job'] for run in runs])
    result['cpu_ns_per_job'] = spread([run['cpu_ns'] / run['jobs'] for run in runs])
    result['jobs_per_second'] = 1e9 / result['ns_per_job']['median']
    return result
