#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests that seg_bench runs, checks what it runs, and speaks plainly; not how fast anything is.

usage: seg_bench_test.py SEG_BENCH PART    PART is arguments, output, workloads or interrupt
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SEG_BENCH = ''

# Only a hang takes this long.
LIMIT_S = 300

# What --list must name, with arguments that make one run of it short.
WORKLOADS = {
    'raw_limit': [],
    'job_cost': [],
    'queue_pair': ['--capacity', '1', '--segment-size', '1,3'],
    'queue_mpmc': ['--producers', '1,3', '--workers', '1,2', '--capacity', '7',
                   '--segment-size', '2'],
    'queue_mpmc_unpaced': ['--producers', '2', '--workers', '2'],
    'queue_single': ['--producers', '2', '--workers', '1,3', '--capacity', '7',
                     '--segment-size', '2'],
    'queue_batch': ['--batch', '1,7,1000', '--capacity', '100'],
    'segment_size': ['--segment-size', '1..64'],
    'pool_empty': ['--producers', '1,3', '--workers', '1,4', '--segment-size', '5'],
    'pool_batch': ['--producers', '2', '--workers', '2', '--batch', '1,33', '--capacity', '50'],
    'pool_producer': ['--producers', '1,3', '--workers', '2'],
    'idle_lanes': ['--producers', '1,70', '--workers', '2'],
    'idle_lanes_shared': ['--producers', '3', '--workers', '1'],
    'pool_try': ['--producers', '2', '--workers', '1', '--capacity', '8'],
    'pool_timing': ['--producers', '2', '--workers', '2'],
    'pool_contain': ['--producers', '2', '--workers', '2'],
    'pool_wait': ['--producers', '2', '--workers', '2'],
    'growth': [],
    'latency': ['--workers', '1'],
    'pacing': [],
    'unequal': ['--workers', '3'],
    'rescue': ['--profile', 'eco'],
    'rescue_cost': [],
    'guard_cost': [],
    'first_job': ['--workers', '2'],
    'wakeup': ['--workers', '3'],
    'idle': ['--workers', '3'],
    'allocs': ['--workers', '2'],
    'queue_push': ['--capacity', '100', '--segment-size', '7'],
    'queue_pop': ['--capacity', '1000'],
    'pool_until': ['--producers', '2', '--workers', '1', '--capacity', '8'],
    'pool_ctx': ['--producers', '2', '--workers', '1', '--capacity', '8'],
    'scale_empty': ['--workers', '1,128'],
    'scale_sha256': ['--workers', '1,128'],
    'scale_cpu': ['--workers', '1,128'],
    'scale_io': ['--workers', '1,128'],
    'matrix_empty': [],
    'matrix_cpu': ['--producers', '3'],
    'matrix_io': ['--workers', '128'],
    'crowd': ['--producers', '1,9', '--workers', '1,33'],
    'crowd_lanes': ['--producers', '1,9', '--workers', '1,33'],
    'submit_path': [],
    'producer_pressure': ['--producers', '1,5'],
    'backpressure': ['--capacity', '1'],
    'mixed': [],
    'wait_cpu': ['--workers', '1,4'],
    'thread_empty': [],
    'thread_cpu': [],
    'thread_io': [],
    'drain_queue': ['--capacity', '10'],
    'drain_mutex': ['--capacity', '10'],
    'fairness': ['--capacity', '3'],
    'submit_latency': [],
    'stats_cost': [],
    'lifecycle': ['--workers', '1,33'],
    'overload_pool': ['--capacity', '2'],
    'overload_thread': [],
}

# Left out of a build that does not find the library.
OPTIONAL = {'scale_sha256': 'nettle'}

# They tell what they cost beside time.
COSTS = {'queue_pair', 'queue_mpmc', 'queue_mpmc_unpaced', 'queue_single', 'queue_batch',
         'segment_size', 'pool_empty', 'pool_batch', 'pool_producer', 'pool_try', 'pool_timing',
         'pool_contain', 'pool_wait', 'growth', 'latency', 'idle_lanes', 'idle_lanes_shared'} | set(
    list(WORKLOADS)[list(WORKLOADS).index('allocs') + 1:])

