# SPDX-License-Identifier: MIT
"""This build against another revision, in turns.

Both are built the same way, and their seg_benches are run new, old, old, new, new, old, ... one
round each time, so that a machine that drifts hits both alike. Of each run the key figures are
taken as ratios to the raw limit of the same run, and of each pair the quotient new / old.

How noise is judged. The median of the quotients is what the change cost; from n pairs it is known
only so well. Sorted, the k-th smallest and the k-th largest quotient enclose the true median, with
k such that chance puts it outside on one side in at most 6.25 % of all cases (the sign test): for 7
pairs the 2nd smallest and the 2nd largest. A figure fails when even the lower end is above 1.10:
worse by more than 10 % beyond noise. When only the median is, it is called unsure: measure again
with more runs, on a quieter machine.
"""

import json
import math
import os
import statistics
import subprocess
import tempfile

from . import CannotTell

WORSE = 1.10
CHANCE = 0.0625
RUNS = 7
RUNS_LEAST = 4  # with fewer even the smallest quotient may be above by chance
BENCH_SECONDS = 600  # so generous that only a hang reaches it

# Name, workload, and the parameters that single the case out.
KEYS = (
    ('queue, 1 producer 1 consumer', 'queue_mpmc', {'producers': 1, 'workers': 1}),
    ('queue, 2 producers 2 consumers', 'queue_mpmc', {'producers': 2, 'workers': 2}),
    ('queue, single producer', 'queue_single', {'workers': 1}),
    ('queue, pushes of 64', 'queue_batch', {'batch': 64}),
    ('pool, submit, 1 worker', 'pool_empty', {'producers': 1, 'workers': 1}),
    ('pool, submit, 16 workers', 'pool_empty', {'producers': 1, 'workers': 16}),
    ('pool, submit, 2 producers', 'pool_empty', {'producers': 2, 'workers': 1}),
    ('pool, producer, 1 worker', 'pool_producer', {'producers': 1, 'workers': 1}),
    ('pool, batches of 64, 1 worker', 'pool_batch',
     {'producers': 1, 'workers': 1, 'batch': 64}),
)
WORKLOADS = sorted({workload for _, workload, _ in KEYS})
ARGUMENTS = ('--producers', '1,2', '--workers', '1,2,16', '--batch', '64', '--runs', '1')


def workloads_of(*programs):
    """Those of the key figures that all the programs know; an older one may lack some."""
    known = set(WORKLOADS)
    for program in programs:
        try:
            done = subprocess.run([program, '--list'], stdout=subprocess.PIPE, text=True,
                                  timeout=BENCH_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotTell(f'{program}: cannot be run: {error}') from None
        known &= {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    if not known:
        raise CannotTell('the two have no key figure in common')
    return ','.join(sorted(known))


def run_bench(program, workloads, quick):
    """{name of the figure: ratio to the raw limit} of one run; whether others were busy."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'out.json')
        command = [program, '--filter', workloads, *ARGUMENTS, '--json', path]
        command += ['--quick'] * quick
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, timeout=BENCH_SECONDS, check=False)
        except OSError as error:
            raise CannotTell(f'{program}: {error.strerror}') from None
        except subprocess.TimeoutExpired:
            raise CannotTell(f'{program}: did not end') from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ['no message'])[-1]
            raise CannotTell(f'{program}: ended with status {done.returncode}: {last}')
        try:
            with open(path, encoding='utf-8') as file:
                raw = json.load(file)
            return _ratios(raw), raw['machine'].get('disturbed') is True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise CannotTell(f'{program}: wrote no result that can be read') from None


def _ratios(raw):
    found = {}
    for name, workload, params in KEYS:
        for result in raw['results']:
            if result['workload'] == workload and all(result['params'][key] == value
                                                      for key, value in params.items()):
                found[name] = float(result['ratio_to_raw_limit']['median'])
                break
    return {name: ratio for name, ratio in found.items() if ratio > 0}


def rank(pairs):
    """The k of the text above; 0 when there are too few pairs."""
    k, below = 0, 0.0
    while k < pairs:
        below += math.comb(pairs, k) / 2 ** pairs
        if below > CHANCE:
            break
        k += 1
    return k


class Verdict:
    """What the quotients of one figure say."""

    def __init__(self, quotients):
        ordered = sorted(quotients)
        k = rank(len(ordered))
        self.median = statistics.median(ordered)
        self.low, self.high = ordered[k - 1], ordered[-k]
        self.text = 'WORSE' if self.low > WORSE else \
            'unsure: the noise is too large' if self.median > WORSE else \
            'better' if self.high < 1 / WORSE else ''


def measure(new, old, runs, quick):
    """{name: [quotient per pair]}, and how many runs were disturbed by others."""
    if rank(runs) == 0:
        raise CannotTell(f'{runs} runs are too few to judge noise; at least {RUNS_LEAST}')
    quotients, disturbed, workloads = {}, 0, workloads_of(new, old)
    for pair in range(runs):
        result = {}
        for program in (new, old) if pair % 2 == 0 else (old, new):
            result[program], busy = run_bench(program, workloads, quick)
            disturbed += busy
        for name in result[new]:
            if name in result[old]:
                quotients.setdefault(name, []).append(result[new][name] / result[old][name])
    whole = {name: list_of for name, list_of in quotients.items() if len(list_of) == runs}
    if not whole:
        raise CannotTell('the two have no key figure in common')
    return whole, disturbed


def compare(new, old, revision, runs, quick=False):
    """Prints the table; 0, or 1 when a figure is worse beyond noise."""
    quotients, disturbed = measure(new, old, runs, quick)
    print(f'this build against {revision}: {runs} pairs of runs; quotients of ratios to the raw '
          'limit')
    print(f'  {"":33}{"median":>8}  {"between":>13}')
    worse = 0
    for name, _, _ in KEYS:
        if name not in quotients:
            print(f'  {name:33}not measured by both')
            continue
        verdict = Verdict(quotients[name])
        worse += verdict.text == 'WORSE'
        between = f'{verdict.low:.2f} .. {verdict.high:.2f}'
        print(f'  {name:33}{verdict.median:8.2f}  {between:>13}  {verdict.text}'.rstrip())
    if disturbed:
        print(f'other processes were busy during {disturbed} of {2 * runs} runs')
    print(f'{worse} worse by more than {WORSE - 1:.0%} beyond noise')
    return 1 if worse else 0
