# SPDX-License-Identifier: MIT
"""The programs of bench/peers: which there are, what each needs, and how each is built.

They are no part of the normal build: a peer's package that is missing must not keep anybody from
building wpool. So tools/bench-peers builds them, one compiler call for each.
"""

import os
import shlex
import shutil
import subprocess

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.dirname(os.path.dirname(HERE))

# Shared by all C and C++ programs.
FRAME = ('peer_main.c', 'peer_run.c', 'peer_tally.c', '../crew.c', '../numbers.c', '../pin.c',
         '../support.c')
WARNINGS = ('-Wall', '-Wextra', '-Wpedantic', '-Wshadow')
DEFINES = ('-D_GNU_SOURCE', '-DNDEBUG')

# How long a registry may take to say whether it has a module.
SEEDS_LIMIT_S = 20


class Missing(Exception):
    """A program cannot be built here; the text says what to install."""


class Program:
    """One program of bench/peers and the adapters that it has."""

    def __init__(self, name, source, *, headers=(), modules=(), package='', flags=(), libraries=(),
                 queues=(), pools=(), spins=False):
        self.name = name
        self.source = source
        self.headers = headers      # which tell whether the package is there
        self.modules = modules      # of pkg-config
        self.package = package      # in Debian
        self.flags = flags
        self.libraries = libraries
        self.queues = queues
        self.pools = pools
        self.spins = spins          # producers wait for a preempted one and keep the CPU
        self.path = None            # once it is built
        self.library = ''           # what it says it uses

    @property
    def peers(self):
        return self.queues + self.pools

    def build(self, builder):
        self.path = builder.build_c(self)


class Folder(Program):
    """A program in another language: a folder whose own tool fetches what its lock file pins."""

    def __init__(self, name, source, tool, toolchain, command, product, **more):
        super().__init__(name, source, **more)
        self.tool = tool
        self.toolchain = toolchain
        self.command = command      # @OUT@ stands for where to build
        self.product = product      # the program, seen from there

    def build(self, builder):
        self.path = builder.build_folder(self)


class Seeds(Program):
    """Modules that the registry did not give when the peers were written, so without adapters.

    They are asked for in each run, so that the report says so, and says when that has changed.
    """

    def build(self, builder):
        if shutil.which('go') is None:
            raise Missing('go is missing: install Go 1.26 or newer (go.dev)')
        why = {module: self.ask(module) for module in self.modules}
        given = [module for module, reason in why.items() if not reason]
        text = f'the module registry: {"; ".join(sorted(set(why.values()) - {""}))}'
        if given:
            text = f'the module registry gives {", ".join(given)} now: adapters can be written'
        raise Missing(text)

    @staticmethod
    def ask(module):
        """Why the registry does not give it; empty if it does."""
        try:
            done = run(['go', 'list', '-m', f'{module}@latest'], timeout=SEEDS_LIMIT_S,
                       cwd=os.path.join(HERE, 'go'))
        except subprocess.TimeoutExpired:
            return f'no answer within {SEEDS_LIMIT_S} s'
        if done.returncode == 0:
            return ''
        lines = done.stderr.splitlines() or ['no message']
        return lines[0].rsplit(': ', 1)[-1]