TIMED = {'raw_limit', 'job_cost', 'queue_pair', 'queue_mpmc', 'queue_mpmc_unpaced', 'queue_batch',
         'segment_size', 'pool_empty', 'pool_batch', 'pool_try', 'pool_wait', 'growth',
         'queue_single', 'pool_producer', 'queue_push', 'queue_pop', 'pool_until', 'pool_ctx',
         'scale_empty', 'scale_sha256', 'scale_cpu', 'scale_io', 'matrix_empty', 'matrix_cpu',
         'matrix_io',
         'submit_path', 'producer_pressure', 'backpressure', 'mixed', 'wait_cpu', 'thread_empty',
         'thread_cpu', 'thread_io', 'drain_queue', 'drain_mutex', 'stats_cost', 'pool_timing',
         'crowd', 'crowd_lanes', 'idle_lanes', 'idle_lanes_shared', 'pool_contain'}


def run(*args, **options):
    return subprocess.run([SEG_BENCH, *args], capture_output=True, text=True, timeout=LIMIT_S,
                          **options)


class arguments(unittest.TestCase):
    """The command line."""

    def refused(self, *args):
        result = run(*args)
        self.assertEqual(result.returncode, 2, args)
        self.assertEqual(result.stdout, '', args)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn('seg_bench: ', lines[0])
        return lines[0]

    def test_refuses_malformed_numbers(self):
        for option in ('--jobs', '--runs', '--capacity'):
            for text in ('', '0', '-1', '+1', ' 1', '1 ', 'x', '1x', '1kk', '0x10', '1.5', '1e99',
                         'inf', 'nan', '1,2', '1e', 'k', '99999999999999999999'):
                self.assertIn(f"{option}: '{text}'", self.refused(option, text))

    def test_refuses_malformed_lists(self):
        for option in ('--producers', '--workers', '--batch', '--segment-size'):
            for text in ('', ',', '1,', ',1', '1,,2', '1..', '..4', '4..1', '0', '0..4', '1...4',
                         '1..2..3', '1-4', 'a,b', '1e12', '1 2'):
                self.assertIn(f"{option}: '{text}'", self.refused(option, text))

    def test_refuses_malformed_profiles(self):
        for text in ('', ',', 'eco,', ',eco', 'eco,,eco', 'ECO', 'eco ', 'unknown', 'x' * 99):
            self.assertIn(f"--profile: '{text}'", self.refused('--profile', text))

    def test_refuses_unknown_workloads(self):
        for text in ('nonsense', 'queue_pair,nonsense', 'nonsense,queue_pair', '', 'queue_pair,,x'):
            self.assertIn('--list', self.refused('--filter', text))

    def test_refuses_unknown_options(self):
        self.refused('--nonsense')
        self.refused('-x')
        self.refused('stray')
        self.refused('--jobs')
        self.refused('--pin=1')

    def test_lists_all_workloads(self):
        result = run('--list')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        names = [line.split()[0] for line in result.stdout.splitlines()
                 if not line.startswith(' ')]
        left_out = [name for name in OPTIONAL if name not in names]
        self.assertEqual(names, [name for name in WORKLOADS if name not in left_out])
        for name in left_out:
            self.assertIn(OPTIONAL[name], self.refused('--filter', name))

    def test_help_names_every_option_within_100_columns(self):
        result = run('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for option in ('list', 'filter', 'jobs', 'runs', 'producers', 'workers', 'batch',
                       'segment-size', 'profile', 'capacity', 'pin', 'quick', 'json', 'help',
                       'version'):
            self.assertIn('--' + option, result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_version(self):
        result = run('--version')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertRegex(result.stdout, r'^seg_bench \d+\.\d+\.\d+\n$')

    def test_numbers_and_lists_mean_what_they_say(self):
        result = run('--filter', 'queue_mpmc', '--jobs', '1.5k', '--runs', '1', '--producers',
                     '1..5', '--workers', '1,3', '--capacity', '1e3', '--json', '-')
        self.assertEqual(result.returncode, 0, result.stderr)
        cases = [r['params'] for r in json.loads(result.stdout)['results']
                 if r['workload'] == 'queue_mpmc']
        self.assertEqual([(c['producers'], c['workers']) for c in cases],
                         [(p, w) for p in (1, 2, 4, 5) for w in (1, 3)])
        self.assertEqual({(c['jobs'], c['capacity']) for c in cases}, {(1500, 1000)})


    def test_each_profile_is_a_case(self):
        result = run('--filter', 'pool_empty,queue_pair', '--jobs', '1000', '--runs', '1',
                     '--producers', '1', '--workers', '1', '--profile', 'eco,latency,balanced',
                     '--json', '-')
        self.assertEqual(result.returncode, 0, result.stderr)
        cases = [(r['workload'], r['params']['profile'])
                 for r in json.loads(result.stdout)['results'][1:]]
        self.assertEqual(cases, [('queue_pair', None), ('pool_empty', 'eco'),
                                 ('pool_empty', 'latency'), ('pool_empty', 'balanced')])
        self.assertIn('profile eco', result.stderr)


class output(unittest.TestCase):
    """Table, card, JSON."""

    ARGS = ('--filter', 'queue_pair,pool_empty', '--jobs', '2000', '--runs', '3', '--workers',
            '1,2', '--producers', '1')

    def check_json(self, data):
        self.assertEqual(data['format'], 'seg_bench/1')
        self.assertTrue(data['complete'])
        machine = data['machine']
        for field in ('cpu', 'caches', 'kernel', 'governor', 'clocksource', 'compiler', 'flags',
                      'wpool_version', 'revision', 'date'):
            self.assertNotEqual(machine[field], '', field)
        self.assertGreaterEqual(machine['cpus_usable'], 1)
        self.assertEqual([r['workload'] for r in data['results']],
                         ['raw_limit', 'queue_pair', 'pool_empty', 'pool_empty'])
        raw = data['results'][0]['runs']
        for result in data['results']:
            self.assertEqual(len(result['runs']), 3)
            times = sorted(r['wall_ns'] / r['jobs'] for r in result['runs'])
            for name, value in zip(('min', 'median', 'max'), times):
                self.assertAlmostEqual(result['ns_per_job'][name] / value, 1, 3)
            ratios = sorted(r['wall_ns'] / r['jobs'] / (q['wall_ns'] / q['jobs'])
                            for r, q in zip(result['runs'], raw))
            self.assertAlmostEqual(result['ratio_to_raw_limit']['median'] / ratios[1], 1, 3)
            for one in result['runs']:
                self.assertGreater(one['wall_ns'], 0)
                self.assertGreater(one['cpu_ns'], 0)

    def test_json_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'out.json')
            result = run(*self.ARGS, '--json', path)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn('pool_empty', result.stdout)
            with open(path, encoding='utf-8') as f:
                self.check_json(json.load(f))

    def test_json_on_stdout_sends_the_table_to_stderr(self):
        result = run(*self.ARGS, '--json', '-')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_json(json.loads(result.stdout))
        self.assertIn('pool_empty', result.stderr)
        self.assertIn('kernel', result.stderr)

    def test_table_fits_and_is_plain(self):
        result = run(*self.ARGS)
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertNotIn('\033', result.stdout)
        card, table = result.stdout.split('\n\n', 1)
        for field in ('cpu', 'caches', 'kernel', 'compiler', 'wpool', 'date'):
            self.assertIn('\n' + field, '\n' + card)
        self.assertLessEqual(max(map(len, table.splitlines())), 100)
        self.assertIn('worker scaling', table)

    def test_unwritable_json_is_told_before_measuring(self):
        result = run('--json', '/nonexistent/out.json')
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn('/nonexistent/out.json', result.stderr)

    def test_full_disk_is_an_error(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('no /dev/full')
        with open('/dev/full', 'w', encoding='utf-8') as full:
            for args in (self.ARGS, ['--list'], ['--help'], ['--version']):
                result = subprocess.run([SEG_BENCH, *args], stdout=full, stderr=subprocess.PIPE,
                                        text=True, timeout=LIMIT_S, check=False)
                self.assertEqual(result.returncode, 1, args)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        result = run(*self.ARGS, '--json', '/dev/full')
        self.assertEqual(result.returncode, 1)
        self.assertIn('/dev/full', result.stderr)

    def test_closed_pipe_is_quiet(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'out.json')
            bench = subprocess.Popen([SEG_BENCH, *self.ARGS, '--json', path],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            head = subprocess.Popen(['head', '-n', '1'], stdin=bench.stdout,
                                    stdout=subprocess.PIPE, text=True)
            bench.stdout.close()
            self.assertIn('cpu', head.communicate(timeout=LIMIT_S)[0])
            errors = bench.stderr.read()
            bench.stderr.close()
            self.assertEqual((bench.wait(LIMIT_S), errors), (0, ''))
            with open(path, encoding='utf-8') as f:
                self.check_json(json.load(f))

    def test_impossible_pool_is_told_in_one_line(self):
        # Room for every segment is reserved at creation; this much is not to be had.
        result = run('--filter', 'pool_empty', '--capacity', '4G', '--segment-size', '1',
                     '--jobs', '10')
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn('wp_pool_create', result.stderr)


class workloads(unittest.TestCase):
    """Each workload with a few jobs: it runs, and finds each job run once."""

    def one(self, name, *more, jobs='3000'):
        if name in OPTIONAL and name not in run('--list').stdout:
            self.skipTest(f'built without {OPTIONAL[name]}')
        result = run('--filter', name, '--jobs', jobs, '--runs', '1', '--quick', '--json', '-',
                     *more)
        self.assertEqual(result.returncode, 0, result.stderr)
        data = json.loads(result.stdout)
        found = [r for r in data['results'] if r['workload'] == name]
        self.assertTrue(found, name)
        for result in found:
            self.assertEqual(len(result['runs']), 1)
            self.assertEqual(result['kind'], 'time' if name in TIMED else 'values')
            if result['kind'] == 'time':
                self.assertGreater(result['ns_per_job']['median'], 0)
                self.assertGreater(result['ratio_to_raw_limit']['median'], 0)
            if name in COSTS:
                self.assertGreaterEqual(result['values']['peak memory']['min'], 0)
        return found

    def test_one_job(self):
        """Fewer jobs than threads."""
        for name in WORKLOADS:
            if name not in ('raw_limit', 'idle', *OPTIONAL):
                self.one(name, *WORKLOADS[name], jobs='1')

    def test_pinned(self):
        for name in ('queue_mpmc', 'pool_empty', 'first_job'):
            self.one(name, '--pin', '--producers', '3', '--workers', '3', jobs='50')

    def test_growth_has_decades(self):
        found = self.one('growth', jobs='1e5')
        self.assertEqual([r['params']['jobs'] for r in found], [10000, 100000])

    def test_latency_has_percentiles_in_order(self):
        found = self.one('latency')
        self.assertEqual([r['params']['rate'] for r in found], [1000, 10000, 100000, 1000000])
        for result in found:
            for start in ('due', 'submit'):
                values = [result['values'][f'{start} {p}']['median']
                          for p in ('p50', 'p90', 'p95', 'p99', 'p99.9', 'max')]
                self.assertEqual(values, sorted(values))
                self.assertGreater(values[-1], 0)
            # The call comes after it was due.
            self.assertGreaterEqual(result['values']['due max']['median'],
                                    result['values']['submit max']['median'])

    def test_allocs_counts_nothing_in_steady_state(self):
        for result in self.one('allocs', jobs='20000'):
            values = {n: v['max'] for n, v in result['values'].items()}
            if 'jobs' not in values:
                self.skipTest('this build cannot count')
            self.assertEqual(values.pop('jobs'), 20000)
            self.assertEqual(set(values.values()), {0}, values)

    def test_heap_is_left_alone_while_jobs_flow(self):
        for name in ('pool_empty', 'scale_cpu', 'scale_io', 'matrix_empty', 'wait_cpu', 'mixed',
                     'backpressure', 'fairness', 'drain_queue', 'overload_pool'):
            for result in self.one(name, *WORKLOADS[name]):
                if 'heap calls' not in result['values']:
                    self.skipTest('this build cannot count')
                self.assertEqual(result['values']['heap calls']['max'], 0, name)

    def test_heap_calls_are_seen_where_there_are_some(self):
        for result in self.one('drain_mutex'):
            if 'heap calls' not in result['values']:
                self.skipTest('this build cannot count')
            self.assertGreater(result['values']['heap calls']['min'], 0)

    def test_cpus_in_a_list_is_the_number_of_cpus(self):
        data = json.loads(run('--filter', 'producer_pressure', '--quick', '--jobs', '1', '--runs',
                              '1', '--json', '-').stdout)
        self.assertEqual({r['params']['workers'] for r in data['results'][1:]},
                         {data['machine']['cpus_usable']})

    def test_overload_is_the_same_for_both_and_bounded_for_one(self):
        values = {}
        for name in ('overload_pool', 'overload_thread'):
            result, = self.one(name)
            values[name] = {n: v['median'] for n, v in result['values'].items()}
            # Each request that came is either rejected or finished.
            self.assertEqual(values[name]['offered'],
                             values[name]['rejected'] + values[name]['finished'])
            self.assertLessEqual(values[name]['latency p50'], values[name]['latency p99'])
            self.assertGreater(values[name]['latency p50'], 20e6)
        pool, thread = values['overload_pool'], values['overload_thread']
        self.assertEqual((pool['offered rate'], pool['offered']),
                         (thread['offered rate'], thread['offered']))
        # The bodies are really there: half a megabyte each.
        self.assertGreater(pool['peak memory'], pool['bodies at once'] * 0.4)
        self.assertLessEqual(pool['bodies at once'] * 500e3 / 2**20, pool['bound'] * 1.001)

    def test_overload_rejects_what_does_not_fit(self):
        result, = self.one('overload_pool', '--workers', '1', '--capacity', '1')
        self.assertGreater(result['values']['rejected']['median'], 0)
        self.assertLessEqual(result['values']['bodies at once']['max'], 3)

    def test_backpressure_holds_its_bound(self):
        result, = self.one('backpressure', '--capacity', '2', '--workers', '1')
        self.assertGreater(result['values']['refused']['median'], 0)

    def test_idle_sees_all_workers(self):
        for result in self.one('idle', '--workers', '3'):
            self.assertEqual(result['values']['threads']['max'], 3)


    def test_latency_tells_its_cost_for_each_profile(self):
        found = self.one('latency', '--profile', 'eco,latency')
        self.assertEqual({r['params']['profile'] for r in found}, {'eco', 'latency'})
        for result in found:
            self.assertGreater(result['values']['CPU']['min'], 0)
            self.assertGreaterEqual(result['values']['CPU']['median'],
                                    result['values']['worker CPU']['min'])

    def test_wakeup_sees_the_call_that_wakes(self):
        for result in self.one('wakeup', jobs='4'):
            if 'cannot count system calls here' in result['values']:
                self.skipTest('this build or kernel cannot count')
            for kind in ('empty', '1 us', '20 us'):
                self.assertGreaterEqual(result['values'][kind + ': on average']['min'], 1)

    def test_unequal_is_not_much_faster_than_the_ideal(self):
        for result in self.one('unequal'):
            values = result['values']
            # Not at all, if jobs started in the very order of their arrival.
            self.assertGreaterEqual(values['p99.9']['median'], values['ideal p99.9']['min'] / 2)
            self.assertGreater(values['load']['median'], 0)

    def test_rescue_counts_every_round(self):
        for result in self.one('rescue', jobs='6'):
            values = result['values']
            self.assertEqual(values['rounds']['min'], 6)
            self.assertLessEqual(values['within 20 ms']['max'], 6)
            self.assertGreaterEqual(values['max']['max'], values['p50']['max'])


def add_workload_tests():
    for name, more in WORKLOADS.items():
        def test(self, name=name, more=more):
            self.one(name, *more)
        setattr(workloads, 'test_' + name, test)


class interrupt(unittest.TestCase):
    """Ctrl-C."""

    def interrupted(self, *args):
        """Output and JSON of a run that is interrupted after some rounds."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'out.json')
            bench = subprocess.Popen([SEG_BENCH, '--runs', '1000', '--json', path, *args],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(5)
            bench.send_signal(signal.SIGINT)
            out, errors = bench.communicate(timeout=LIMIT_S)
            self.assertEqual((bench.returncode, errors), (130, ''))
            self.assertIn('INTERRUPTED', out)
            with open(path, encoding='utf-8') as f:
                data = json.load(f)
            self.assertFalse(data['complete'])
            return out, data

    def test_prints_what_was_measured(self):
        out, data = self.interrupted('--filter', 'queue_pair', '--jobs', '3000000')
        self.assertIn('queue_pair', out)
        self.assertIn('queue_pair', [r['workload'] for r in data['results']])

    def test_ends_a_long_wait(self):
        """Neither the rest of a round nor the other rounds (an hour) are waited for."""
        self.interrupted('--filter', 'latency,idle')

    def test_ends_a_case_in_a_child_process(self):
        self.interrupted('--filter', 'overload_*')


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    SEG_BENCH = os.path.abspath(sys.argv.pop(1))
    part = sys.argv.pop(1)
    add_workload_tests()
    unittest.main(argv=[sys.argv[0], part, *sys.argv[1:]], verbosity=2)
