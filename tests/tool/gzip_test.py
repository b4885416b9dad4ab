#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Tests of `wp gzip`: its data, its memory, its files. gzip_test.py WP [WORD_IN_TEST_NAME...]

What goes in must come out of the system's gzip again.
"""

import gzip
import hashlib
import os
import random
import resource
import subprocess
import sys
import threading
import time

import gzip_support
from gzip_support import (
    BIG,
    BLOCK,
    MEMORY_LIMIT,
    check_failure,
    digest_of_unzipped,
    make_big,
    mixed,
    needs_plain_build,
    peak_memory,
    read,
    start,
    summary_of,
    unzip,
    wait_for,
    wp,
    write,
)
from harness import check, check_equal


# ---- the data ----


def test_round_trip_of_sizes_around_a_block():
    for size in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 9 * BLOCK + 7):
        data = mixed(size)
        write("file", data)
        from_file = wp("gzip", "-c", "file")
        from_pipe = wp("gzip", input=data)
        to_file = wp("gzip", "-o", "out", "file")
        for done in (from_file, from_pipe, to_file):
            check_equal((done.returncode, done.stderr), (0, b""), size)
        check(unzip(from_file.stdout) == data, "from a file", size)
        check_equal(from_pipe.stdout, from_file.stdout, "from a pipe")
        check_equal(read("out"), from_file.stdout, "with -o")
        check(gzip.decompress(from_file.stdout) == data, "Python's gzip", size)


def test_empty_input_is_one_empty_member():
    done = wp("gzip", "-v", input=b"")
    check_equal(done.returncode, 0)
    check_equal(unzip(done.stdout), b"")
    check(len(done.stdout) >= 18, "a gzip member has 18 bytes at least")
    check_equal(summary_of(done)["blocks"], 1)


def test_round_trip_of_a_big_file():
    digest = make_big("big")
    done = wp("gzip", "-w", "2", "-v", "-o", "out", "big")
    check_equal(done.returncode, 0, done.stderr)
    check_equal(summary_of(done)["in"], BIG)
    check_equal(summary_of(done)["out"], os.path.getsize("out"))
    check_equal(digest_of_unzipped("out"), digest)
    with open("big", "rb") as big, open("out2", "wb") as out:
        with subprocess.Popen(["cat"], stdin=big, stdout=subprocess.PIPE) as cat:
            check_equal(wp("gzip", stdin=cat.stdout, stdout=out).returncode, 0)
    check_equal(digest_of_unzipped("out2"), digest, "from a pipe")


def test_incompressible_input():
    data = random.Random(3).randbytes(5 * BLOCK + 13)
    done = wp("gzip", "-9", input=data)
    check_equal(unzip(done.stdout), data)
    check(len(done.stdout) < len(data) + len(data) // 500 + 200, "grew to", len(done.stdout))


def test_all_levels():
    data = mixed(700_000)
    sizes = {}
    for level in range(1, 13):
        done = wp("gzip", f"-{level}", "-b", "256K", input=data)
        check_equal((done.returncode, done.stderr), (0, b""), level)
        check(unzip(done.stdout) == data, "level", level)
        sizes[level] = len(done.stdout)
    check(sizes[12] < sizes[9] < sizes[1], sizes)
    check_equal(len(wp("gzip", "-b256K", input=data).stdout), sizes[6], "the default level")


def test_level_may_stand_anywhere():
    data = mixed(400_000)
    write("file", data)
    wanted = wp("gzip", "-c", "--level=12", "file").stdout
    check_equal(unzip(wanted), data)
    check(wanted != wp("gzip", "-c", "--level=2", "file").stdout, "levels do not differ")
    for line in ("-12c file", "file -c12", "-c file -12", "-1 -12 -c file", "-w2 -qc12 -- file"):
        check_equal(wp("gzip", *line.split()).stdout, wanted, line)
    check_equal(
        wp("gzip", "-1", "-2", "-c", "file").stdout,
        wp("gzip", "-2", "-c", "file").stdout,
        "-1 -2 is not -12",
    )


def test_output_does_not_depend_on_the_number_of_workers():
    data = mixed(6_000_000)
    outputs = set()
    for workers in ("1", "2", "8"):
        done = wp("gzip", "-v", "-w", workers, input=data)
        check_equal(summary_of(done)["workers"], int(workers))
        outputs.add(done.stdout)
    check_equal(len(outputs), 1, "different outputs")
    check_equal(unzip(outputs.pop()), data)


def test_block_sizes():
    data = mixed(3_000_000)
    sizes = {"1K": 1024, "4096": 4096, "100001": 100001, "64k": 65536, "1M": 1 << 20, "4m": 4 << 20}
    for text, size in sizes.items():
        done = wp("gzip", "-v", "-b", text, input=data)
        check_equal(done.returncode, 0, done.stderr)
        check_equal(summary_of(done)["block size"], size)
        check_equal(summary_of(done)["blocks"], -(-len(data) // size), text)
        check_equal(unzip(done.stdout), data, text)


def test_small_reads_fill_blocks():
    data = mixed(2 * BLOCK + 100)
    child = start("gzip", "-v", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def feed():
        for i in range(0, len(data), 5000):
            child.stdin.write(data[i : i + 5000])
        child.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    output = child.stdout.read()
    feeder.join()
    message = child.stderr.read()
    check_equal(child.wait(), 0)
    check_equal(unzip(output), data)
    check(b", 3 blocks of " in message, "blocks were not filled:", message)


def test_input_that_is_cut_or_grows_while_it_is_read():
    for change in ("cut", "grow"):
        data = random.Random(5).randbytes(24 << 20)
        write("file", data)
        child = start("gzip", "-1c", "file", stdout=subprocess.PIPE)
        output = child.stdout.read(1000)
        if change == "cut":
            os.truncate("file", 1 << 20)
        else:
            with open("file", "ab") as file:
                file.write(data)
        output += child.stdout.read()
        check_equal((child.wait(), child.stderr.read()), (0, b""), change)
        result = unzip(output)
        check((data + data).startswith(result), change, "gave something else than a part")
        check(len(result) >= len(data) if change == "grow" else result, change, len(result))


# ---- memory ----


def run_with_slow_consumer(*arguments):
    """Compresses the file 'big' to a consumer that pauses; returns (peak memory, digest)."""
    digest = hashlib.sha256()
    peak = 0
    child = start("gzip", "-c", *arguments, "big", stdout=subprocess.PIPE)
    with subprocess.Popen(
        ["gzip", "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as unzipper:

        def consume():
            while piece := unzipper.stdout.read(1 << 20):
                digest.update(piece)

        reader = threading.Thread(target=consume)
        reader.start()
        for count in range(1 << 30):
            if count in (0, 5, 50):
                time.sleep(0.7)  # much longer than reading the whole input would take
            piece = child.stdout.read(256 << 10)
            peak = max(peak, peak_memory(child.pid))
            if not piece:
                break
            unzipper.stdin.write(piece)
        unzipper.stdin.close()
        reader.join()
    check_equal((child.wait(), child.stderr.read()), (0, b""))
    return peak, digest.hexdigest()


def test_memory_stays_bounded_with_a_slow_consumer():
    needs_plain_build()
    digest = make_big("big")
    peak, got = run_with_slow_consumer("-w", "2")
    check_equal(got, digest)
    check(0 < peak < MEMORY_LIMIT, "peak memory", peak)


def test_memory_of_other_settings():
    needs_plain_build()
    write("big", mixed(24 << 20))
    for limit, arguments in (
        (MEMORY_LIMIT, ("-w", "2", "-10")),
        (MEMORY_LIMIT, ("-w", "8", "-1")),
        (2 * MEMORY_LIMIT, ("-w", "64", "-1")),
    ):
        peak, _ = run_with_slow_consumer(*arguments)
        check(0 < peak < limit, arguments, "peak memory", peak)


def limit_address_space(size):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def test_out_of_memory_is_one_clear_line():
    needs_plain_build()
    write("file", mixed(5 << 20))
    refused = succeeded = 0
    for megabytes in range(8, 400, 2):
        limit = limit_address_space(megabytes << 20)
        done = wp("gzip", "-w2", "-10", "-o", "out", "file", preexec_fn=limit)
        if done.stderr.startswith(b"wp gzip"):
            check_failure(done, 1, "memory", "file")
            check_equal(sorted(os.listdir()), ["file"], f"{megabytes} MB left files")
            refused += 1
        elif done.returncode == 0:
            check_equal(unzip(read("out")), read("file"))
            os.unlink("out")
            succeeded += 1
        else:  # not even the dynamic loader had enough
            check(refused == 0, f"with {megabytes} MB:", done.returncode, done.stderr)
        if succeeded >= 3:
            break
    check(refused > 0 and succeeded > 0, refused, "refused,", succeeded, "succeeded")
    check_failure(wp("gzip", "-c", "-b", "1024M", "file", preexec_fn=limit), 1, "not enough memory")


# ---- names ----


def test_file_becomes_file_gz():
    data = mixed(10_000)
    write("file", data)
    os.chmod("file", 0o640)
    os.utime("file", (1_000_000_000, 1_100_000_000))
    check_equal(wp("gzip", "file").returncode, 0)
    check_equal(unzip(read("file.gz")), data)
    check_equal(read("file"), data, "the input is kept")
    status = os.stat("file.gz")
    check_equal((status.st_mode & 0o777, status.st_mtime), (0o640, 1_100_000_000))
    check_equal(sorted(os.listdir()), ["file", "file.gz"])

    write("file.gz", b"precious")
    check_failure(wp("gzip", "file"), 1, "file.gz", "exists", "-f")
    check_failure(wp("gzip", "-f", "file.gz", "-o", "file.gz"), 1, "file.gz", "input")
    check_equal(read("file.gz"), b"precious")
    check_failure(wp("gzip", "file.gz"), 1, "file.gz", "suffix")
    check_equal(wp("gzip", "-f", "-k", "file").returncode, 0)
    check_equal(unzip(read("file.gz")), data)


def test_output_option_replaces_in_one_step():
    data = mixed(100_000)
    write("out", b"old")
    os.chmod("out", 0o604)
    os.symlink("out", "link")
    child = start("gzip", "-o", "link", stdin=subprocess.PIPE)
    child.stdin.write(data)
    child.stdin.flush()
    wait_for(lambda: len(os.listdir()) == 3, "the temporary file")
    check_equal(read("out"), b"old", "before it is complete")
    child.stdin.close()
    check_equal(child.wait(), 0)
    check_equal(unzip(read("out")), data)
    check_equal(os.stat("out").st_mode & 0o777, 0o604, "mode")
    check(os.path.islink("link"), "the link was replaced")
    check_equal(sorted(os.listdir()), ["link", "out"])

    old = os.umask(0o027)
    try:
        check_equal(wp("gzip", "-o", "new", input=data).returncode, 0)
    finally:
        os.umask(old)
    check_equal(os.stat("new").st_mode & 0o777, 0o640, "mode of a new file")


def test_odd_names():
    data = mixed(1000)
    for name, arguments in (("-", ["./-"]), ("-x", ["--", "-x"]), ("a b\tc", ["a b\tc"])):
        write(name, data)
        check_equal(wp("gzip", *arguments).returncode, 0, name)
        check_equal(unzip(read(name + ".gz")), data, name)
    check_equal(unzip(wp("gzip", "-", input=data).stdout), data)
    check_equal(unzip(wp("gzip", "-o", "-", "./-").stdout), data)
    check_equal(unzip(wp("gzip", "--", "-", input=data).stdout), data)
    write("n" * 252, data)
    check_failure(wp("gzip", "n" * 253), 1, "No such file")
    check_equal(wp("gzip", "n" * 252).returncode, 0)
    write("m" * 255, data)
    check_failure(wp("gzip", "m" * 255), 1, "File name too long")


def test_input_as_output_is_refused():
    data = mixed(1000)
    write("file", data)
    os.link("file", "other")
    check_failure(wp("gzip", "-o", "other", "file"), 1, "other", "input file")
    with open("file", "ab") as out:
        check_failure(wp("gzip", "-c", "file", stdout=out), 1, "standard output", "input file")
    check_equal(read("file"), data)


if __name__ == "__main__":
    gzip_support.main(sys.modules[__name__])
