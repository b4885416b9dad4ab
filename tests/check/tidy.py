#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the tree to the rules that no compiler checks.

usage: tidy.py [TREE]    prints each breach as path:line: what; exits 1 if there is one
"""

import ast
import os
import re
import sys

# ---- the rules' numbers and names ----

LAYERS = {'base': 0, 'queue': 1, 'park': 1, 'topo': 1, 'work': 2, 'engine': 3, 'api': 4}

TOP_LEVEL = {'meson.build', 'src', 'include', 'tests', 'bench', 'tools', 'docs', 'README.md',
             'LICENSE'}

FILE_LINES_WISHED = 500
FILE_LINES = 700
FUNCTION_LINES = 70
COLUMNS = 100

# Who may include what in src/: everybody else goes through these files.
DOORS = {
    'pthread.h': ('base/os.h', 'base/os.c'),
    'sys/syscall.h': ('base/os.c',),
    'sys/mman.h': ('base/os.c',),
    'linux/futex.h': ('base/os.c',),
    'sched.h': ('base/os.c',),
    'threads.h': (),
    'stdatomic.h': ('base/atomic.h',),
}
HEAP_DOOR = 'base/alloc.c'
HEAP = re.compile(r'\b(malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign'
                  r'|memalign|strdup|strndup|asprintf|vasprintf)\s*\(')

# Deadlines are on the monotonic clock, and so is everything else: nothing may depend on the time of
# day, which can be set.
TIME_OF_DAY = re.compile(r'\b(CLOCK_(?:REALTIME|TAI)\w*|FUTEX_CLOCK_REALTIME|gettimeofday\b'
                         r'|time\s*\(|ftime\s*\(|timespec_get\b|TIME_UTC|clock\s*\(|ITIMER_REAL'
                         r'|pthread_(?:cond_timedwait|mutex_timedlock|rwlock_timed\w+)'
                         r'|sem_timedwait)')

ATOMIC_DOOR = 'base/atomic.h'
RAW_ATOMIC = re.compile(r'\b(__atomic_\w+|__sync_\w+|_Atomic\b|memory_order\w*'
                        r'|atomic_(?:load|store|exchange|compare|fetch|flag|init|thread|signal)'
                        r'\w*)')
DEFAULT_ORDER = re.compile(r'\batomic_(?:load|store|exchange|compare_exchange_strong'
                           r'|compare_exchange_weak|fetch_\w+?|flag_test_and_set|flag_clear)\s*\(')
ORDERED_USE = re.compile(r'\bwp_(?:(?:load|store|swap|add|sub|or|and|cas_weak|cas_strong)'
                         r'_(acq|rel|ar)_\w+|fence_(sc))\s*\(')
LABEL = re.compile(r'\[([A-Z]{1,3}[0-9]{1,2})\]')
LABEL_DEFINED = re.compile(r'\[([A-Z]{1,3}[0-9]{1,2})\] (rlx|acq|rel|ar|sc)\b')
MEMORY_MODEL = 'docs/memory-model.md'

# A path that is somebody's own; /proc, /bin/sh and the like are everybody's.
OWN_PATH = re.compile(r'(?<![\w.~$})-])/(?:home|root|work|Users|mnt)/\w')

SPDX = 'SPDX-License-Identifier: MIT'
SOURCE_NAMES = ('.c', '.h', '.py', '.sh', '.map', 'meson.build')
CODE_FOLDERS = ('src', 'include', 'tests', 'bench', 'tools', 'docs/examples')


# ---- the tree ----

class Tree:
    """The files of a source tree, and the breaches found in it."""

    def __init__(self, root):
        self.root = root
        self.breaches = []
        self.notes = []
        self.texts = {}
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if not self.is_generated(folder, n))
            for name in sorted(files):
                path = os.path.relpath(os.path.join(folder, name), root)
                text = self.read(path)
                if text is not None:
                    self.texts[path.replace(os.sep, '/')] = text

    def is_generated(self, folder, name):
        at_top = os.path.samefile(folder, self.root)
        return name in ('.git', '__pycache__') or (at_top and name.startswith('build'))

    def read(self, path):
        try:
            with open(os.path.join(self.root, path), encoding='utf-8') as f:
                return f.read()
        except UnicodeDecodeError:
            return None

    def breach(self, path, line, what):
        self.breaches.append(f'{path}:{line}: {what}')

    def files(self, *folders, names=('',)):
        """(path, lines) of the text files below the folders whose names end so."""
        for path, text in self.texts.items():
            if path.startswith(tuple(f + '/' for f in folders)) and path.endswith(tuple(names)):
                yield path, text.split('\n')


def without_comments(text):
    """C text with comments and string contents blanked, lines and columns kept."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in '"\'':
            return found[0] + ' ' * (len(found) - 2) + found[-1]
        return re.sub(r'[^\n]', ' ', found)

    return token.sub(blank, text)


