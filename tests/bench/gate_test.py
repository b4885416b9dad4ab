#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/bench-gate: what it counts, what it calls worse, what it refuses. Programs are made up.

usage: gate_test.py TREE
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TREE = os.path.abspath(sys.argv.pop(1))
GATE = os.path.join(TREE, 'tools', 'bench-gate')
sys.path.insert(0, os.path.join(TREE, 'tools'))
from bench_gate import CannotTell, instructions, timing  # noqa: E402

CALLGRIND = '''# callgrind format
version: 1
positions: line
events: Ir
summary: 1000

ob=(1) /usr/lib/ld.so
fl=(1) ???
fn=(0) start
cob=(2) /somewhere/bench_count
cfi=(1)
cfn=(1) measured
calls=1 0
0 1000

ob=(2)
fn=(1)
0 7
+3 5
cob=(3) /somewhere/libwpool.so.0.1.0
cfn=(2) wp_submit
calls=10 0
* 900
-1 2

fl=(2) x.c
ob=(3)
fn=(2)
12 400
*
cob=(4) /usr/lib/libc.so.6
cfn=(3) memcpy
calls=10 5
0 450

ob=(4)
fn=(3)
0 450
totals: 1000
'''

# Takes the place of seg_bench: writes a result whose pool figures are FACTOR times 20 ns, with some
# noise that depends on how often it has been called.
FAKE_BENCH = '''#!{python}
import json, os, sys
if sys.argv[1] == '--list':
    print('raw_limit  x\\nqueue_mpmc  y\\n           --producers 1\\npool_empty  z{also}')
    sys.exit(0)
here = os.path.dirname(os.path.abspath(__file__))
counter = os.path.join(here, 'calls')
calls = int(open(counter).read()) if os.path.exists(counter) else 0
open(counter, 'w').write(str(calls + 1))
noise = {noise}[calls % len({noise})]
def result(workload, ratio, **params):
    return dict(workload=workload, params=dict(dict(producers=1, workers=1, batch=None), **params),
                ratio_to_raw_limit=dict(median=ratio * {factor} * noise))
results = [dict(workload='raw_limit', params={{}}, ratio_to_raw_limit=dict(median=1)),
           result('queue_mpmc', 5), result('pool_empty', 7), result('pool_empty', 8, workers=16)]
path = sys.argv[sys.argv.index('--json') + 1]
workloads = sys.argv[sys.argv.index('--filter') + 1]
{more}
json.dump(dict(machine=dict(disturbed={disturbed}), results=results), open(path, 'w'))
'''

# Takes the place of bench_count.
FAKE_COUNT = '''#!/bin/sh
case $1 in
--key) echo "{key}" ;;
--list) echo "submit drain" ;;
*) {action} ;;
esac
'''

