#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests that queue_micro runs each variant and that each hands every job over exactly once.

usage: queue_micro_test.py QUEUE_MICRO

The program ends with status 1 and a line that says so when a job is lost, comes out twice or is
damaged. How fast anything is, is no test.
"""

import json
import subprocess
import sys
import unittest

PROGRAM = ''

# Only a hang takes this long.
LIMIT_S = 120

# What docs/performance.md has figures of.
VARIANTS = '''
pub_mark pub_mark_folded pub_slot_tag pub_bit_or pub_bit_or_used pub_bit_add pub_bit_alone
take_faa_far take_cas_far take_faa_near take_cas_near
claim_cas_far claim_row_far claim_one_far claim_cas_near claim_row_near claim_one_near
order_identity order_slots order_marks order_both
prefetch_none prefetch_2 prefetch_4 prefetch_8 prefetch_16 prefetch_32 prefetch_64
block_size ring_512 ring_2048 ring_8192 ring_32768 ring_131072
copy_size in_place push_size push_words push_ahead wpool_queue wpool_batch wpool_lane
'''.split()


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=LIMIT_S,
                          check=False)


class queue_micro(unittest.TestCase):

    def test_lists_all_variants(self):
        result = run('--list')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        names = [line.split()[0] for line in result.stdout.splitlines()
                 if not line.startswith(' ')]
        self.assertEqual(names, ['raw_limit'] + VARIANTS)

    def test_each_variant_hands_over_each_job_once(self):
        # Three times round the usual ring, and not a multiple of anything.
        result = run('--quick', '--runs', '1', '--jobs', '13001', '--json', '-')
        self.assertEqual(result.returncode, 0, result.stderr)
        data = json.loads(result.stdout)
        self.assertTrue(data['complete'])
        seen = {}
        for r in data['results']:
            self.assertGreater(r['ratio_to_raw_limit']['median'], 0, r['workload'])
            if r['workload'] != 'raw_limit':
                self.assertEqual(r['runs'][0]['jobs'], 13001, r['workload'])
                seen.setdefault(r['workload'], set()).add(r['params']['producers'])
        self.assertEqual(sorted(seen), sorted(VARIANTS))
        for name, producers in seen.items():
            self.assertEqual(producers, {1} if name == 'wpool_lane' else {1, 2}, name)

    def test_fewer_jobs_than_anything(self):
        result = run('--quick', '--runs', '1', '--jobs', '1')
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_four_producers_and_four_consumers(self):
        result = run('--quick', '--runs', '1', '--jobs', '5003', '--producers', '4', '--filter',
                     'pub_*,claim_*,take_*')
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_refuses_what_is_no_ring(self):
        for size in ('1', '100', '8192'):
            result = run('--quick', '--filter', 'block_size', '--segment-size', size)
            self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1))
            self.assertIn('powers of two', result.stderr)
        result = run('--quick', '--filter', 'copy_size', '--batch', '5000')
        self.assertEqual(result.returncode, 1)
        self.assertIn('at most 1024', result.stderr)


if __name__ == '__main__':
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
