#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The public headers, the list src/wpool.symbols and the shared library name the same symbols.

usage: symbols.py TREE LIBRARY     compares all three
       symbols.py TREE --update    writes the list anew from the headers
"""

import glob
import os
import re
import subprocess
import sys

HEAD = '# SPDX-License-Identifier: MIT\n# What libwpool.so exports: an addition is a decision.\n'


def of_headers(tree):
    names = set()
    for path in glob.glob(os.path.join(tree, 'include', 'wpool', '*.h')):
        with open(path, encoding='utf-8') as f:
            text = re.sub(r'/\*.*?\*/', ' ', f.read(), flags=re.S)
        text = re.sub(r'^\s*#(?:.*\\\n)*.*$', '', text, flags=re.M)
        for declaration in re.findall(r'\bWP_API\b([^;{]*)', text):
            if '(' in declaration:
                names.add(re.search(r'\b(wp_\w+)\s*\(', declaration).group(1))
            else:
                names.update(re.findall(r'\b(wp_\w+)\s*(?:\[\w*\]\s*)?(?=,|$)',
                                        declaration.strip()))
    return names


def of_list(path):
    with open(path, encoding='utf-8') as f:
        return {line.strip() for line in f if line.strip() and not line.startswith('#')}


def of_library(path):
    out = subprocess.run(['nm', '-D', '--defined-only', path], check=True, capture_output=True,
                         text=True).stdout
    found = [line.split() for line in out.splitlines()]
    # An absolute symbol is the name of the version itself.
    return {fields[2].split('@')[0] for fields in found if len(fields) == 3 and fields[1] != 'A'}


def compare(left, right, left_name, right_name):
    for name in sorted(left - right):
        print(f'{name} is in {left_name}, but not in {right_name}')
    for name in sorted(right - left):
        print(f'{name} is in {right_name}, but not in {left_name}')
    return left == right


def main():
    tree, library = sys.argv[1:3]
    listing = os.path.join(tree, 'src', 'wpool.symbols')
    headers = of_headers(tree)
    if library == '--update':
        with open(listing, 'w', encoding='utf-8') as f:
            f.write(HEAD + ''.join(name + '\n' for name in sorted(headers)))
        return 0
    listed = of_list(listing)
    same = compare(headers, listed, 'the public headers', 'src/wpool.symbols')
    same = compare(listed, of_library(library), 'src/wpool.symbols', 'the library') and same
    print(f'{len(listed)} symbols')
    return 0 if same and listed else 1


if __name__ == '__main__':
    sys.exit(main())