# Takes the place of valgrind: writes what it is told instructions are.
FAKE_VALGRIND = '''#!/bin/sh
for word; do case $word in --callgrind-out-file=*) out=${{word#*=}} ;; submit) n={submit} ;;
drain) n={drain} ;; esac; done
printf 'ob=(1) /x/libwpool.so.0\\n0 %s\\nob=(2) /x/libc.so.6\\n0 99999\\n' $n >$out
echo 100
'''


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def script(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def gate(self, *arguments, path=None):
        environment = {**os.environ, 'PATH': path or os.environ['PATH']}
        return subprocess.run([sys.executable, GATE, *arguments], text=True, capture_output=True,
                              env=environment, check=False)


class counting(Folder):
    """Instructions per job."""

    def test_self_cost_of_each_object(self):
        costs = instructions.cost_by_object(CALLGRIND.splitlines(keepends=True))
        self.assertEqual(costs, {'/somewhere/bench_count': 14,
                                 '/somewhere/libwpool.so.0.1.0': 400, '/usr/lib/libc.so.6': 450})

    def counts(self, submit, drain, key='cc 1', action='echo 100'):
        program = self.script('bench_count', FAKE_COUNT.format(key=key, action=action))
        self.script('bin/valgrind', FAKE_VALGRIND.format(submit=submit, drain=drain))
        self.baseline = os.path.join(self.folder, 'baseline.json')
        return ('--program', program, '--baseline', self.baseline)

    def run_gate(self, *arguments):
        return self.gate(*arguments, path=os.path.join(self.folder, 'bin') + ':' +
                         os.environ['PATH'])

    def test_baseline_is_kept_within_three_per_cent(self):
        done = self.run_gate('--update-baseline', *self.counts(1000, 500))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.baseline, encoding='utf-8') as file:
            self.assertEqual(json.load(file)['instructions_per_job'],
                             {'cc 1': {'submit': 10.0, 'drain': 5.0}})
        for submit, drain, status, word in (
                (1000, 500, 0, ''), (1029, 486, 0, ''), (1031, 500, 1, 'MORE'),
                (1000, 484, 1, 'LESS'), (2000, 100, 1, 'MORE')):
            done = self.run_gate('--instructions', *self.counts(submit, drain))
            self.assertEqual(done.returncode, status, done.stdout)
            self.assertIn(word, done.stdout)

    def test_update_keeps_other_compilers(self):
        self.run_gate('--update-baseline', *self.counts(1000, 500))
        self.run_gate('--update-baseline', *self.counts(2000, 600, key='cc 2'))
        with open(self.baseline, encoding='utf-8') as file:
            table = json.load(file)['instructions_per_job']
        self.assertEqual(table, {'cc 1': {'submit': 10.0, 'drain': 5.0},
                                 'cc 2': {'submit': 20.0, 'drain': 6.0}})

    def test_an_operation_that_comes_or_goes_is_told(self):
        arguments = self.counts(1000, 500)
        for row, word in (({'submit': 10}, 'NOT IN THE BASELINE'),
                          ({'submit': 10, 'drain': 5, 'lane': 3}, 'NOT IN THE PROGRAM')):
            with open(self.baseline, 'w', encoding='utf-8') as file:
                json.dump({'format': instructions.FORMAT, 'instructions_per_job': {'cc 1': row}},
                          file)
            done = self.run_gate('--instructions', *arguments)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(word, done.stdout)

    def test_another_compiler_is_skipped(self):
        self.run_gate('--update-baseline', *self.counts(1000, 500))
        done = self.run_gate('--instructions', *self.counts(1000, 500, key='cc 2'))
        self.assertEqual(done.returncode, 77)
        self.assertIn('skipped: there is no baseline for "cc 2"', done.stdout)

    def test_no_valgrind_is_skipped(self):
        self.run_gate('--update-baseline', *self.counts(1000, 500))
        os.remove(os.path.join(self.folder, 'bin', 'valgrind'))
        os.symlink(shutil.which('sh'), os.path.join(self.folder, 'bin', 'sh'))
        done = self.gate('--instructions', *self.counts(1, 1)[:4],
                         path=os.path.join(self.folder, 'nothing'))
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertIn('valgrind', done.stdout)

    def test_a_broken_baseline_is_told_in_one_line(self):
        arguments = self.counts(1000, 500)
        for text in ('', '[]', '{}', '{"format": "wpool-instructions/1"}',
                     '{"format": "wpool-instructions/1", "instructions_per_job": {"cc 1": 3}}',
                     '{"format": "wpool-instructions/1", "instructions_per_job": '
                     '{"cc 1": {"submit": 0}}}'):
            with open(self.baseline, 'w', encoding='utf-8') as file:
                file.write(text)
            done = self.run_gate('--instructions', *arguments)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)

    def test_programs_that_fail_are_told_in_one_line(self):
        self.run_gate('--update-baseline', *self.counts(1000, 500))
        self.counts(1000, 500)
        self.script('bin/valgrind', '#!/bin/sh\necho oh dear >&2\nexit 3\n')
        done = self.run_gate('--instructions', '--program', os.path.join(self.folder,
                             'bench_count'), '--baseline', self.baseline)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn('oh dear', done.stderr)
        done = self.run_gate('--instructions', '--program', '/nonexistent')
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)

    def test_the_baseline_of_this_tree_can_be_read(self):
        table = instructions.read_baseline(os.path.join(TREE, 'bench', 'baseline.json'))
        for row in table.values():
            self.assertLessEqual({'submit', 'submit_batch_64', 'drain'}, set(row))


