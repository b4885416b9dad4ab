#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A poll of a context that stands is one load of its state, and no more than a look beside it.

usage: ctx_poll.py TREE LIBRARY CC...

Disassembles wp_ctx_err: it reads the state once and the deadline at most once, writes nothing,
locks nothing and calls nothing but, for a context that has ended or has a deadline, the slow way.
Then compiles mutants of it that do more, and expects to find each of them out. Exits 77 where the
machine is not x86-64.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile

STATE, DEADLINE = 0, 8
SLOW = 'wp__ctx_look'
LOAD = 'wp_load_rlx_u32(&ctx->state) == 0'
MUTANTS = (
    'wp_add_rlx_u32(&ctx->state, 8) == 0',
    '(wp_fence_sc(), wp_load_rlx_u32(&ctx->state)) == 0',
    'wp_load_rlx_u32(&ctx->state) == 0 && wp_load_rlx_u32(&ctx->state) == 0',
    'wp_load_rlx_u32(&ctx->state) == 0 && wp__os_now_ns()',
    'wp_load_rlx_u32(&ctx->state) == 0 && wp_load_rlx_u64(&ctx->references)',
)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def listing(binary):
    """The instructions of wp_ctx_err."""
    body, inside = [], False
    for line in run('objdump', '-dr', '-w', '--no-show-raw-insn', binary).splitlines():
        head = re.match(r'[0-9a-f]+ <([^>]+)>:$', line)
        if head:
            inside = head.group(1) == 'wp_ctx_err'
        elif inside and '\t' in line:
            body.append(line.split('\t', 1)[1].strip())
    return body


def complaints(body):
    found, reads = [], {STATE: 0, DEADLINE: 0}
    if not body:
        return ['wp_ctx_err is not there']
    for text in body:
        mnemonic, _, operands = text.split('#')[0].strip().partition(' ')
        memory = re.search(r'(-?0x[0-9a-f]+)?\(%r[a-z0-9]+[^)]*\)', operands)
        if re.match(r'lock|xchg|cmpxchg|xadd|[lms]fence|syscall', mnemonic):
            found.append(f'{text}: more than a load')
        elif mnemonic.startswith('call') or (mnemonic == 'jmp' and '<' in operands and
                                             'wp_ctx_err' not in operands and
                                             SLOW not in text):
            found.append(f'{text}: calls')
        elif memory and not re.match(r'nop|lea|data16|cs|xchg', mnemonic):
            offset = int(memory.group(1) or '0', 16)
            last = operands.rstrip().endswith(memory.group(0))
            if offset not in reads or (last and mnemonic.startswith('mov')):
                found.append(f'{text}: neither the state nor the deadline, or written')
            else:
                reads[offset] += 1
    if reads[STATE] != 1 or reads[DEADLINE] > 1:
        found.append(f'{reads[STATE]} looks at the state, {reads[DEADLINE]} at the deadline')
    return found


def mutant(tree, cc, folder, expression):
    """Complaints about wp_ctx_err with another look at the state."""
    with open(os.path.join(tree, 'src/work/ctx.h'), encoding='utf-8') as f:
        text = f.read()
    if text.count(LOAD) != 1:
        sys.exit(f'ctx_poll: src/work/ctx.h does not say "{LOAD}"')
    header, out = os.path.join(folder, 'mutant.h'), os.path.join(folder, 'mutant.o')
    with open(header, 'w', encoding='utf-8') as f:
        f.write(text.replace(LOAD, expression))
    run(*cc, '-std=c11', '-O2', '-DNDEBUG', '-fPIC', '-fvisibility=hidden',
        '-I' + os.path.join(tree, 'include'), '-I' + os.path.join(tree, 'src'),
        '-include', header, '-c', os.path.join(tree, 'src/api/ctx.c'), '-o', out)
    return complaints(listing(out))


def main():
    tree, library, cc = sys.argv[1], sys.argv[2], sys.argv[3:]
    if platform.machine() != 'x86_64':
        print('skipped: only for x86-64')
        sys.exit(77)
    body = listing(library)
    found = complaints(body)
    for complaint in found:
        print(complaint)
    failed = bool(found)
    with tempfile.TemporaryDirectory() as folder:
        for expression in (LOAD,) + MUTANTS:
            wrong = bool(mutant(tree, cc, folder, expression)) != (expression != LOAD)
            failed |= wrong
            print(f'{"WRONG" if wrong else "ok"}: {expression}')
    print(f'wp_ctx_err: {len(body)} instructions, {len(found)} complaints')
    sys.exit(failed)


if __name__ == '__main__':
    main()
