#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that tidy.py finds what it is there to find: one made-up tree is clean, and each of the
changes below makes exactly the breach that is written beside it."""

import os
import sys
import tempfile

import tidy

C = '/* SPDX-License-Identifier: MIT */\n'
PY = '# SPDX-License-Identifier: MIT\n'

CLEAN = {
    'meson.build': PY,
    'README.md': '# made up\n',
    'LICENSE': 'MIT\n',
    '.clang-format': 'Language: Cpp\n',
    'build/left-over.c': 'no license, no matter\n',
    'bench/meson.build': PY,
    'tools/setup': '#!/bin/sh\n' + PY,
    'tests/a_test.c': C + 'void f(void)\n{\n\tfree(0);\n}\n',
    'include/wpool/one.h': C + '/* One. */\nWP_API int wp_one(void);\nWP_API int wp_two(void);\n',
    'src/base/atomic.h': C + '#include <stdatomic.h>\n',
    'src/base/os.h': C + '#include <pthread.h>\n#include "base/atomic.h"\n',
    'src/base/os.c': C + '#include "base/os.h"\n#include <sys/syscall.h>\n',
    'src/base/alloc.h': C,
    'src/base/alloc.c': C + '#include <stdlib.h>\nvoid f(void *p)\n{\n\tfree(p);\n}\n',
    'src/base/one.c': C + '#include <wpool/one.h>\n',
    'src/queue/lane.h': C + '#include "base/atomic.h"\n/* See [A1]: free(p) in a comment. */\n',
    'src/queue/lane.c': C + '#include "queue/lane.h"\n'
                        'void f(void)\n{\n'
                        '\twp_store_rel_u64(&a, 1); /* [A1] rel: pairs with [A2] */\n\n'
                        '\t/* [A2] acq: takes it up; pairs with [A1] */\n'
                        '\tg = wp_load_acq_u64(&a);\n'
                        '\twp_store_rlx_u64(&a, 1);\n}\n',
    'src/park/latch.h': C + '#include "base/os.h"\n',
    'src/work/job.h': C + '#include "park/latch.h"\n#include "queue/lane.h"\n',
    'src/engine/pool.h': C + '#include "work/job.h"\n',
    'src/api/submit.c': C + '#include "engine/pool.h"\n',
    'docs/memory-model.md': '# Orders\n\n| place | label | why |\n|---|---|---|\n'
                            '| x | `[A1]` | publishes |\n| y | A2 | takes up |\n\n'
                            '| word | meaning |\n|---|---|\n| Z9 | not a label |\n',
}

LONG = ''.join(f'int x{i};\n' for i in range(700))
LONG_BODY = 'void g(void)\n{\n' + '\tf();\n' * 69 + '}\n'
LONG_DEF = 'def f():\n' + '    f()\n' * 70

# (what is tried, path, new content or what is added to the old one, the breach)
ADD, PUT, DROP = 'add', 'put', 'drop'
CASES = (
    (ADD, 'src/queue/lane.c', '#include "work/job.h"\n', 'is in a higher layer than queue'),
    (ADD, 'src/base/os.c', '#include "queue/lane.h"\n', 'is in a higher layer than base'),
    (ADD, 'src/engine/pool.h', '#include "api/submit.h"\n', '"api/submit.h" does not exist'),
    (ADD, 'src/queue/lane.c', '#include "park/latch.h"\n', 'queue does not know park'),
    (ADD, 'src/queue/lane.c', '#include "lane.h"\n', '"lane.h" is not a path from src/'),
    (PUT, 'src/extra/x.h', C, 'src/extra is in no layer'),
    (ADD, 'src/queue/lane.c', '#include <pthread.h>\n', '<pthread.h> is only for'),
    (ADD, 'src/work/job.h', '#include <stdatomic.h>\n', '<stdatomic.h> is only for'),
    (ADD, 'src/base/os.h', '#  include <sys/syscall.h>\n', '<sys/syscall.h> is only for'),
    (ADD, 'src/api/submit.c', '#include <threads.h>\n', '<threads.h> is only for nobody'),
    (ADD, 'src/api/submit.c', '#include <urcu/urcu-memb.h>\n', 'is only for base/rcu'),
    (ADD, 'src/engine/pool.h', '#include <hwloc.h>\n', 'is only for topo'),
    (ADD, 'src/queue/lane.c', 'void *m(void)\n{\n\treturn malloc(1);\n}\n', 'malloc() is only for'),
    (ADD, 'src/base/os.c', 'void m(void *p)\n{\n\tfree(p);\n}\n', 'free() is only for'),
    (ADD, 'src/work/job.h', '_Atomic int x;\n', '_Atomic: atomics go through'),
    (ADD, 'src/work/job.h', 'int x = __atomic_load_n(&y, 0);\n', '__atomic_load_n: atomics go'),
    (ADD, 'src/base/atomic.h', 'int x = atomic_load(&y);\n', 'with the default order'),
    (ADD, 'src/base/atomic.h', 'int x = atomic_fetch_add(&y, 1);\n', 'with the default order'),
    (ADD, 'src/base/os.c', 'int c = CLOCK_REALTIME;\n', 'CLOCK_REALTIME: no clock but'),
    (ADD, 'src/base/os.c', 'void t(void)\n{\n\ttime(NULL);\n}\n', 'no clock but the monotonic'),
    (ADD, 'src/queue/lane.c', 'int g = gettimeofday(&t, 0);\n', 'gettimeofday: no clock but'),
    (PUT, 'src/queue/alone.c', C, 'has no header src/queue/alone.h'),
    (ADD, 'src/queue/lane.c', '\nint x = wp_cas_weak_ar_u64(&a, &b, c);\n', 'no label such as'),
    (ADD, 'src/queue/lane.c', '\nvoid k(void)\n{\n\twp_fence_sc();\n}\n', 'no label such as'),
    (ADD, 'src/queue/lane.c', '\n/* [A1] rel */\nwp_store_rel_u64(&a, 1);\n'
     'wp_store_rel_u64(&b, 1);\n', 'no label such as'),
    (ADD, 'src/queue/lane.c', '\nint x = wp_load_acq_u32(&a); /* [A1] rel: no */\n',
     '[A1] says rel, the operation is wp_load_acq_u32()'),
    (ADD, 'src/queue/lane.c', '\n/* [B1] rel: new */\nwp_store_rel_u32(&a, 1);\n',
     '[B1] has no row in docs/memory-model.md'),
    (ADD, 'src/queue/lane.c', '/* see [C7] */\n', "[C7] is mentioned, but is nobody's label"),
    (ADD, 'docs/memory-model.md', '\n| label | why |\n|---|---|\n| D1 | gone |\n',
     '[D1] is not in the source'),
    (DROP, 'docs/memory-model.md', '', '[A1] has no row'),
    (ADD, 'tests/a_test.c', LONG, 'lines; 700 is the limit'),
    (ADD, 'tools/setup', LONG, 'lines; 700 is the limit'),
    (ADD, 'src/queue/lane.c', LONG_BODY, '71 lines; 70 is the limit'),
    (PUT, 'tests/check/x.py', PY + LONG_DEF, 'f: 71 lines; 70 is the limit'),
    (PUT, 'src/base/os.h', 'int x;\n', 'does not begin with SPDX'),
    (PUT, 'tools/setup', '#!/bin/sh\necho\n', 'does not begin with SPDX'),
    (PUT, 'meson.build', "project('x')\n", 'does not begin with SPDX'),
    (ADD, 'tests/a_test.c', 'int x; \n', 'blanks at the end of the line'),
    (ADD, 'tests/a_test.c', 'int x;', 'no newline at the end'),
    (ADD, 'tests/a_test.c', '/* ' + 'x' * 97 + ' */\n', 'longer than 100 columns'),
    (ADD, 'README.md', 'See /ho' + 'me/somebody/wpool.\n', 'an absolute path of one machine'),
    (PUT, 'notes.txt', 'x\n', 'does not belong at the top level'),
    (DROP, 'LICENSE', '', 'is missing at the top level'),
    (ADD, 'include/wpool/one.h', '\nWP_API int wp_three(void);\n', 'without a comment above it'),
    (ADD, 'include/wpool/one.h', '\nstatic inline int wp_four(void)\n{\n\treturn 4;\n}\n',
     'without a comment above it'),
)


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as f:
            f.write(text)


def breaches_with(change, path, text):
    files = dict(CLEAN)
    if change == DROP:
        del files[path]
    else:
        files[path] = (files[path] if change == ADD else '') + text
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        return tidy.check(root)[0]


def main():
    failed = 0
    clean = breaches_with(ADD, 'README.md', '')
    if clean:
        print('the clean tree has breaches:', *clean, sep='\n    ')
        failed += 1
    for change, path, text, expected in CASES:
        found = breaches_with(change, path, text)
        if not any(expected in breach for breach in found):
            print(f'not found: {expected!r} after {change} {path} {text[:60]!r}')
            print(*found, sep='\n')
            failed += 1
    print(f'{len(CASES) + 1 - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
