#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hot path calls the metrics functions without asking whether there are any.

usage: metrics_branch.py TREE LIBRARY CC...

Disassembles the library and follows what is loaded from the pool's table of metrics functions:
it may be called, and nothing else; above all it is never compared. Then makes mutants of the
source that do ask, and expects to find each of them out.

The offsets of the table come from a little program that includes the internal headers. Where the
compiler keeps a loaded function in a register, the register is followed down the listing until
it is overwritten.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile

MEMBERS = ('inc_queued', 'batch_dec_queued', 'inc_executed', 'inc_rejected')
# Functions that make up submit and drain, as far as the compiler leaves them: others inline them.
HOT = re.compile(r'wp_(_)?(try_)?submit|push_in_job|conclude|count_rejected|count_run|run_or_skip'
                 r'|wp__worker|wp__run|wp__rescue|wp__lanes|wp_(_)?producer|help_lane|run_nested'
                 r'|handle_claim|work$')
# A call overwrites these.
CALLER_SAVED = {'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11'}

OFFSETS = '''
#include <stddef.h>
#include <stdio.h>
#include "engine/pool.h"
int main(void)
{
	printf("%zu\\n", offsetof(struct wp_pool, options.metrics));
''' + ''.join(f'\tprintf("%zu\\n", offsetof(struct wp_pool, metrics.{m}));\n'
              for m in MEMBERS) + '\treturn 0;\n}\n'

MUTANTS = (
    ('src/engine/submit.c', 'pool->metrics.inc_queued(',
     'if (pool->metrics.inc_queued)\n\t\t\tpool->metrics.inc_queued('),
    ('src/engine/submit.c', 'pool->metrics.inc_queued(',
     'if (pool->metrics.inc_queued != wp_metrics_noop.inc_queued)\n'
     '\t\t\tpool->metrics.inc_queued('),
    ('src/engine/submit.c', 'pool->metrics.inc_queued(',
     'if (pool->options.metrics)\n\t\t\tpool->metrics.inc_queued('),
    ('src/engine/run.c', 'pool->metrics.inc_executed(',
     'if (pool->metrics.inc_executed)\n\t\tpool->metrics.inc_executed('),
    ('src/engine/lanes.c', 'pool->metrics.batch_dec_queued(',
     'if (pool->metrics.batch_dec_queued)\n\t\tpool->metrics.batch_dec_queued('),
)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compile_flags(tree):
    return ['-std=c11', '-O2', '-DNDEBUG', '-fPIC', '-fvisibility=hidden',
            '-I' + os.path.join(tree, 'include'), '-I' + os.path.join(tree, 'src')]


def find_offsets(tree, cc, folder):
    source, program = os.path.join(folder, 'offsets.c'), os.path.join(folder, 'offsets')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(OFFSETS)
    run(*cc, *compile_flags(tree), source, '-o', program)
    option, *table = map(int, run(program).split())
    return option, dict(zip(table, MEMBERS))


# ---- the listing ----

def functions(binary):
    """(name, [(mnemonic, [operands])]) of each function."""
    name, body = None, []
    for line in run('objdump', '-d', '-w', '--no-show-raw-insn', binary).splitlines():
        head = re.match(r'[0-9a-f]+ <([^>]+)>:$', line)
        if head:
            if name:
                yield name, body
            name, body = head.group(1), []
        parts = line.split('\t', 1)
        if head or len(parts) < 2:
            continue
        text = re.sub(r'^(?:(?:notrack|bnd|lock|rep\w*|cs|ds|data16)\s+)+', '',
                      parts[1].split('#')[0].strip())
        mnemonic, _, rest = text.partition(' ')
        operands = re.findall(r'\*?[^,(\s]*\([^)]*\)|[^,\s]+', rest)
        body.append((mnemonic, operands))
    if name:
        yield name, body


def displacement(operand):
    """The constant in `0x940(%rdi)`, with a base register that may hold a pool; else None."""
    match = re.match(r'\*?(0x[0-9a-f]+)\(%(r[a-z0-9]+)\)$', operand)
    return int(match.group(1), 16) if match and match.group(2) not in ('rip', 'rsp') else None


def whole(operand):
    """The 64-bit register that the operand is, or None."""
    match = re.match(r'\*?%(\w+)$', operand)
    if not match:
        return None
    name = match.group(1)
    numbered = re.match(r'(r\d+)[bwd]?$', name)
    if numbered:
        return numbered.group(1)
    short = re.match(r'[re]?([abcd]x|[sd]i|[sb]p)$', name)
    return 'r' + short.group(1) if short else name