def includes(lines):
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1), match.group(2)


# ---- layers and doors ----

def check_includes(tree):
    for path, lines in tree.files('src', names=('.c', '.h')):
        inner = path[len('src/'):]
        folder = inner.split('/')[0]
        if folder not in LAYERS:
            tree.breach(path, 1, f'src/{folder} is in no layer')
            continue
        for number, kind, name in includes(lines):
            if kind == '"':
                check_layer(tree, path, number, folder, name)
            else:
                check_door(tree, path, number, inner, name)


def check_layer(tree, path, number, folder, name):
    target = name.split('/')[0]
    if '/' not in name or target not in LAYERS:
        tree.breach(path, number, f'"{name}" is not a path from src/')
    elif 'src/' + name not in tree.texts:
        tree.breach(path, number, f'"{name}" does not exist')
    elif LAYERS[target] > LAYERS[folder]:
        tree.breach(path, number, f'"{name}" is in a higher layer than {folder}')
    elif LAYERS[target] == LAYERS[folder] == 1 and target != folder:
        tree.breach(path, number, f'{folder} does not know {target}: both are in layer 1')


def check_door(tree, path, number, inner, name):
    if name in DOORS and inner not in DOORS[name]:
        tree.breach(path, number, f'<{name}> is only for {" ".join(DOORS[name]) or "nobody"}')
    elif name.startswith('urcu') and not inner.startswith('base/rcu.'):
        tree.breach(path, number, f'<{name}> is only for base/rcu')
    elif name.startswith('hwloc') and not inner.startswith('topo/'):
        tree.breach(path, number, f'<{name}> is only for topo')


def check_calls(tree):
    for path, _ in tree.files('src', names=('.c', '.h')):
        inner = path[len('src/'):]
        for number, line in enumerate(without_comments(tree.texts[path]).split('\n'), 1):
            heap = HEAP.search(line)
            if heap and inner != HEAP_DOOR:
                tree.breach(path, number, f'{heap.group(1)}() is only for {HEAP_DOOR}')
            raw = RAW_ATOMIC.search(line)
            if raw and inner != ATOMIC_DOOR:
                tree.breach(path, number, f'{raw.group(1)}: atomics go through {ATOMIC_DOOR}')
            if DEFAULT_ORDER.search(line):
                tree.breach(path, number, 'an atomic operation with the default order')


def check_clock(tree):
    for path, _ in tree.files('src', 'include', 'tools', names=('.c', '.h')):
        for number, line in enumerate(without_comments(tree.texts[path]).split('\n'), 1):
            found = TIME_OF_DAY.search(line)
            if found:
                tree.breach(path, number, f'{found.group(1)}: no clock but the monotonic one')


def check_twins(tree):
    for path, _ in tree.files('src', names=('.c',)):
        stem = path[:-len('.c')]
        public = 'include/wpool/' + stem.split('/')[-1] + '.h'
        if path.startswith('src/api/') or stem + '.h' in tree.texts or public in tree.texts:
            continue
        tree.breach(path, 1, f'has no header {stem}.h (nor {public})')


# ---- labels of the memory model ----

def label_near(lines, number):
    """(label, order) of the comment that belongs to the atomic operation at lines[number]."""
    last = number
    while last + 1 < len(lines) and last < number + 3 and not re.search(r'[;{]', lines[last]):
        last += 1
    for at in range(number, last + 1):
        found = LABEL_DEFINED.search(lines[at])
        if found:
            return found
    for at in range(number - 1, max(number - 7, -1), -1):
        if not lines[at].strip() or lines[at].startswith('}'):
            break
        if ORDERED_USE.search(lines[at]):
            break  # a label there is that one's
        found = LABEL_DEFINED.search(lines[at])
        if found:
            return found
    return None


def check_labels(tree):
    defined, mentioned = {}, {}
    for path, lines in tree.files('src', names=('.c', '.h')):
        if path == 'src/' + ATOMIC_DOOR:
            continue
        check_uses(tree, path, lines)
        for number, line in enumerate(lines, 1):
            for match in LABEL_DEFINED.finditer(line):
                defined.setdefault(match.group(1), (path, number))
            for match in LABEL.finditer(line):
                mentioned.setdefault(match.group(1), (path, number))
    rows = memory_model_rows(tree)
    for label, (path, number) in sorted(mentioned.items()):
        if label not in defined:
            tree.breach(path, number, f"[{label}] is mentioned, but is nobody's label")
    for label, (path, number) in sorted(defined.items()):
        if label not in rows:
            tree.breach(path, number, f'[{label}] has no row in {MEMORY_MODEL}')
    for label, number in sorted(rows.items()):
        if label not in defined:
            tree.breach(MEMORY_MODEL, number, f'[{label}] is not in the source')


