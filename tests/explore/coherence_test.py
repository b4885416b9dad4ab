#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The counted model of docs/performance.md: the counts are those kept, and what they must be.

usage: coherence_test.py TREE PROGRAM
"""

import csv
import os
import subprocess
import sys
import tempfile
import unittest

TREE, PROGRAM = (os.path.abspath(p) for p in sys.argv[1:3])
KEPT = os.path.join(TREE, 'tests', 'explore', 'coherence.csv')
SEGMENT = 256


def tool(*args):
    return subprocess.run([sys.executable, '-B', os.path.join(TREE, 'tools', 'coherence'),
                           '--program', PROGRAM, *args],
                          stdout=subprocess.PIPE, text=True, check=False)


def counts():
    text = subprocess.run([PROGRAM], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {(r['path'], int(r['producers']), int(r['workers']), r['side']):
            {c: float(r[c]) for c in ('rmw', 'lines', 'loads', 'rmws', 'stores')}
            for r in csv.DictReader(text.splitlines())}


class coherence(unittest.TestCase):

    def test_as_kept(self):
        result = tool('--check', KEPT)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_same_every_time(self):
        self.assertEqual(counts(), counts())

    def test_a_change_is_found(self):
        with open(KEPT, encoding='utf-8') as f:
            lines = f.read().splitlines()
        for change in (lines[:-1],
                       lines + [lines[-1].replace('overlapping', 'made up')],
                       [line.replace('submit,1,1,producer,1.0', 'submit,1,1,producer,2.0')
                        for line in lines]):
            self.assertNotEqual(change, lines)
            with tempfile.NamedTemporaryFile('w', suffix='.csv', encoding='utf-8') as f:
                f.write('\n'.join(change) + '\n')
                f.flush()
                result = tool('--check', f.name)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn('submit', result.stdout)

    def test_what_follows_from_the_layout(self):
        """Two slots and 64 marks to a line: what must travel, and what need not."""
        found = counts()
        for path in ('submit', 'batch of 64', 'producer'):
            producer, worker = (found[(path, 1, 1, s)] for s in ('producer', 'worker'))
            self.assertAlmostEqual(producer['stores'], 1 / 2 + 1 / 64, 3)
            self.assertAlmostEqual(worker['loads'], 1 / 2 + 1 / 64 + 1 / SEGMENT, 3)
        self.assertAlmostEqual(found[('submit', 1, 1, 'producer')]['rmw'], 1, 1)
        for path in ('batch of 64', 'producer'):
            self.assertLess(found[(path, 1, 1, 'producer')]['rmw'], 1 / 32)
        # In turns: tail, slot and mark were last another producer's. Lanes share nothing.
        crowd = found[('submit', 4, 4, 'producer')]
        self.assertAlmostEqual(crowd['rmws'], 1, 1)
        self.assertAlmostEqual(crowd['stores'], 2, 2)
        lanes = found[('producer', 4, 4, 'producer')]
        self.assertLess(lanes['rmws'] + lanes['loads'], 1 / 32)

    def test_predicts(self):
        result = tool('--predict')
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(result.stdout.count('\n| 128 | '), 2)

    def test_missing_program_is_told(self):
        result = subprocess.run([sys.executable, '-B', os.path.join(TREE, 'tools', 'coherence'),
                                 '--program', '/nonexistent/coherence'],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False)
        self.assertEqual((result.returncode, result.stdout), (2, ''))
        self.assertEqual(len(result.stderr.splitlines()), 1)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