PROGRAMS = (
    Program('wpool', 'wpool.c',
            queues=('wpool', 'wpool_batch', 'wpool_lane', 'wpool_lane_batch'),
            pools=('wpool_submit', 'wpool_submit_batch', 'wpool_producer',
                   'wpool_producer_batch')),
    Program('textbook', 'textbook.c',
            pools=('mutex_pool', 'mutex_pool_claim', 'mutex_pool_batch', 'thread_per_job')),
    Program('moodycamel', 'moodycamel.cpp', headers=('concurrentqueue/concurrentqueue.h',),
            package='libconcurrentqueue-dev',
            queues=('moodycamel_implicit', 'moodycamel_tokens', 'moodycamel_bulk'),
            pools=('moodycamel_blocking', 'moodycamel_blocking_bulk')),
    Program('tbb', 'tbb.cpp', headers=('oneapi/tbb/task_group.h',), modules=('tbb',),
            package='libtbb-dev',
            queues=('tbb_queue', 'tbb_bounded_queue'),
            pools=('tbb_task_group', 'tbb_enqueue')),
    Program('urcu', 'urcu.c', headers=('urcu/wfcqueue.h',), modules=('liburcu-cds',),
            package='liburcu-dev', queues=('urcu_wfcqueue',)),
    Program('ck', 'ck.c', headers=('ck_ring.h',), package='libck-dev', queues=('ck_ring',),
            spins=True),
    Program('dpdk', 'dpdk.c', headers=('rte_ring.h',), modules=('libdpdk',), package='libdpdk-dev',
            queues=('dpdk_ring', 'dpdk_ring_bulk')),
    Program('boost', 'boost.cpp', package='libboost-dev',
            headers=('boost/lockfree/queue.hpp', 'boost/asio/thread_pool.hpp'),
            queues=('boost_queue', 'boost_queue_fixed', 'boost_spsc', 'boost_spsc_bulk'),
            pools=('boost_asio',)),
    Program('xenium', 'xenium.cpp', headers=('xenium/ramalhete_queue.hpp',),
            package='libxenium-dev', queues=('xenium_ramalhete', 'xenium_vyukov')),
    Program('xenium_nikolaev', 'xenium_nikolaev.cpp',
            headers=('xenium/nikolaev_bounded_queue.hpp',),
            package='a libxenium-dev newer than 0.0.2', queues=('xenium_nikolaev',)),
    Program('libcds', 'libcds.cpp', headers=('cds/init.h',), package='libcds-dev',
            libraries=('-lcds',),
            queues=('cds_vyukov', 'cds_segmented', 'cds_moir', 'cds_weak', 'cds_weak_bulk')),
    Program('glib', 'glib.c', headers=('glib.h',), modules=('glib-2.0',), package='libglib2.0-dev',
            pools=('glib_pool',)),
    Program('libuv', 'libuv.c', headers=('uv.h',), modules=('libuv',), package='libuv1-dev',
            pools=('libuv_pool',)),
    Program('openmp', 'openmp.c', headers=('omp.h',), package='gcc, or libomp-dev for clang',
            flags=('-fopenmp',), pools=('openmp_task',)),
    Folder('rust', 'rust', 'cargo', 'Rust 1.80 or newer (rustup)',
           ('cargo', 'build', '--release', '--locked', '--quiet', '--target-dir', '@OUT@'),
           'release/peer_rust', package='crates.io',
           queues=('crossbeam_segqueue', 'crossbeam_arrayqueue', 'crossbeam_channel'),
           pools=('rayon_scope', 'crossbeam_pool')),
    Folder('go', 'go', 'go', 'Go 1.26 or newer (go.dev)',
           ('go', 'build', '-mod=readonly', '-o', '@OUT@/peer_go', '.'), 'peer_go',
           package='Go modules', queues=('go_channel',),
           pools=('go_channel_pool', 'go_ants', 'go_pond', 'go_errgroup', 'goroutine_per_job')),
    Seeds('go_seeds', '', package='Go modules',
          modules=('github.com/azargarov/wpool', 'github.com/GregoryKogan/worker-pool',
                   'github.com/rubengp99/go-pool', 'github.com/iyashjayesh/go-adaptive-pool',
                   'github.com/tohafrit/worker-pool'),
          pools=('azargarov_wpool', 'gregorykogan_worker_pool', 'rubengp99_go_pool',
                 'iyashjayesh_go_adaptive_pool', 'tohafrit_worker_pool')),
)


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **more)


def installed(package):
    """The version of a Debian package, for libraries that do not know their own."""
    try:
        done = run(['dpkg-query', '-W', '-f', '${Package} ${Version}', package])
    except FileNotFoundError:
        return None
    return done.stdout if package and done.returncode == 0 else None


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else 'no message'


def first_error(text):
    """The line that says what is wrong, of a compiler or a package manager."""
    errors = [line.strip() for line in text.splitlines() if 'error' in line.lower()]
    return errors[0] if errors else last_line(text)


def newest(paths):
    return max((os.path.getmtime(path) for path in paths if os.path.exists(path)), default=0)


