#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests tools/bench-peers with the peers that need no package; not how fast anything is.

usage: peers_test.py TREE BUILD CFLAGS COMPILER...    BUILD has libwpool.a and seg_bench
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

TREE = BUILD = ''
ENV = {}

# Only a hang takes this long.
LIMIT_S = 500

PEERS = 'wpool,textbook'


def bench(*args, env=None, build=None, wpool_build=None):
    return subprocess.run(
        [sys.executable, os.path.join(TREE, 'tools', 'bench-peers'), '--build', build or FOLDER,
         '--wpool-build', wpool_build or BUILD, *args],
        capture_output=True, text=True, timeout=LIMIT_S, env=env or ENV, check=False)


class Arguments(unittest.TestCase):
    """The command line."""

    def refused(self, *args):
        result = bench(*args)
        self.assertEqual((result.returncode, result.stdout), (2, ''), args)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertTrue(result.stderr.startswith('bench-peers: '), result.stderr)
        return result.stderr

    def test_refuses(self):
        for option in ('--runs', '--run-ms'):
            for text in ('', '0', '-1', 'x', '1.5', '99999999'):
                self.assertIn(option, self.refused(f'{option}={text}'))
        for text in ('nonsense', 'wpool,nonsense', 'wpool,', ','):
            self.assertIn('no peer is called', self.refused('--filter', text))
        for args in (('--nonsense',), ('stray',), ('--runs',), ('--json', '')):
            self.refused(*args)

    def test_add_takes_a_result_and_no_other_choice(self):
        path = os.path.join(FOLDER, 'wrong.json')
        self.assertIn('No such file', self.refused('--add', path))
        for text in ('', '[]', '{"format": "seg_bench/1"}', '{"format": 3, "options": {}}'):
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            self.assertIn('is no result of bench-peers', self.refused('--add', path))
        for args in (('--json', 'x'), ('--filter', 'wpool'), ('--quick',), ('--run-ms', '5')):
            self.assertIn('from its file', self.refused('--add', path, *args))

    def test_lists_every_adapter_and_its_package(self):
        result = bench('--list')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        names = [line.split()[0] for line in result.stdout.splitlines()]
        self.assertEqual(len(names), len(set(names)))
        for name in ('wpool', 'wpool_submit', 'mutex_pool', 'thread_per_job', 'tbb_queue'):
            self.assertIn(name, names)
        self.assertIn('libtbb-dev', result.stdout)

    def test_help(self):
        result = bench('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for option in ('list', 'filter', 'runs', 'run-ms', 'quick', 'json', 'add', 'build'):
            self.assertIn('--' + option, result.stdout)

    def test_unwritable_json_is_told_before_measuring(self):
        result = bench('--json', '/nonexistent/out.json')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('/nonexistent/out.json', result.stderr)


class Run(unittest.TestCase):
    """A short run of wpool and the textbook's pools."""

    @classmethod
    def setUpClass(cls):
        path = os.path.join(FOLDER, 'out.json')
        cls.done = bench('--filter', PEERS, '--quick', '--run-ms', '1', '--json', path)
        if cls.done.returncode == 0:
            with open(path, encoding='utf-8') as f:
                cls.data = json.load(f)

    def setUp(self):
        self.assertEqual(self.done.returncode, 0, self.done.stdout + self.done.stderr)

    def test_json_has_seg_benchs_form(self):
        data = self.data
        self.assertEqual((data['format'], data['complete']), ('seg_bench/1', True))
        for field in ('cpu', 'kernel', 'compiler', 'revision', 'date', 'disturbed',
                      'cpus_used_by_others_during'):
            self.assertIn(field, data['machine'])
        self.assertEqual((data['failures'], data['options']['runs']), ([], 2))
        self.assertEqual(data['results'][0]['workload'], 'raw_limit')
        peers = {r['peer'] for r in data['results'][1:]}
        self.assertEqual(peers, {'wpool', 'wpool_batch', 'wpool_lane', 'wpool_lane_batch',
                                 'wpool_submit', 'wpool_submit_batch',
                                 'wpool_producer', 'wpool_producer_batch',
                                 'mutex_pool', 'mutex_pool_claim', 'mutex_pool_batch',
                                 'thread_per_job'})
        for result in data['results']:
            self.assertEqual(len(result['runs']), 2)
            times = sorted(r['wall_ns'] / r['jobs'] for r in result['runs'])
            self.assertAlmostEqual(result['ns_per_job']['min'] / times[0], 1, 3)
            self.assertAlmostEqual(result['ns_per_job']['median'] / (sum(times) / 2), 1, 3)
            self.assertAlmostEqual(result['ns_per_job']['max'] / times[1], 1, 3)
            for one in result['runs']:
                self.assertGreater(one['wall_ns'], 0)
                self.assertGreaterEqual(one['jobs'], 200)
                self.assertGreater(one['ratio_to_raw_limit'], 0)

    def test_ratios_are_taken_within_a_round(self):
        def one(peer, workers):
            return next(r for r in self.data['results'][1:] if r['peer'] == peer
                        and r['params']['workers'] == workers and r['params']['producers'] == 1)

        for peer, own, workers in (('mutex_pool', 'wpool_submit', 1),
                                   ('mutex_pool', 'wpool_submit', 2),
                                   ('mutex_pool_batch', 'wpool_submit_batch', 2)):
            theirs, ours = one(peer, workers)['runs'], one(own, workers)['runs']
            ratios = [a['ns_per_job'] / b['ns_per_job'] for a, b in zip(theirs, ours)]
            self.assertAlmostEqual(one(peer, workers)['ratio_to_wpool']['median']
                                   / (sum(ratios) / 2), 1, 4)
        self.assertEqual(one('wpool_submit', 1)['ratio_to_wpool']['max'], 1)
        self.assertGreater(one('thread_per_job', None)['ratio_to_wpool']['median'], 0)

    def test_table(self):
        lines = self.done.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 100, self.done.stdout)
        rows = [line for line in lines if line.startswith('mutex_pool ')]
        self.assertEqual(len(rows), 3, self.done.stdout)  # empty, cpu, io
        result = [r for r in self.data['results'][1:]
                  if (r['peer'], r['workload']) == ('mutex_pool', 'peer_pool')]
        for one, cell in zip(result, rows[0].split()[1::2]):
            self.assertAlmostEqual(one['ns_per_job']['median'] / float(cell), 1, 1)
        for one, cell in zip(result, rows[0].split()[2::2]):
            self.assertEqual(cell, f'{table.factor(one["ratio_to_wpool"]["median"])}x')
        self.assertIn('wpool_submit_batch: of all pools, bulk, the closest is mutex_pool_batch',
                      self.done.stdout)

    def test_tasks_are_done(self):
        least = {'peer_cpu': 1e3, 'peer_io': 1e6}  # ns of a CPU; 100,000 additions take longer
        for workload, ns in least.items():
            chosen = [r for r in self.data['results'] if r['workload'] == workload]
            self.assertEqual({r['peer'] for r in chosen}, {
                'wpool_submit', 'wpool_producer', 'mutex_pool', 'mutex_pool_claim',
                'thread_per_job'})
            for r in chosen:
                if r['params']['workers']:
                    self.assertGreater(r['ns_per_job']['min'] * r['params']['workers'], ns)
                self.assertGreater(r['ratio_to_wpool']['median'], 0)

    def test_rounds_are_added(self):
        path = os.path.join(FOLDER, 'more.json')
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(self.data, f)
        done = bench('--add', path, '--runs', '1')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(path, encoding='utf-8') as f:
            more = json.load(f)
        self.assertEqual(more['options'], {**self.data['options'], 'runs': 3})
        self.assertEqual(len(more['results']), len(self.data['results']))
        for old, new in zip(self.data['results'], more['results']):
            self.assertGreaterEqual(new['params']['jobs'], old['params']['jobs'])
            self.assertEqual({**new['params'], 'jobs': 0}, {**old['params'], 'jobs': 0})
            self.assertEqual([r['round'] for r in new['runs']], [0, 1, 2])
            self.assertEqual([r['wall_ns'] for r in new['runs'][:2]],
                             [r['wall_ns'] for r in old['runs']])
            figures = sorted(r['ns_per_job'] for r in new['runs'])
            self.assertEqual(list(new['ns_per_job'].values()), figures)

    def test_rounds_of_another_machine_or_build_are_not_added(self):
        path = os.path.join(FOLDER, 'another.json')
        for field in ('cpu', 'revision'):
            other = {**self.data, 'machine': {**self.data['machine'], field: 'another'}}
            with open(path, 'w', encoding='utf-8') as f:
                json.dump(other, f)
            done = bench('--add', path)
            self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
            self.assertIn(f'measured with another {field}: another', done.stderr)
            with open(path, encoding='utf-8') as f:
                self.assertEqual(json.load(f), other)

    def test_each_program_speaks_seg_benchs_json(self):
        program = os.path.join(FOLDER, 'peer_textbook')
        done = subprocess.run([program, '--peer', 'mutex_pool', '--producers', '3', '--workers',
                               '3', '--jobs', '5k', '--runs', '3'], capture_output=True, text=True,
                              timeout=LIMIT_S, check=True, env=ENV)
        result = json.loads(done.stdout)['results'][0]
        self.assertEqual(result['params']['jobs'], 5000)
        self.assertEqual(len(result['runs']), 3)
        for args in (['--peer', 'x'], [], ['--peer', 'mutex_pool', '--jobs', '0'],
                     ['--peer', 'mutex_pool', '--loop', 'x'],
                     ['--peer', 'mutex_pool', '--task', 'x'], ['--peer', 'mutex_pool', 'stray'],
                     ['--nonsense']):
            done = subprocess.run([program, *args], capture_output=True, text=True, check=False,
                                  timeout=LIMIT_S, env=ENV)
            self.assertEqual((done.returncode, done.stdout), (2, ''), args)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Trouble(unittest.TestCase):
    """What is missing is named; what is wrong is found."""

    def test_a_missing_package_is_named(self):
        env = {**ENV, 'CXX': 'no-such-compiler'}
        result = bench('--filter', 'tbb', '--quick', '--runs', '1', '--run-ms', '1', env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = ' '.join(result.stdout.split())
        self.assertIn('not measured: tbb (tbb_queue', text)
        self.assertIn('no-such-compiler is missing (Debian: g++)', text)

    def test_a_missing_library_names_its_package(self):
        program = programs.Program('none', 'textbook.c', headers=('no/such/header.h',),
                                   package='libno-such-dev')
        with self.assertRaisesRegex(programs.Missing, r'Debian: libno-such-dev'):
            BUILDER.build_c(program)
        program = programs.Program('none', 'textbook.c', modules=('no-such-module',),
                                   package='libno-such-dev')
        with self.assertRaisesRegex(programs.Missing, r'Debian: libno-such-dev'):
            BUILDER.build_c(program)

    def test_a_missing_toolchain_is_named(self):
        only = os.path.join(FOLDER, 'only')
        os.makedirs(only, exist_ok=True)
        kept = os.environ['PATH']
        os.environ['PATH'] = only
        try:
            for program in programs.PROGRAMS:
                if program.name in ('go', 'rust', 'go_seeds'):
                    with self.assertRaisesRegex(programs.Missing, r'missing: install (Go|Rust) 1'):
                        program.build(BUILDER)
        finally:
            os.environ['PATH'] = kept

    def test_a_registry_that_refuses_is_quoted(self):
        only = os.path.join(FOLDER, 'refusing')
        os.makedirs(only, exist_ok=True)
        go = os.path.join(only, 'go')
        with open(go, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\necho "go: module x: reading y: 403 Forbidden" >&2\nexit 1\n')
        os.chmod(go, 0o755)
        kept = os.environ['PATH']
        os.environ['PATH'] = only + ':' + kept
        try:
            for name, text in (('go', '403 Forbidden'), ('go_seeds', 'registry: 403 Forbidden')):
                program = next(p for p in programs.PROGRAMS if p.name == name)
                with self.assertRaisesRegex(programs.Missing, text):
                    program.build(BUILDER)
        finally:
            os.environ['PATH'] = kept

    def test_wpool_that_is_not_built_is_told(self):
        result = bench('--runs', '1', wpool_build='/nonexistent')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('libwpool.a is not there', result.stderr)

    def test_lost_doubled_and_exchanged_jobs_are_found(self):
        source = os.path.join('..', '..', 'tests', 'bench', 'peers_lossy.c')
        program = programs.Program('lossy', source,
                                   queues=('lossy_lose', 'lossy_twice', 'lossy_exchange'))
        program.build(BUILDER)
        peers = measure.list_peers(program)
        for peer in peers:
            case = measure.Case(peer, 1, 1, 'plain')
            case.calibrate(1)
            self.assertIn('NOT EXACTLY ONCE', case.failure or '')
            self.assertEqual(case.runs, {})
            case.measure(0, 1)
            self.assertEqual(case.runs, {})
        cases = measure.plan(peers, True)
        for case in cases:
            case.calibrate(1)
        text = '\n'.join(table.report(cases, measure.Raw('none', True), []))
        self.assertIn('failed: lossy_lose 1x1 plain: exit status 1', text)
        self.assertNotIn('the closest is', text)

    def test_a_program_that_lists_something_else_is_told(self):
        program = programs.Program('textbook', 'textbook.c', pools=('mutex_pool',))
        program.build(BUILDER)
        with self.assertRaisesRegex(programs.Missing, 'lists other adapters'):
            measure.list_peers(program)


class Arithmetic(unittest.TestCase):
    """Medians, ratios and the choice of the better loop, on figures with a known answer."""

    @staticmethod
    def case(program, name, figures, loop=None, workers=1, grade='single'):
        made = programs.Program(program, '')
        kind = 'queue' if loop else 'pool'
        case = measure.Case(measure.Peer(made, kind, name, grade, 0, '0' if workers else '-', ''),
                            1, workers, loop)
        case.runs = {n: {'ns_per_job': ns} for n, ns in enumerate(figures)}
        return case

    def test_ratio(self):
        ours = self.case('wpool', 'wpool', (10, 20, 40))
        theirs = self.case('other', 'other', (50, 40, 40))
        self.assertEqual(measure.ratio(theirs, ours), {'min': 1, 'median': 2, 'max': 5})
        del theirs.runs[0]
        self.assertEqual(measure.ratio(theirs, ours), {'min': 1, 'median': 1.5, 'max': 2})

    def test_the_better_loop_counts_on_both_sides(self):
        cases = [self.case('wpool', 'wpool', (9, 9), 'paced'),
                 self.case('wpool', 'wpool', (4, 4), 'plain'),
                 self.case('other', 'other', (8, 8), 'paced'),
                 self.case('other', 'other', (99, 99), 'plain')]
        base = measure.baselines(cases)
        self.assertIs(base[('queue', 1, 1), False], cases[1])
        self.assertEqual(table.cell(cases[2:], cases[1]).split(), ['8.0', '2.00x'])
        self.assertEqual(
            table.closest(cases, 'queue', False, measure.own(cases, 'wpool'))[0], 2)

    def test_a_round_that_was_interrupted_is_ended(self):
        class Raw:
            runs = {}

            @staticmethod
            def measure(number):
                Raw.runs[number] = {}

        order = []
        cases = [self.case('x', name, ()) for name in 'abc']
        for case in cases:
            def once(number, _, case=case):
                if len(order) == 4:
                    order.append('cut')
                    raise KeyboardInterrupt
                order.append(f'{case.peer.name}{number}')
                case.runs[number] = {}
            case.measure = once
        self.assertFalse(measure.rounds(cases, Raw, 2, 1))
        self.assertTrue(measure.rounds(cases, Raw, 1, 1))
        self.assertEqual(order, ['a0', 'b0', 'c0', 'a1', 'cut', 'b1', 'c1', 'a2', 'b2', 'c2'])

    def test_a_run_that_was_too_short_is_repeated_with_more_jobs(self):
        case, asked = self.case('x', 'x', ()), []

        def run(jobs):
            asked.append(jobs)
            case.result = {'runs': [{'ns_per_job': 10}]}
            return 10

        case.run, case.jobs = run, 5000
        case.measure(0, 50)
        self.assertEqual(asked, [5000, measure.JOBS_MAX])
        case.measure(1, 50)
        self.assertEqual(asked[2:], [measure.JOBS_MAX])
        self.assertEqual(sorted(case.runs), [0, 1])

    def test_no_workers_is_compared_with_wpools_first_shape(self):
        cases = [self.case('wpool', 'wpool_submit', (10,)),
                 self.case('wpool', 'wpool_submit', (40,), workers=4),
                 self.case('other', 'other', (100,), workers=None)]
        base = measure.baselines(cases)
        self.assertEqual(measure.ratio(cases[2], base[('pool', 1, None), False])['median'], 10)

    def test_the_widest_table_fits(self):
        cases = []
        for program, name, ns in (('wpool', 'wpool', 20),
                                  ('other', 'a_peer_with_a_long_name', 1e5)):
            for producers, workers in measure.QUEUE_SHAPES:
                case = self.case(program, name, (ns,), 'plain', workers)
                case.peer.loops = measure.LOOPS
                case.producers = producers
                cases.append(case)
        lines = list(table.report(cases, measure.Raw('none', True), []))
        row = next(line for line in lines if line.startswith('a_peer'))
        self.assertEqual(row.split()[1:], ['100000*', '5000x'] * 5)
        self.assertLessEqual(max(map(len, lines)), 100, lines)

    def test_closest_over_all_shapes(self):
        cases = [self.case('wpool', 'wpool_submit', (10,)),
                 self.case('wpool', 'wpool_submit', (10,), workers=4),
                 self.case('near', 'near', (30,)), self.case('near', 'near', (90,), workers=4),
                 self.case('far', 'far', (50,)), self.case('far', 'far', (20,), workers=4)]
        notes = table.notes(cases)
        self.assertEqual([(n['name'], n['value']) for n in notes], [('wpool_submit_to_single', 2)])
        self.assertIn('far 1x4', notes[0]['text'])


if __name__ == '__main__':
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    TREE, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    ENV = {**os.environ, 'CFLAGS': sys.argv[3], 'CC': ' '.join(sys.argv[4:])}
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(TREE, 'bench', 'peers'))
    from driver import measure, programs, table
    with tempfile.TemporaryDirectory() as FOLDER:
        os.environ.update(ENV)
        BUILDER = programs.Builder(FOLDER, BUILD)
        with contextlib.redirect_stdout(io.StringIO()):
            BUILDER.prepare()
        done = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    sys.exit(not done.result.wasSuccessful())