class against(Folder):
    """Time against another revision."""

    def bench(self, name, factor=1.0, noise=(1.0, 1.01, 0.99), more='', also='',
              disturbed=False):
        return self.script(f'{name}/seg_bench', FAKE_BENCH.format(
            python=sys.executable, factor=factor, noise=noise, more=more, also=also,
            disturbed=disturbed))

    def verdicts(self, quotients):
        return timing.Verdict(quotients).text

    def test_rank(self):
        # 7 pairs: (1 + 7) / 128 = 6.25 % for the second smallest; (1 + 7 + 21) / 128 for the third.
        self.assertEqual([timing.rank(n) for n in (1, 3, 4, 6, 7, 9, 10, 20)],
                         [0, 0, 1, 1, 2, 2, 3, 7])

    def test_worse_only_beyond_noise(self):
        self.assertEqual(self.verdicts([1.2, 1.21, 1.19, 1.2, 1.22, 1.2, 1.2]), 'WORSE')
        # One run of seven may lie, two may not.
        self.assertEqual(self.verdicts([0.7, 1.21, 1.19, 1.2, 1.22, 1.2, 1.2]), 'WORSE')
        self.assertTrue(self.verdicts([0.7, 0.8, 1.19, 1.2, 1.22, 1.2, 1.2]).startswith('unsure'))
        self.assertEqual(self.verdicts([1.09, 1.08, 1.05, 1.09, 1.05, 1.05, 1.09]), '')
        self.assertEqual(self.verdicts([0.9, 1.1, 1.5, 0.7, 1.0, 1.0, 1.05]), '')
        self.assertEqual(self.verdicts([0.5, 0.6, 0.5, 0.5, 0.5, 0.5, 0.9]), 'better')

    def test_compare(self):
        for factor, status in ((1.0, 0), (1.3, 1), (0.7, 0)):
            new = self.bench(f'new{factor}', factor)
            old = self.bench(f'old{factor}')
            self.assertEqual(timing.compare(new, old, 'REV', 7), status)

    def test_the_two_take_turns(self):
        log = os.path.join(self.folder, 'log')
        for name in ('new', 'old'):
            setattr(self, name, self.bench(name, more=f"open({log!r}, 'a').write('{name[0]}')"))
        timing.compare(self.new, self.old, 'REV', 4)
        with open(log, encoding='utf-8') as file:
            self.assertEqual(file.read(), 'noonnoon')

    def test_only_what_both_know_is_asked_for(self):
        log = os.path.join(self.folder, 'log')
        more = f"open({log!r}, 'a').write(workloads + ';')"
        new = self.bench('new', more=more, also='\\nqueue_single  w')
        timing.compare(new, self.bench('old', more=more), 'REV', 4)
        with open(log, encoding='utf-8') as file:
            self.assertEqual(set(file.read().split(';')), {'pool_empty,queue_mpmc', ''})

    def test_what_cannot_be_told(self):
        good = self.bench('good')
        for more in ('sys.exit(1)', 'results = []', 'results = 5',
                     "results[0].pop('workload')"):
            with self.assertRaises(CannotTell):
                timing.compare(self.bench('bad', more=more), good, 'REV', 4)
        with self.assertRaises(CannotTell):
            timing.compare('/nonexistent', good, 'REV', 4)
        with self.assertRaises(CannotTell):
            timing.compare(good, good, 'REV', 3)

    def test_arguments(self):
        for arguments in ((), ('--nonsense',), ('HEAD', '--instructions'), ('HEAD', '--runs', '3'),
                          ('--instructions', '--update-baseline'), ('HEAD', '--runs', 'x'),
                          ('a', 'b')):
            done = self.gate(*arguments)
            self.assertEqual((done.returncode, len(done.stderr.splitlines()), done.stdout),
                             (2, 1, ''), done.stderr)
        self.assertEqual(self.gate('--help').returncode, 0)

    def test_no_such_revision(self):
        for revision in ('no-such-revision', '--output=x', 'HEAD:README.md', ''):
            done = self.gate('--', revision)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