class Builder:
    """Builds into one folder, anew only what is older than its sources."""

    def __init__(self, folder, wpool_build=None):
        self.folder = os.path.abspath(folder)
        self.wpool_build = wpool_build and os.path.abspath(wpool_build)
        self.cc = shlex.split(os.environ.get('CC', 'cc'))
        self.cxx = shlex.split(os.environ.get('CXX', 'c++'))
        self.flags = ['-O3', *shlex.split(os.environ.get('CFLAGS', ''))]
        self.frame = None
        self.wpool = None

    # ---- the library itself ----

    def prepare(self):
        """Builds wpool, unless a build was given, and what all C and C++ programs share."""
        os.makedirs(self.folder, exist_ok=True)
        if self.wpool_build is None:
            self.wpool_build = os.path.join(self.folder, 'wpool')
            self.build_wpool()
        archive = os.path.join(self.wpool_build, 'src', 'libwpool.a')
        if not os.path.exists(archive):
            raise Missing(f'{archive} is not there: build wpool with default_library=both')
        self.wpool = [archive, *self.pkg_config('--libs', 'hwloc', 'liburcu-memb'), '-lm',
                      '-pthread']

    def build_wpool(self):
        if not os.path.exists(os.path.join(self.wpool_build, 'build.ninja')):
            self.must(['meson', 'setup', self.wpool_build, TREE, '--buildtype=release'], 'meson')
        self.must(['ninja', '-C', self.wpool_build, 'src/libwpool.a', 'bench/seg_bench'],
                  'ninja-build')

    def seg_bench(self):
        return os.path.join(self.wpool_build, 'bench', 'seg_bench')

    def must(self, command, package, cwd=None):
        if shutil.which(command[0]) is None:
            raise Missing(f'{command[0]} is missing (Debian: {package})')
        done = run(command, cwd=cwd)
        if done.returncode != 0:
            raise Missing(f'{shlex.join(command[:3])} ... failed: '
                          + last_line(done.stderr or done.stdout))

    # ---- C and C++ ----

    def pkg_config(self, *arguments):
        try:
            done = run([os.environ.get('PKG_CONFIG', 'pkg-config'), *arguments])
        except FileNotFoundError:
            raise Missing('pkg-config is missing (Debian: pkg-config)') from None
        if done.returncode != 0:
            raise Missing(f'pkg-config does not know {" ".join(arguments[1:])}')
        return done.stdout.split()

    def compiler(self, source):
        command, package, standard = ((self.cxx, 'g++', '-std=c++17') if source.endswith('.cpp')
                                      else (self.cc, 'gcc', '-std=c11'))
        if shutil.which(command[0]) is None:
            raise Missing(f'the compiler {command[0]} is missing (Debian: {package})')
        return [*command, standard, *self.flags]

    def frame_objects(self):
        """The frame as object files: it is compiled once for all programs."""
        if self.frame is not None:
            return self.frame
        shown = ' '.join(self.flags).replace('\\', '').replace('"', '')
        frame = []
        for source in FRAME:
            path = os.path.join(HERE, source)
            target = os.path.join(self.folder, os.path.basename(source)[:-2] + '.o')
            if not os.path.exists(target) or newest(self.sources(path)) > newest([target]):
                self.compile([*self.compiler(source), *WARNINGS, *DEFINES, '-DBENCH_NAME="peer"',
                              f'-DPEER_FLAGS="{shown}"', '-I', os.path.join(TREE, 'include'),
                              '-c', path, '-o', target])
            frame.append(target)
        self.frame = frame
        return frame

    def sources(self, path):
        """A source and every header that it may include."""
        folders = (HERE, os.path.dirname(HERE), os.path.join(TREE, 'include', 'wpool'))
        headers = [os.path.join(folder, name) for folder in folders for name in os.listdir(folder)
                   if name.endswith(('.h', '.hpp'))]
        return [path, *headers]

    def compile(self, command):
        done = run(command)
        if done.returncode != 0:
            raise Missing('does not compile: ' + first_error(done.stderr))

    def has_headers(self, program, compiler, flags):
        text = ''.join(f'#include <{header}>\n' for header in program.headers)
        language = 'c++' if program.source.endswith('.cpp') else 'c'
        done = run([*compiler, *flags, '-E', '-x', language, '-', '-o', os.devnull], input=text)
        return done.returncode == 0

    def build_c(self, program):
        """Path of the program; raises Missing with the package's name."""
        compiler = self.compiler(program.source)
        flags, libraries = [*program.flags], [*program.libraries]
        try:
            if program.modules:
                flags += self.pkg_config('--cflags', *program.modules)
                libraries += self.pkg_config('--libs', *program.modules)
            if not self.has_headers(program, compiler, flags):
                raise Missing(f'<{program.headers[0]}> is not there')
        except Missing as why:
            raise Missing(f'{why} (Debian: {program.package})') from None
        path = os.path.join(HERE, program.source)
        target = os.path.join(self.folder, 'peer_' + program.name)
        frame = self.frame_objects()
        needs = [*self.sources(path), *frame, self.wpool[0], os.path.abspath(__file__)]
        if not os.path.exists(target) or newest(needs) > newest([target]):
            self.compile([*compiler, *WARNINGS, *DEFINES, *flags, '-I', HERE,
                          '-I', os.path.join(TREE, 'include'), path, *frame, *libraries,
                          *self.wpool, '-o', target])
        return target

    # ---- other languages ----

    def build_folder(self, program):
        """Go and Rust keep track of what is older than its sources themselves."""
        if shutil.which(program.tool) is None:
            raise Missing(f'{program.tool} is missing: install {program.toolchain}')
        target = os.path.join(self.folder, program.name)
        command = [part.replace('@OUT@', target) for part in program.command]
        done = run(command, cwd=os.path.join(HERE, program.source))
        if done.returncode != 0:
            raise Missing(f'{shlex.join(command[:2])} failed: {first_error(done.stderr)} '
                          f'(needs {program.toolchain} and its registry)')
        return os.path.join(target, program.product)
