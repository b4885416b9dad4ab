#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The README's quick start compiles and runs as it is printed.

usage: quickstart.py TREE LIBRARY CC...
"""

import os
import re
import subprocess
import sys
import tempfile

FLAGS = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Wpedantic', '-Werror']


def main():
    tree, library, compiler = sys.argv[1], sys.argv[2], sys.argv[3:]
    readme = os.path.join(tree, 'README.md')
    if not os.path.exists(readme):
        print('skipped: there is no README.md')
        return 77
    with open(readme, encoding='utf-8') as f:
        block = re.search(r'^```c\n(/\* quickstart\.c \*/\n.*?)^```$', f.read(), re.M | re.S)
    if not block:
        print('README.md has no block that begins with ```c and /* quickstart.c */')
        return 1
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, 'quickstart.c'), os.path.join(folder, 'quickstart')
        with open(source, 'w', encoding='utf-8') as f:
            f.write(block.group(1))
        subprocess.run([*compiler, *FLAGS, '-I' + os.path.join(tree, 'include'), source, library,
                        '-Wl,-rpath,' + os.path.dirname(os.path.abspath(library)), '-pthread',
                        '-o', program], check=True)
        # The limit is for a hang.
        subprocess.run([program], check=True, timeout=300)
    return 0


if __name__ == '__main__':
    sys.exit(main())
