#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the Spin models of wpool's protocols.

usage: run.py [--cc COMPILER] [--markdown] [--only NAME] [--trail] MODEL.pml...

A model's opening comment says what is run:

    config NAME: WHAT=VALUE...         has to hold; a word without "=" is a bare -D; LIVE: the
                                       model's ltl formula has to hold, too, under weak fairness
    control SWITCH CONFIG: what it removes     that config with -DSWITCH=1 has to fail

Every switch that is not asked for is 0, and so is every parameter that a config does not name.
Also fails: a model that names a label which the source does not have (any more), or is longer than
150 lines; a model without four controls; a search that did not end, or ended for lack of memory.

Prints a table and, last, "N passed, N failed". --markdown prints the table for the documents,
--only runs one config or control, --trail prints the steps of what failed.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

LINES = 150
CONTROLS = 4
SECONDS = 300       # of processor time of a search; they need a fraction of it
HANGS = 3600        # seconds by the clock
MEGABYTES = 2000
LABEL = re.compile(r'\[([A-Z]{1,3}[0-9]{1,2})\]')
# Of an operation with an order, or of a point where tests interfere.
LABEL_DEFINED = re.compile(r'\[([A-Z]{1,3}[0-9]{1,2})\] (?:rlx|acq|rel|ar|sc)\b'
                           r'|WP_POINT\("([A-Z]{1,3}[0-9]{1,2})"\)')
CONFIG = re.compile(r'^ \* config (\w+): (.*)$', re.M)
CONTROL = re.compile(r'^ \* control (\w+) (\w+): (.*)$', re.M)
INCLUDE = re.compile(r'^#include "(\w+\.pml)"', re.M)


