#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/setup asks for what is missing and for nothing else; tools/test counts right; all tools say
how they are used, and end as one expects of a program.

usage: scripts.py TREE

tools/setup runs with a PATH of made-up programs: what it would install is only written down.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TREE = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(TREE, 'tests', 'support'))
import tally  # noqa: E402

# What the script itself calls, and what it looks for.
SHELL_TOOLS = ('sh', 'cat', 'env')
WANTED = ('cc', 'meson', 'ninja', 'pkg-config', 'python3', 'gzip', 'cmp', 'nm', 'g++', 'clang-14',
          'clang-format-14', 'setarch', 'spin', 'valgrind')
FAKE_APT = '''echo "apt-get $*" >>"$LOG"
case $* in *install*)
    for name in $INSTALLS; do printf '#!/bin/sh\\nexit 0\\n' >"$BIN/$name"; done
    for name in $INSTALLS; do /bin/chmod +x "$BIN/$name"; done ;;
esac
'''
FAKE_SUDO = '[ "$1" != -n ] || shift\necho "sudo $*" >>"$LOG"\n"$@"\n'
results = []


def expect(what, ok, *shown):
    results.append(bool(ok))
    if not ok:
        print(f'FAILED: {what}', *shown, sep='\n    ')


def setup(*arguments, missing=(), repaired=True, user='0', programs=('apt-get',)):
    """Runs tools/setup; returns its status, its output, and the apt-get and sudo calls."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'log')
        binaries = os.path.join(folder, 'bin')
        os.mkdir(binaries)
        for name in SHELL_TOOLS:
            os.symlink(shutil.which(name), os.path.join(binaries, name))
        scripts = {name: 'exit 0\n' for name in WANTED if name not in missing}
        scripts['id'] = f'echo {user}\n'
        fakes = {'apt-get': FAKE_APT, 'sudo': FAKE_SUDO, 'sudo with password': 'exit 1\n'}
        scripts.update({name.split()[0]: fakes[name] for name in programs})
        for name, text in scripts.items():
            path = os.path.join(binaries, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write('#!/bin/sh\n' + text)
            os.chmod(path, 0o755)
        done = subprocess.run(
            [os.path.join(binaries, 'sh'), os.path.join(TREE, 'tools', 'setup'), *arguments],
            env={'PATH': binaries, 'LOG': log, 'BIN': binaries,
                 'INSTALLS': ' '.join(missing) if repaired else ''},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        calls = ''
        if os.path.exists(log):
            with open(log, encoding='utf-8') as f:
                calls = f.read()
        return done.returncode, done.stdout, calls


def check_setup():
    status, output, calls = setup('test')
    expect('nothing missing: no calls', (status, calls) == (0, ''), output, calls)

    status, output, calls = setup('test', missing=('ninja', 'clang-14'))
    lines = calls.splitlines()
    expect('root installs', status == 0 and len(lines) == 2, output, calls)
    expect('update comes first', lines and lines[0].endswith(' update'), calls)
    expect('just what is missing', calls.endswith('--no-install-recommends ninja-build clang-14\n'),
           calls)

    status, output, calls = setup('run', missing=('clang-14', 'clang-format-14', 'g++'))
    expect('run needs less than test', (status, calls) == (0, ''), output, calls)

    status, output, calls = setup('peers', missing=('clang-14', 'spin'))
    expect('peers needs other things than test', (status, calls) == (0, ''), output, calls)
    status, output, calls = setup('peers', missing=('g++',))
    expect('peers: without a C++ compiler its headers are missing',
           'g++ libck-dev libboost-dev' in calls, output, calls)
    status, output, calls = setup('peers', missing=('pkg-config',))
    expect('peers: libraries', 'libtbb-dev libdpdk-dev libuv1-dev libglib2.0-dev\n' in calls,
           output, calls)

    status, output, calls = setup('test', missing=('pkg-config',))
    expect('no pkg-config, no libraries', 'liburcu-dev libhwloc-dev' in calls, output, calls)

    status, output, calls = setup('test', missing=('g++',), user='1000',
                                  programs=('apt-get', 'sudo'))
    expect('others go through sudo', status == 0 and 'sudo env' in calls, output, calls)

    for programs in (('apt-get',), ('apt-get', 'sudo with password')):
        status, output, calls = setup('test', missing=('g++',), user='1000', programs=programs)
        command = ('sudo apt-get update && sudo apt-get install -y --no-install-recommends g++')
        expect(f'the command is shown: {programs}', status == 1 and command in output, output)
        expect(f'nothing is called: {programs}', calls == '', calls)

    status, output, calls = setup('test', missing=('meson',), programs=())
    expect('no apt-get', status == 1 and 'meson' in output, output)
    status, output, calls = setup('test', missing=('meson',), repaired=False)
    expect('an installation that did not help', status == 1 and 'still missing' in output, output)
    status, output, calls = setup('nonsense')
    expect('unknown words are refused', status == 2 and 'usage' in output, output)


def tools():
    """The scripts that are called by their name."""
    folder = os.path.join(TREE, 'tools')
    return sorted(name for name in os.listdir(folder)
                  if '.' not in name and os.path.isfile(os.path.join(folder, name)))


def check_options():
    def run(name, *arguments):
        return subprocess.run([os.path.join(TREE, 'tools', name), *arguments], cwd='/', text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    for name in tools():
        done = run(name, '--help')
        expect(f'{name} --help', done.returncode == 0 and len(done.stdout.splitlines()) > 3,
               done.stdout)
        expect(f'{name} -h', run(name, '-h').stdout == done.stdout)
        if name != 'bench-full':  # knows no more than a program that is not built here
            expect(f'{name} --nonsense', run(name, '--nonsense').returncode == 2)
    expect('lanes', [line.split()[0] for line in run('test', '--list').stdout.splitlines()] ==
           ['gcc', 'clang', 'asan', 'tsan', 'coverage'])
    expect('no such lane', run('test', '--lane', 'gcc,nonsense').returncode == 2)
    expect('no such file', run('run', '/nonexistent').returncode == 2)
    expect('one file too many', run('run', '/bin/sh', '/bin/sh').returncode == 2)
    expect('one goal too many', run('setup', 'run', 'test').returncode == 2)
    expect('nothing to advise on', run('advise', '/nonexistent').returncode == 2)


def check_ends():
    """What tools/ending.py promises."""
    for unbuffered in ('', '1'):
        environment = {**os.environ, 'PYTHONUNBUFFERED': unbuffered}

        def run(*command, out):
            return subprocess.run(command, env=environment, stdout=out, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=300)

        for words in (['explore', '--help'], ['bench-peers', '--list']):
            command = [os.path.join(TREE, 'tools', words[0]), *words[1:]]
            reader, writer = os.pipe()
            os.close(reader)
            done = run(*command, out=writer)
            os.close(writer)
            expect(f'{words}: a reader that has left', (done.returncode, done.stderr) ==
                   (-signal.SIGPIPE, ''), done.returncode, done.stderr)
            if os.path.exists('/dev/full'):
                with open('/dev/full', 'w', encoding='utf-8') as full:
                    done = run(*command, out=full)
                expect(f'{words}: a full disk', done.returncode == 1 and done.stderr ==
                       f'{words[0]}: standard output: No space left on device\n',
                       done.returncode, done.stderr)

    # Interrupted while the program that it runs sleeps: what coherence is given says when it does.
    with tempfile.TemporaryDirectory() as folder:
        program, begun = os.path.join(folder, 'program'), os.path.join(folder, 'begun')
        with open(program, 'w', encoding='utf-8') as f:
            f.write(f'#!/bin/sh\n: >"{begun}"\nexec sleep 300\n')
        os.chmod(program, 0o755)
        tool = subprocess.Popen([os.path.join(TREE, 'tools', 'coherence'), '--program', program],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)
        while not os.path.exists(begun):
            time.sleep(0.01)
        os.killpg(tool.pid, signal.SIGINT)
        output, errors = tool.communicate(timeout=300)
        expect('interrupted', (tool.returncode, output, errors) == (-signal.SIGINT, '', ''),
               tool.returncode, errors)


def check_tally():
    def cases(result, stdout=''):
        return tally.cases(json.loads(json.dumps({'result': result, 'stdout': stdout})))

    expect('one case', cases('OK') == (1, 0, 0))
    expect('one failure', cases('FAIL', 'some text\n') == (0, 1, 0))
    expect('a hang', cases('TIMEOUT') == (0, 1, 0))
    expect('a skip', cases('SKIP', 'skipped: why\n') == (0, 0, 1))
    expect('many', cases('OK', 'x\n12 passed, 0 failed, 3 skipped\n') == (12, 0, 3))
    expect('without skipped', cases('FAIL', '12 passed, 2 failed\n') == (12, 2, 0))
    expect('the last line counts', cases('OK', '1 passed, 0 failed\n2 passed, 0 failed\n')
           == (2, 0, 0))
    expect('ended badly', cases('FAIL', '12 passed, 0 failed\n') == (12, 1, 0))
    expect('killed before it could say', cases('ERROR', '') == (0, 1, 0))


def main():
    check_setup()
    check_options()
    check_ends()
    check_tally()
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