ASKS = re.compile(r'(cmp|test|bt)[bwlq]?$')
JUMPS = ('call', 'callq', 'jmp', 'jmpq')


# ---- what becomes of a loaded function ----

def follow(body, at, register):
    """Uses of a register that was loaded at body[at-1]: 'call', or the instruction that asks."""
    held, found = {register}, []
    for mnemonic, operands in body[at:]:
        registers = [whole(o) for o in operands]
        used = [r for r in registers if r in held]
        if mnemonic in JUMPS and used:
            found.append('call')
            return found
        if ASKS.match(mnemonic) and used:
            found.append(f'{mnemonic} {", ".join(operands)}')
        elif mnemonic.startswith('mov') and len(operands) == 2 and registers[0] in held:
            if registers[1]:
                held.add(registers[1])
        elif operands and registers[-1] in held:
            held.discard(registers[-1])
        if mnemonic in ('call', 'callq'):
            held -= CALLER_SAVED
        if not held:
            return found
    return found


def look(binary, option, table):
    """(member -> calls, faults, names of the functions that call)."""
    calls, faults, callers = dict.fromkeys(MEMBERS, 0), [], set()
    for name, body in functions(binary):
        for i, (mnemonic, operands) in enumerate(body):
            for position, operand in enumerate(operands):
                offset = displacement(operand)
                listing = f'{name}: {mnemonic} {", ".join(operands)}'
                if offset == option and HOT.match(name) and (
                        ASKS.match(mnemonic) or position < len(operands) - 1):
                    faults.append(f'{listing}: looks at options.metrics')
                if offset not in table or not HOT.match(name):
                    continue
                if mnemonic in JUMPS:
                    calls[table[offset]] += 1
                    callers.add(name)
                elif ASKS.match(mnemonic):
                    faults.append(f'{listing}: asks for {table[offset]}')
                elif mnemonic in ('mov', 'movq') and position == 0 and whole(operands[1]):
                    uses = follow(body, i + 1, whole(operands[1]))
                    if 'call' in uses:
                        calls[table[offset]] += 1
                        callers.add(name)
                    faults += [f'{listing}; then {use}: asks for {table[offset]}'
                               for use in uses if use != 'call']
    return calls, faults, callers


# ---- the source ----

def asking_lines(tree):
    """Conditions in the engine that mention the metrics: what the listing might not show."""
    for folder, _, files in os.walk(os.path.join(tree, 'src', 'engine')):
        for file in sorted(files):
            with open(os.path.join(folder, file), encoding='utf-8') as f:
                text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
            for match in re.finditer(r'\b(?:if|while|switch)\s*\([^;{]*?\)\s', text):
                if 'metrics' in match.group(0):
                    yield f'{file}: {" ".join(match.group(0).split())}'
            yield from (f'{file}: {line.strip()}' for line in text.split('\n')
                        if 'metrics' in line and re.search(r'\?|&&|\|\|', line))


# ---- mutants ----

def mutant_is_found(tree, cc, folder, number, option, table):
    path, old, new = MUTANTS[number]
    with open(os.path.join(tree, path), encoding='utf-8') as f:
        text = f.read()
    if text.count(old) == 0:
        print(f'mutant {number}: {path} has no "{old}"')
        return False
    source = os.path.join(folder, f'mutant{number}.c')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(text.replace(old, new))
    run(*cc, *compile_flags(tree), '-c', source, '-o', source + '.o')
    _, faults, _ = look(source + '.o', option, table)
    print(f'mutant {number}: {faults[0] if faults else "NOT FOUND OUT"}')
    return bool(faults)


def main():
    tree, library, *cc = sys.argv[1:]
    if platform.machine() != 'x86_64':
        print(f'skipped: reads x86-64 listings, not those of {platform.machine()}')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        option, table = find_offsets(tree, cc, folder)
        calls, faults, callers = look(library, option, table)
        faults += list(asking_lines(tree))
        for fault in faults:
            print('FAULT', fault)
        print('calls:', ', '.join(f'{m} {n}' for m, n in calls.items()))
        print('in:', ' '.join(sorted(callers)))
        found = [mutant_is_found(tree, cc, folder, i, option, table) for i in range(len(MUTANTS))]
    return 0 if all(calls.values()) and not faults and all(found) else 1


if __name__ == '__main__':
    sys.exit(main())