class Model:
    """One .pml file, what its opening comment asks for, and the files it includes."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-len('.pml')]
        self.texts = {}
        self.read(os.path.basename(path))
        head = self.texts[os.path.basename(path)]
        self.configs = {name: words.split() for name, words in CONFIG.findall(head)}
        self.controls = CONTROL.findall(head)

    def read(self, name):
        with open(os.path.join(os.path.dirname(self.path), name), encoding='utf-8') as f:
            self.texts[name] = f.read()
        for other in INCLUDE.findall(self.texts[name]):
            if other not in self.texts:
                self.read(other)

    def defines(self, config, switch=None):
        named = [w.split('=')[0] for c in self.configs.values() for w in c if '=' in w]
        values = dict.fromkeys(named + [c[0] for c in self.controls], '0')
        bare = []
        for word in self.configs[config]:
            name, _, value = word.partition('=')
            if value:
                values[name] = value
            else:
                bare.append(name)
        if switch:
            values[switch] = '1'
        return [f'-D{n}={v}' for n, v in sorted(values.items())] + [f'-D{n}' for n in bare]


def source_labels(tree):
    found = set()
    for folder, _, files in os.walk(os.path.join(tree, 'src')):
        for name in files:
            if name.endswith(('.c', '.h')):
                with open(os.path.join(folder, name), encoding='utf-8') as f:
                    found.update(a or b for a, b in LABEL_DEFINED.findall(f.read()))
    return found


def faults_of_text(model, labels):
    """What is wrong with a model before anything is run."""
    for name, text in model.texts.items():
        lines = text.count('\n')
        if lines > LINES:
            yield f'{name}: {lines} lines; {LINES} is the limit'
        for label in sorted(set(LABEL.findall(text)) - labels):
            yield f'{name}: [{label}] is not a label of the source'
    if len(model.controls) < CONTROLS:
        yield f'{model.name}: {len(model.controls)} controls; there have to be {CONTROLS}'
    for switch, config, _ in model.controls:
        if config not in model.configs:
            yield f'{model.name}: control {switch} is of an unknown config {config}'
        if not re.search(rf'^(?! \*).*\b{switch}\b', '\n'.join(model.texts.values()), re.M):
            yield f'{model.name}: control {switch} is used nowhere'


class Outcome:
    """What a search found: holds, an error, or nothing because it did not finish."""

    def __init__(self, text, seconds, trail=''):
        self.text = text
        self.seconds = seconds
        self.trail = trail
        states = re.search(r'(\d+) states, stored', text)
        self.states = int(states.group(1)) if states else 0
        errors = re.search(r'errors: (\d+)', text)
        incomplete = 'Search not completed' in text or 'max search depth too small' in text
        self.failed = bool(errors) and errors.group(1) != '0'
        self.holds = bool(errors) and not self.failed and not incomplete
        why = re.search(r'pan:\d+: (.*?) \(at depth', text)
        self.why = why.group(1) if why else ''


def command(arguments, folder):
    """(status, output). What takes too long is killed: then the output does not say "errors: 0"."""
    limit = f'ulimit -t {SECONDS} && exec "$@"'
    try:
        done = subprocess.run(['sh', '-c', limit, 'sh', *arguments], cwd=folder, timeout=HANGS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b'').decode(errors='replace')
        return 1, f'{text}\nnot finished after {HANGS} s'
    text = done.stdout.decode(errors='replace')
    if done.returncode < 0:
        text += f'\nkilled by signal {-done.returncode}; the limit is {SECONDS} s of processor time'
    return done.returncode, text


def search(model, defines, switch, options):
    cc = options.cc.split()
    with tempfile.TemporaryDirectory(prefix='wp-model-') as folder:
        for name, text in model.texts.items():
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
                f.write(text)
        begin = time.monotonic()
        code, text = command(['spin', *defines, '-a', model.name + '.pml'], folder)
        if code == 0 and os.path.exists(os.path.join(folder, 'pan.c')):
            live = '-DLIVE' in defines
            # A control ends at its first error: compiling it well takes longer than it runs.
            code, more = command([*cc, '-O0' if switch else '-O1', '-w',
                                  '-DNFAIR=3' if live else '-DSAFETY', '-DCOLLAPSE',
                                  '-DVECTORSZ=2048', f'-DMEMLIM={MEGABYTES}',
                                  '-o', 'pan', 'pan.c'], folder)
            text += more
            if code == 0:
                ways = ['-a', '-f'] if live else []
                code, more = command(['./pan', '-m1000000', '-w22', *ways], folder)
                text += more
        trail = ''
        if options.trail and os.path.exists(os.path.join(folder, model.name + '.pml.trail')):
            _, trail = command(['spin', *defines, '-t', '-p', '-g', model.name + '.pml'], folder)
        return Outcome(text, time.monotonic() - begin, trail)


def row(kind, name, outcome, right):
    said = 'holds' if outcome.holds else f'error: {outcome.why}' if outcome.failed else 'NO RESULT'
    print(f'{"ok  " if right else "FAIL"} {kind:8}{name:22}{outcome.states:>12,} states '
          f'{outcome.seconds:6.1f} s  {said}', flush=True)
    if not right and not outcome.failed and not outcome.holds:
        print(outcome.text)


def run_model(model, options, rows):
    """(passed, failed)"""
    counts = [0, 0]
    jobs = [('config', c, c, None, ' '.join(w)) for c, w in model.configs.items()]
    jobs += [('control', s, c, s, f'{c}: {what}') for s, c, what in model.controls]
    for kind, name, config, switch, what in jobs:
        if options.only and name != options.only:
            continue
        outcome = search(model, model.defines(config, switch), switch, options)
        right = outcome.failed if switch else outcome.holds
        row(kind, name, outcome, right)
        if outcome.trail:
            print(outcome.trail)
        rows.append((model.name, kind, name, what, outcome))
        counts[not right] += 1
    return counts


def print_markdown(rows):
    print('| model | configuration or control | what | states | result |')
    print('|---|---|---|---|---|')
    for model, kind, name, what, outcome in rows:
        said = 'holds' if outcome.holds else f'fails: {outcome.why}'
        print(f'| {model} | {kind} {name} | {what} | {outcome.states:,} | {said} |')


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('\n\n')[1][len('usage: '):])
    parser.add_argument('--cc', default='cc')
    parser.add_argument('--markdown', action='store_true')
    parser.add_argument('--only')
    parser.add_argument('--trail', action='store_true')
    parser.add_argument('models', nargs='+')
    options = parser.parse_args()
    tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
    labels = source_labels(tree)
    passed = failed = 0
    rows = []
    for path in options.models:
        model = Model(path)
        print(f'{model.name}:')
        for fault in faults_of_text(model, labels):
            print('FAIL', fault)
            failed += 1
        p, f = run_model(model, options, rows)
        passed, failed = passed + p, failed + f
    if options.markdown:
        print_markdown(rows)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
