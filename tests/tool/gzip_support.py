# SPDX-License-Identifier: MIT
"""What the tests of `wp gzip` share. The path of wp is the first argument of each test program."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time

from harness import Skip, check, check_equal

WP = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "wp"
BLOCK = 1 << 20  # the default block size with few workers
MEMORY_LIMIT = 64 << 20  # for the memory of wp gzip with 2 workers
BIG = 200 * 1000 * 1000  # bytes, of the big file


def wp(*arguments, timeout=120, **options):
    """Runs wp to its end; output and messages are captured unless told otherwise."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([WP, *arguments], timeout=timeout, **options)


def default_signals():
    """Whoever runs the tests in the background may have told them to ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(*arguments, **options):
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("preexec_fn", default_signals)
    return subprocess.Popen([WP, *arguments], **options)


def unzip(data):
    """By the system's gzip, which must not have anything to complain about."""
    done = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, timeout=120)
    check(done.returncode == 0 and not done.stderr, "gzip -dc:", done.stderr)
    return done.stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def mixed(size, seed=1):
    """Bytes that are partly repetitive, partly text-like, partly noise; the same for each seed."""
    source = random.Random(seed)
    words = [source.randbytes(source.randrange(2, 10)).hex().encode() for _ in range(2000)]
    pieces, length = [], 0
    while length < min(size, 4 << 20):
        kind = source.randrange(3)
        if kind == 0:
            piece = b" ".join(source.choices(words, k=4000))
        elif kind == 1:
            piece = source.randbytes(8000)
        else:
            piece = source.choice(words) * 3000
        pieces.append(piece)
        length += len(piece)
    unit = b"".join(pieces)
    return (unit * (size // len(unit) + 1))[:size] if unit else b""


def make_big(path):
    """Writes BIG bytes piece by piece; returns their digest."""
    digest = hashlib.sha256()
    unit = mixed(8 << 20)
    with open(path, "wb") as file:
        for start_of_piece in range(0, BIG, len(unit)):
            piece = unit[: BIG - start_of_piece]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def digest_of_unzipped(path):
    digest = hashlib.sha256()
    with subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE) as child:
        while piece := child.stdout.read(1 << 20):
            digest.update(piece)
    check_equal(child.returncode, 0, "gzip -dc")
    return digest.hexdigest()


def check_failure(done, status, *words):
    """It failed with this status and said so in one line that has the words in it."""
    message = done.stderr.decode()
    check_equal(done.returncode, status, f"status (it said {message!r})")
    check(message.startswith("wp") and message.count("\n") == 1, "not one line:", repr(message))
    for word in words:
        check(word in message, f"no {word!r} in {message!r}")


def peak_memory(pid):
    """Largest resident size so far; unlike ru_maxrss it does not count the parent's at the fork."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0  # it has ended


def needs_plain_build():
    if any(mark in read(WP) for mark in (b"__asan_init", b"__tsan_init", b"__msan_init")):
        raise Skip("a sanitizer has needs of its own")


def wait_for(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        check(time.monotonic() < deadline, "waited in vain for", what)
        time.sleep(0.005)


def summary_of(done):
    """The figures of -v: {"bytes in": ..., "blocks": ...}."""
    words = done.stderr.decode().replace(",", "").split()
    return {
        "in": int(words[words.index("in") - 2]),
        "out": int(words[words.index("out") - 2]),
        "workers": int(words[words.index("workers") - 1]),
        "blocks": int(words[words.index("blocks") - 1]),
        "block size": int(words[-1]),
    }


def main(module):
    """Runs the test functions of a module in their order in the file; exits."""
    import harness

    missing = subprocess.run([WP, "gzip", "--help"], capture_output=True, timeout=60)
    if missing.returncode == 1 and b"libdeflate" in missing.stderr:
        print("skipped: wp was built without libdeflate")
        sys.exit(harness.SKIPPED)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    sys.exit(harness.run(tests, only=sys.argv[2:]))