def check_uses(tree, path, lines):
    """Each operation with an order carries a label that says the same order."""
    for number, line in enumerate(without_comments(tree.texts[path]).split('\n')):
        for use in ORDERED_USE.finditer(line):
            call, order = use.group(0) + ')', use.group(1) or use.group(2)
            label = label_near(lines, number)
            if not label:
                tree.breach(path, number + 1, f'{call}: no label such as /* [A1] rel: why */')
            elif label.group(2) != order:
                what = f'[{label.group(1)}] says {label.group(2)}, the operation is {call}'
                tree.breach(path, number + 1, what)


def memory_model_rows(tree):
    """Label -> line, from the tables that have a column "label"."""
    rows, column = {}, None
    for number, line in enumerate(tree.texts.get(MEMORY_MODEL, '').split('\n'), 1):
        if not line.startswith('|'):
            column = None
            continue
        cells = [c.strip(' `[]') for c in line.strip().strip('|').split('|')]
        heads = [c.lower() for c in cells]
        if 'label' in heads:
            column = heads.index('label')
        elif column is not None and column < len(cells) and not set(cells[column]) <= set('-:'):
            rows[cells[column]] = number
    return rows


# ---- shape ----

def check_lengths(tree):
    for path, lines in tree.files(*CODE_FOLDERS):
        count = len(lines) - 1
        if count > FILE_LINES:
            tree.breach(path, count, f'{count} lines; {FILE_LINES} is the limit')
        elif count > FILE_LINES_WISHED:
            tree.notes.append(f'{path}: {count} lines, more than {FILE_LINES_WISHED}')
        for name, begin, end in functions(path, lines):
            if end - begin + 1 > FUNCTION_LINES:
                what = f'{name}: {end - begin + 1} lines; {FUNCTION_LINES} is the limit'
                tree.breach(path, begin, what)


def functions(path, lines):
    """(name, first line, last line) of each function; C as clang-format leaves it."""
    if path.endswith('.py'):
        for node in ast.walk(ast.parse('\n'.join(lines))):
            if isinstance(node, ast.FunctionDef):
                yield node.name, node.lineno, node.end_lineno
    elif path.endswith(('.c', '.h')):
        begin = None
        for number, line in enumerate(lines, 1):
            if line == '{':
                begin = number
            elif line == '}' and begin:
                yield f'function with its body at line {begin}', begin, number
                begin = None


def check_text(tree):
    for path, text in tree.texts.items():
        lines = text.split('\n')
        if text and not text.endswith('\n'):
            tree.breach(path, len(lines), 'no newline at the end of the file')
        for number, line in enumerate(lines, 1):
            if line != line.rstrip() and not path.endswith('.md'):
                tree.breach(path, number, 'blanks at the end of the line')
            if path.endswith(('.c', '.h', '.py')) and len(line.expandtabs(8)) > COLUMNS:
                tree.breach(path, number, f'longer than {COLUMNS} columns')
            if OWN_PATH.search(line):
                tree.breach(path, number, 'an absolute path of one machine')
        script = lines[0].startswith('#!')
        head = '\n'.join(lines[:2] if script else lines[:1])
        if (path.endswith(SOURCE_NAMES) or script) and SPDX not in head:
            tree.breach(path, 1, f'does not begin with {SPDX}')


def check_top_level(tree):
    found = {n for n in os.listdir(tree.root)
             if not n.startswith('.') and not tree.is_generated(tree.root, n)}
    for name in sorted(found - TOP_LEVEL):
        tree.breach(name, 1, 'does not belong at the top level')
    for name in sorted(TOP_LEVEL - found):
        tree.breach(name, 1, 'is missing at the top level')


def check_public_docs(tree):
    """Each group of declarations without a blank line between them begins with a comment."""
    for path, lines in tree.files('include', names=('.h',)):
        for number, line in enumerate(lines):
            if not re.match(r'(?:extern |static inline )?WP_API |static inline ', line):
                continue
            top = number
            while top > 0 and lines[top - 1].strip():
                top -= 1
            if not lines[top].startswith('/*'):
                tree.breach(path, number + 1, 'a public declaration without a comment above it')


CHECKS = (check_includes, check_calls, check_clock, check_twins, check_labels, check_lengths,
          check_text, check_top_level, check_public_docs)


def check(root):
    """The breaches and notes for a tree."""
    tree = Tree(root)
    for one in CHECKS:
        one(tree)
    return tree.breaches, tree.notes


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else '.'
    breaches, notes = check(root)
    for note in notes:
        print('note:', note)
    for breach in breaches:
        print(breach)
    print(f'{len(breaches)} breaches')
    return 1 if breaches else 0


if __name__ == '__main__':
    sys.exit(main())
