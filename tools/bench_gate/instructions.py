# SPDX-License-Identifier: MIT
"""Instructions per job, by callgrind, against bench/baseline.json.

bench_count (bench/count.c) does one operation 19,200 times inside a function that callgrind is told
to count in. What makes the figure the same on every machine:

  - Only instructions that lie in bench_count and libwpool.so are counted. The C library picks its
    memcpy by the CPU, and its lock elision, by what it finds; its instructions are left out.
  - The measured function runs in one thread, and nothing in it depends on the clock, on the number
    of CPUs or on another thread; count.c says how.
  - Which instructions there are depends on the compiler. The baseline has an entry for each
    compiler, version, architecture and flags; with another one the check is skipped, visibly.

A count that is more than 3 % above the baseline fails. So does one that is more than 3 % below: a
baseline that is too high would let the next change lose again what this one gained.
"""

import json
import os
import shutil
import subprocess
import tempfile

from . import CannotTell, Skipped

FORMAT = 'wpool-instructions/1'
TOLERANCE = 0.03
COUNTED = ('bench_count', 'libwpool.so')
COUNT_SECONDS = 300  # so generous that only a hang reaches it


def run_program(*command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=COUNT_SECONDS, check=False, **options)
    except OSError as error:
        raise CannotTell(f'{command[0]}: {error.strerror}') from None
    except subprocess.TimeoutExpired:
        raise CannotTell(f'{" ".join(command)}: did not end') from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or 'no message').splitlines()
        raise CannotTell(f'{os.path.basename(command[0])} {command[-1]}: ended with status '
                         f'{done.returncode}: {lines[-1]}')
    return done.stdout


def cost_by_object(lines):
    """{object file: instructions} of a file that callgrind wrote: self cost, calls not included."""
    names, costs = {}, {}
    current, skip = '???', False
    for line in lines:
        line = line.rstrip('\n')
        if line.startswith('ob='):
            number, _, name = line[3:].partition(' ')
            # A name is told once; later only its number is.
            current = names.setdefault(number, name or '???')
        elif line.startswith('cob='):
            number, _, name = line[4:].partition(' ')
            names.setdefault(number, name or '???')
        elif line.startswith('calls='):
            skip = True  # the next line is what the called function cost, callees and all
        elif line[:1].isdigit() or line[:1] in '+-*':
            cost = line.split()[1:2]  # nothing stands for 0
            if not skip and cost:
                costs[current] = costs.get(current, 0) + int(cost[0])
            skip = False
    return costs


def count(program, operation):
    """Instructions per job of an operation."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'callgrind.out')
        # Symbols are looked up at start, so that the first call is like the others.
        environment = {**os.environ, 'LD_BIND_NOW': '1'}
        for name in list(environment):
            # Nobody's settings are to change what the library does.
            if name.startswith(('WP_', 'GLIBC_TUNABLES', 'VALGRIND_OPTS', 'LD_PRELOAD')):
                del environment[name]
        told = run_program('valgrind', '--tool=callgrind', '--toggle-collect=measured',
                           f'--callgrind-out-file={out}', program, operation, env=environment)
        jobs = told.split()
        if len(jobs) != 1 or not jobs[0].isdigit() or int(jobs[0]) == 0:
            raise CannotTell(f'{program} {operation}: told no number of jobs')
        with open(out, encoding='utf-8') as file:
            costs = cost_by_object(file)
    counted = sum(cost for name, cost in costs.items()
                  if os.path.basename(name).startswith(COUNTED))
    if not any('libwpool' in name for name in costs):
        raise CannotTell(f'{program} {operation}: no instruction of libwpool.so was counted')
    return counted / int(jobs[0])


def key_of(program):
    return run_program(program, '--key').strip()


def counts_of(program):
    if shutil.which('valgrind') is None:
        raise Skipped('valgrind is not there (Debian: apt-get install valgrind)')
    return {name: round(count(program, name), 3)
            for name in run_program(program, '--list').split()}


def read_baseline(path):
    """{key: {operation: instructions per job}}"""
    try:
        with open(path, encoding='utf-8') as file:
            raw = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CannotTell(f'{path}: {error.strerror}') from None
    except ValueError as error:
        raise CannotTell(f'{path}: not JSON: {error}') from None
    if not isinstance(raw, dict) or raw.get('format') != FORMAT:
        raise CannotTell(f'{path}: not a baseline (format {FORMAT})')
    table = raw.get('instructions_per_job')
    good = isinstance(table, dict) and all(
        isinstance(row, dict) and all(isinstance(n, (int, float)) and n > 0 for n in row.values())
        for row in table.values())
    if not good:
        raise CannotTell(f'{path}: "instructions_per_job" is not a table of positive numbers')
    return table


def update(program, path):
    """Writes what this build counts into the baseline; other compilers' entries stay."""
    key, table = key_of(program), read_baseline(path)
    table[key] = counts_of(program)
    with open(path + '.new', 'w', encoding='utf-8') as file:
        json.dump({'format': FORMAT, 'instructions_per_job': table}, file, indent=2,
                  sort_keys=True)
        file.write('\n')
    os.replace(path + '.new', path)
    print(f'{path}: {key}')
    for name, number in table[key].items():
        print(f'  {name:18}{number:9.2f}')
    return 0


def check(program, path):
    """0 when all counts are within the tolerance, else 1."""
    key = key_of(program)
    row = read_baseline(path).get(key)
    if row is None:
        raise Skipped(f'there is no baseline for "{key}"; tools/bench-gate --update-baseline makes '
                      'one with gcc and -O3')
    counts = counts_of(program)
    bad = 0
    print(f'instructions per job, {key}')
    for name in sorted(set(row) | set(counts)):
        old, new = row.get(name), counts.get(name)
        if old is None or new is None:
            verdict = 'NOT IN THE BASELINE' if old is None else 'NOT IN THE PROGRAM'
        else:
            verdict = 'MORE' if new > old * (1 + TOLERANCE) else \
                'LESS: update the baseline' if new < old * (1 - TOLERANCE) else ''
        bad += verdict != ''
        figures = ' -> '.join('-' if n is None else f'{n:.2f}' for n in (old, new))
        change = f'{new / old - 1:+.1%}' if old and new else ''
        print(f'  {name:18}{figures:22}{change:8} {verdict}'.rstrip())
    if bad:
        print(f'{bad} beyond {TOLERANCE:.0%}. If that is meant: tools/bench-gate --update-baseline')
    return 1 if bad else 0
