#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed can be used from outside, and so can the tree as a Meson subproject.

usage: install.py TREE MESON COMPILER

Builds and installs the tree into a scratch prefix whose path has blanks, then builds and runs
outside.c and the examples against it: through pkg-config, dynamically and against the archive
alone, and in a project that has wpool as a subproject.
"""

import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

PROJECT = '''project('outside', 'c', default_options: ['c_std=c11', 'werror=true'])
wpool_dep = dependency('wpool', fallback: 'wpool')
test('outside', executable('outside', 'outside.c', dependencies: wpool_dep), timeout: 300)
'''


def run(*command, **options):
    """Runs a command; returns what it printed, shows that only where the command fails."""
    print('+', *map(shlex.quote, command), flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=1500, check=False, **options)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep='\n')
        sys.exit(f'exit status {done.returncode}')
    return done.stdout


def install(meson, tree, build, prefix):
    """Compiles only what is installed: the tests of the scratch build are not wanted."""
    run(meson, 'setup', build, tree, '--prefix', prefix, '--libdir', 'lib', '-Dbuildtype=debug')
    out = run(meson, 'introspect', '--targets', build)
    wanted = [os.path.relpath(name, build) for target in json.loads(out) if target['installed']
              for name in target['filename']]
    run('ninja', '-C', build, *wanted)
    run(meson, 'install', '--no-rebuild', '-C', build)


def check_files(prefix, tree):
    for name in ('libwpool.so', 'libwpool.so.0', 'libwpool.a', 'pkgconfig/wpool.pc'):
        assert os.path.exists(os.path.join(prefix, 'lib', name)), f'lib/{name} is not installed'
    ours, theirs = (sorted(os.listdir(os.path.join(root, 'include', 'wpool')))
                    for root in (tree, prefix))
    assert ours == theirs, theirs


def with_pkg_config(compiler, tree, prefix, scratch, static):
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(prefix, 'lib', 'pkgconfig'))
    how = ['--static'] if static else []
    # pkg-config escapes blanks for a shell.
    flags = shlex.split(run('pkg-config', *how, '--cflags', '--libs', 'wpool', env=env))
    program = os.path.join(scratch, 'outside-static' if static else 'outside-shared')
    run(compiler, '-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror',
        os.path.join(tree, 'tests', 'check', 'outside.c'), *flags, '-o', program)
    loaded = run('readelf', '-d', program)
    assert ('libwpool.so.0' in loaded) != static, loaded
    if not static:
        env['LD_LIBRARY_PATH'] = os.path.join(prefix, 'lib')
    run(program, env=env)
    if not static:
        examples(compiler, tree, flags, scratch, env)


def examples(compiler, tree, flags, scratch, env):
    """All that a user of the installed library can copy works there as it is."""
    check = os.path.join(tree, 'tests', 'check', 'example.py')
    sources = sorted(glob.glob(os.path.join(tree, 'docs', 'examples', '*.c')))
    assert sources, 'there are no examples'
    for source in sources:
        program = os.path.join(scratch, 'example ' + os.path.basename(source)[:-len('.c')])
        run(compiler, '-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', source, *flags,
            '-pthread', '-o', program)
        run(sys.executable, '-B', check, source, program, env=env)


def as_subproject(meson, tree, scratch):
    outside = os.path.join(scratch, 'outside project')
    os.makedirs(os.path.join(outside, 'subprojects', 'wpool'))
    for name in ('meson.build', 'include', 'src'):
        os.symlink(os.path.join(tree, name), os.path.join(outside, 'subprojects', 'wpool', name))
    shutil.copy(os.path.join(tree, 'tests', 'check', 'outside.c'), outside)
    with open(os.path.join(outside, 'meson.build'), 'w', encoding='utf-8') as f:
        f.write(PROJECT)
    build = os.path.join(outside, 'build')
    run(meson, 'setup', build, outside, '--wrap-mode=forcefallback')
    run('ninja', '-C', build)
    run(meson, 'test', '-C', build, '--print-errorlogs')


def main():
    tree, meson, compiler = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory(prefix='wpool install ') as scratch:
        prefix = os.path.join(scratch, 'pre fix')
        install(meson, tree, os.path.join(scratch, 'build'), prefix)
        check_files(prefix, tree)
        with_pkg_config(compiler, tree, prefix, scratch, static=False)
        for library in glob.glob(os.path.join(prefix, 'lib', 'libwpool.so*')):
            os.remove(library)
        with_pkg_config(compiler, tree, prefix, scratch, static=True)
        as_subproject(meson, tree, scratch)
    return 0


if __name__ == '__main__':
    sys.exit(main())
