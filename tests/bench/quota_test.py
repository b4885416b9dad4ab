#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/bench-quota: what it refuses, where it finds a group, that it leaves none behind.

usage: quota_test.py TREE SEG_BENCH
"""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

TREE = os.path.abspath(sys.argv[1])
SEG_BENCH = os.path.abspath(sys.argv[2])
TOOL = os.path.join(TREE, 'tools', 'bench-quota')
LIMIT_S = 600

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(TOOL))  # as when it is run
_loader = importlib.machinery.SourceFileLoader('bench_quota', TOOL)
tool = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench_quota', _loader))
_loader.exec_module(tool)


def run(*arguments):
    return subprocess.run([sys.executable, '-B', TOOL, *arguments], capture_output=True, text=True,
                          timeout=LIMIT_S, check=False)


def machine(folder, groups, mounts, files=()):
    """A made-up machine below the folder: /proc/self and the files with their text."""
    files = {'proc/self/cgroup': groups, 'proc/self/mountinfo': mounts, **dict(files)}
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), 'w', encoding='utf-8') as f:
            f.write(text)
    return folder


V1 = '30 25 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n'
V2 = '31 25 0:27 / /cg/unified rw - cgroup2 cgroup2 rw\n'


class Quota(unittest.TestCase):
    def found(self, *machine_of):
        with tempfile.TemporaryDirectory() as folder:
            parent, version = tool.find_parent(machine(folder, *machine_of))
            return parent[len(folder):], version

    def not_found(self, *machine_of):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(tool.Skipped) as caught:
                tool.find_parent(machine(folder, *machine_of))
            return str(caught.exception)

    def test_finds_version_1(self):
        files = {'cg/cpu/cpu.cfs_quota_us': '-1', 'cg/cpu/a/b/cpu.cfs_quota_us': '-1'}
        self.assertEqual(self.found('3:cpu,cpuacct:/\n', V1, files), ('/cg/cpu', 1))
        self.assertEqual(self.found('3:cpu,cpuacct:/a/b\n', V1, files), ('/cg/cpu/a/b', 1))
        # A mount that shows the tree from /a on.
        self.assertEqual(self.found('3:cpu,cpuacct:/a\n', V1.replace(' / ', ' /a ', 1), files),
                         ('/cg/cpu', 1))

    def test_finds_version_2(self):
        files = {'cg/unified/x/cgroup.subtree_control': 'memory cpu\n'}
        self.assertEqual(self.found('0::/x\n', V2, files), ('/cg/unified/x', 2))

    def test_version_2_where_version_1_has_no_cpu(self):
        other = V1.replace('cpu,cpuacct', 'freezer')
        files = {'cg/unified/cgroup.subtree_control': 'cpu\n'}
        self.assertEqual(self.found('6:freezer:/\n0::/\n', other + V2, files), ('/cg/unified', 2))

    def test_says_why_not(self):
        self.assertIn('no cgroup file system', self.not_found('', ''))
        self.assertIn('cpu.cfs_quota_us', self.not_found('3:cpu:/\n', V1))
        self.assertIn('subtree_control', self.not_found(
            '0::/\n', V2, {'cg/unified/cgroup.subtree_control': 'memory\n'}))
        with tempfile.TemporaryDirectory() as folder:
            done = run('--root', folder)
        self.assertEqual(done.returncode, 77)
        self.assertIn('skipped: no CPU quota can be had', done.stdout)

    def test_refuses_wrong_arguments(self):
        for arguments in (('--quotas', '0'), ('--quotas', 'x'), ('--runs', '0'), ('--bound', 'x'),
                          ('stray',)):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ''), arguments)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_measures_and_leaves_nothing_behind(self):
        done = run('--quick', '--runs', '1', '--quotas', '1.5', '--program', SEG_BENCH)
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        # How it compares is no matter of a test: a few jobs on a busy machine.
        self.assertIn(done.returncode, (0, 1), done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2 + 6 + 1, done.stdout)
        for line in lines[2:-1]:
            self.assertGreater(min(float(word) for word in line.split()[-3:]), 0, line)
        parent, _ = tool.find_parent()
        self.assertEqual([name for name in os.listdir(parent) if name.startswith('wpool-quota-')
                          and not os.path.exists('/proc/' + name.rsplit('-', 1)[1])], [])

    def test_a_program_that_fails_is_told(self):
        done = run('--quick', '--runs', '1', '--program', '/bin/false')
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 2)
        self.assertIn('/bin/false', done.stderr)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
