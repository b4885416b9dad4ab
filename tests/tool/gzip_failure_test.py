#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Tests of `wp gzip` where something is wrong: gzip_failure_test.py WP [WORD_IN_TEST_NAME...]

Every failure must be one clear line and the right exit status, and must leave no file behind.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time

import gzip_support
from gzip_support import (
    BLOCK,
    WP,
    check_failure,
    mixed,
    needs_plain_build,
    read,
    start,
    unzip,
    wait_for,
    wp,
    write,
)
from harness import Skip, check, check_equal


# ---- failures ----


def test_inputs_that_cannot_be_read():
    os.mkdir("directory")
    check_failure(wp("gzip", "missing"), 1, "missing", "No such file")
    check_failure(wp("gzip", "-c", "missing"), 1, "missing", "No such file")
    check_failure(wp("gzip", "directory"), 1, "directory", "Is a directory")
    check_failure(wp("gzip", "-c", "/proc/self/mem"), 1, "/proc/self/mem", "Input/output error")
    check_failure(wp("gzip", "-o", "out", "/proc/self/mem"), 1, "Input/output error")
    with open("unreadable", "wb") as not_for_reading:
        check_failure(wp("gzip", stdin=not_for_reading), 1, "standard input", "Bad file")
    check_equal(sorted(os.listdir()), ["directory", "unreadable"])


def test_file_without_permission():
    write("secret", b"x")
    os.chmod("secret", 0)
    if os.geteuid() != 0:
        check_failure(wp("gzip", "-c", "secret"), 1, "secret", "Permission denied")
        return
    try:
        done = wp("gzip", "-c", "secret", user=65534)
    except PermissionError as error:
        raise Skip("wp is not for everybody to run") from error
    check_failure(done, 1, "secret", "Permission denied")


def test_outputs_that_cannot_be_written():
    write("file", b"x")
    os.mkdir("directory")
    check_failure(wp("gzip", "-o", "nowhere/out", "file"), 1, "nowhere/out", "No such file")
    check_failure(wp("gzip", "-o", "file/out", "directory/../file"), 1, "Not a directory")
    check_failure(wp("gzip", "-o", "directory", "file"), 1, "directory", "Is a directory")
    check_equal(sorted(os.listdir()), ["directory", "file"])


def test_full_disk():
    write("file", random.Random(7).randbytes(4 << 20))
    for arguments in (("-c", "file"), ("-",)):
        with open("/dev/full", "wb") as full, open("file", "rb") as file:
            done = wp("gzip", *arguments, stdin=file, stdout=full)
        check_failure(done, 1, "standard output", "No space left on device")
    check_failure(wp("gzip", "-o", "/dev/full", "file"), 1, "/dev/full", "No space left")
    check(not os.path.isfile("/dev/full"), "/dev/full was replaced")


def test_file_size_limit():
    needs_plain_build()  # ThreadSanitizer itself needs large files
    write("file", random.Random(7).randbytes(4 << 20))
    write("out", b"old")
    for size in (0, 1000, 1 << 20):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        check_failure(
            wp("gzip", "-o", "out", "file", preexec_fn=limit), 1, "out", "File too large"
        )
        check_failure(wp("gzip", "file", preexec_fn=limit), 1, "file.gz", "File too large")
        check_equal(read("out"), b"old")
        check_equal(sorted(os.listdir()), ["file", "out"], "left files")


def test_failed_write_ends_a_wait_for_input():
    with open("/dev/full", "wb") as full:
        child = start("gzip", stdin=subprocess.PIPE, stdout=full)
    try:
        child.stdin.write(random.Random(8).randbytes(16 * BLOCK))
        child.stdin.flush()  # and nothing more comes, but the pipe stays open
    except BrokenPipeError:
        pass
    check_equal(child.wait(timeout=60), 1)
    check(b"No space left" in child.stderr.read())


def test_consumer_that_goes_away():
    write("file", random.Random(9).randbytes(24 << 20))
    for restore in (True, False):  # with SIGPIPE at its default, and ignored by the parent
        child = start("gzip", "-c", "file", stdout=subprocess.PIPE, restore_signals=restore)
        check_equal(child.stdout.read(1), b"\x1f")
        child.stdout.close()
        check_equal(child.wait(timeout=60), -signal.SIGPIPE)
        check_equal(child.stderr.read(), b"")
    script = '"$0" gzip -c file | head -c 1 | wc -c'
    done = subprocess.run(["sh", "-c", script, WP], capture_output=True, timeout=60)
    check_equal((done.stdout.strip(), done.stderr), (b"1", b""))


def test_signals_leave_no_file():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        write("out", b"old")
        child = start("gzip", "-o", "out", stdin=subprocess.PIPE)
        child.stdin.write(random.Random(2).randbytes(8 * BLOCK))
        child.stdin.flush()
        wait_for(lambda: len(os.listdir()) == 2, "the temporary file")
        child.send_signal(number)
        check_equal(child.wait(timeout=60), -number)
        check_equal((os.listdir(), read("out")), (["out"], b"old"), number)
        child.stdin.close()
        check_equal(child.stderr.read(), b"")


def test_ignored_signal_stays_ignored():
    child = start(
        "gzip",
        "-o",
        "out",
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for(lambda: os.listdir(), "the temporary file")
    child.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    child.stdin.write(b"all of it")
    child.stdin.close()
    check_equal(child.wait(timeout=60), 0)
    check_equal(unzip(read("out")), b"all of it")


def test_closed_descriptors():
    write("file", mixed(3 << 20))
    for redirection, word in (("<&-", "standard input"), (">&- <file", "standard output")):
        done = subprocess.run(
            ["sh", "-c", f'"$0" gzip {redirection}', WP], capture_output=True, timeout=60
        )
        check_failure(done, 1, word, "Bad file descriptor")
    # Not one of the files that it opens may get the number of standard error.
    for options, status in (("-v -o out file", 0), ("-o out missing", 1)):
        script = f'"$0" gzip {options} <&- >&- 2>&-'
        check_equal(subprocess.run(["sh", "-c", script, WP], timeout=60).returncode, status)
    check_equal(unzip(read("out")), read("file"))


def test_output_in_non_blocking_mode():
    data = random.Random(4).randbytes(4 << 20)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    child = start("gzip", "-1", stdin=subprocess.PIPE, stdout=writing)
    os.close(writing)
    feeder = threading.Thread(target=lambda: (child.stdin.write(data), child.stdin.close()))
    feeder.start()
    time.sleep(0.2)
    with open(reading, "rb") as file:
        output = file.read()
    feeder.join()
    check_equal((child.wait(), child.stderr.read()), (0, b""))
    check_equal(unzip(output), data)


if __name__ == "__main__":
    gzip_support.main(sys.modules[__name__])
