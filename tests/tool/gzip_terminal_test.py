#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Tests of what a person sees of wp: options, help, progress. gzip_terminal_test.py WP [WORD...]"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import gzip_support
from gzip_support import (
    BLOCK,
    WP,
    check_failure,
    mixed,
    read,
    summary_of,
    unzip,
    wp,
    write,
)
from harness import check, check_equal


# ---- the command line ----


def test_wrong_options():
    write("file", b"x")
    wrong = {
        ("-0",): "level",
        ("-13",): "level",
        ("-99999999999999999999",): "level",
        ("--level=six",): "level",
        ("-w", "0"): "1 to 1024",
        ("-w", "1025"): "1 to 1024",
        ("-w", "2x"): "1 to 1024",
        ("-w", " 2"): "1 to 1024",
        ("-w", "-1"): "1 to 1024",
        ("-w", ""): "1 to 1024",
        ("-w", "18446744073709551617"): "1 to 1024",
        ("-b", "0"): "1K to 1024M",
        ("-b", "1023"): "1K to 1024M",
        ("-b", "1025M"): "1K to 1024M",
        ("-b", "17592186044417M"): "1K to 1024M",
        ("-b", "K"): "1K to 1024M",
        ("-b", "64KB"): "1K to 1024M",
        ("-b", "-64K"): "1K to 1024M",
        ("-o", ""): "-o",
        ("-o", "out", "-c"): "-c and -o",
        ("-Z",): "'-Z' is not known",
        ("-qZ",): "'-Z' is not known",
        ("--nonsense",): "'--nonsense' is not known",
        ("--force=1",): "takes no argument",
        ("file", "-w"): "'-w' needs an argument",
        ("file", "--output"): "'--output' needs an argument",
        ("file", "file"): "one input file",
        ("--", "file", "-c"): "-c: one input file",
    }
    for arguments, words in wrong.items():
        done = wp("gzip", *arguments, *([] if "file" in arguments else ["file"]))
        check_failure(done, 2, "wp gzip: ", words)
        check_equal((done.stdout, os.listdir()), (b"", ["file"]), arguments)


def test_wrong_commands():
    for arguments, word in (
        ([], "no command"),
        (["gunzip"], "unknown command 'gunzip'"),
        (["--gzip"], "unknown option '--gzip'"),
        ([""], "unknown command ''"),
        (["help", "nothing"], "unknown command 'nothing'"),
        (["help", "gzip", "x"], "one command"),
    ):
        check_failure(wp(*arguments), 2, word, "wp --help")


def test_help():
    for arguments in (["--help"], ["-h"], ["help"]):
        done = wp(*arguments)
        check_equal((done.returncode, done.stderr), (0, b""), arguments)
        check(b"Usage: wp COMMAND" in done.stdout and b"  gzip " in done.stdout, done.stdout)
    texts = {wp(*a).stdout for a in (["gzip", "--help"], ["gzip", "-h"], ["help", "gzip"])}
    check_equal(len(texts), 1, "three ways to the same help")
    text = texts.pop().decode()
    for word in ("-w, --workers=WORKERS", "-b, --block=BLOCK", "-o, --output=OUT", "-f, --force"):
        check(word in text, word, "is not in", text)
    check(max(len(line) for line in text.splitlines()) <= 80, "wider than a terminal")
    version = wp("--version")
    check(version.returncode == 0 and version.stdout.startswith(b"wp "), version.stdout)


def test_help_that_nobody_gets():
    for arguments in (["--help"], ["--version"], ["gzip", "--help"], ["help", "gzip"]):
        with open("/dev/full", "wb") as full:
            check_failure(wp(*arguments, stdout=full), 1, "standard output", "No space left")
        reading, writing = os.pipe()
        os.close(reading)
        done = wp(*arguments, stdout=writing)
        os.close(writing)
        check_equal((done.returncode, done.stderr), (1, b""), arguments)
        script = '"$0" "$@" >&-'
        done = subprocess.run(["sh", "-c", script, WP, *arguments], capture_output=True, timeout=60)
        check_failure(done, 1, "standard output", "Bad file descriptor")


def test_verbose_and_quiet():
    data = mixed(2_000_000)
    write("file", data)
    done = wp("gzip", "-v", "-w", "2", "-c", "file")
    line = done.stderr.decode()
    check(line.startswith("file: 2000000 bytes in, ") and line.count("\n") == 1, line)
    for word in ("ratio", " s, ", "MB/s", "2 workers", "2 blocks of 1048576"):
        check(word in line, word, "is not in", line)
    check_equal(summary_of(done)["out"], len(done.stdout))
    check_equal(wp("gzip", "-vq", "-c", "file").stderr, b"")
    check_equal(wp("gzip", "-q", "missing").returncode, 1)
    check(wp("gzip", "-q", "missing").stderr, "-q must not hide failures")


# ---- on a terminal ----


class Terminal:
    """A pseudo-terminal; what is written to it is collected."""

    def __init__(self, columns=80):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.text = b""
        self.thread = threading.Thread(target=self.collect)
        self.thread.start()

    def collect(self):
        try:
            while piece := os.read(self.master, 4096):
                self.text += piece
        except OSError:
            pass  # EIO: the other end is closed

    def close(self):
        """Returns all that was written, when the last user of the terminal has gone."""
        os.close(self.slave)
        self.thread.join()
        os.close(self.master)
        return self.text.decode("latin-1")


def run_on_terminal(*arguments, columns=80, **options):
    terminal = Terminal(columns)
    started = time.monotonic()
    done = wp("gzip", *arguments, stderr=terminal.slave, **options)
    seconds = time.monotonic() - started
    return done, terminal.close(), seconds


def test_progress_on_a_terminal():
    size = 24 << 20
    write("file", mixed(size))
    for columns in (80, 24, 3):
        done, text, seconds = run_on_terminal("-9", "-o", "out", "file", columns=columns)
        check_equal(done.returncode, 0, text)
        lines = [line.rstrip() for line in text.split("\r")]
        check("\n" not in text and "\x1b" not in text, repr(text))
        check(max(len(line) for line in text.split("\r")) < columns, "too wide", repr(text))
        check(text.endswith("\r") and not lines[-2].strip(), "not wiped", repr(text))
        drawn = [line for line in lines if line]
        check(1 <= len(drawn) <= seconds * 10 + 2, len(drawn), "drawings in", seconds, "s")
        if columns == 80:
            for word in ("%", "MB of 25.2 MB", "B/s", "left"):
                check(word in drawn[-1], word, "is not in", repr(drawn[-1]))
            drawn_at_width_80 = len(drawn)
    # A tenth of a second lies between two drawings, and this machine may be fast.
    while drawn_at_width_80 == 1:
        size *= 2
        check(size < 1 << 31, "it is drawn only once, whatever the size")
        write("file", mixed(size))
        done, text, _ = run_on_terminal("-9", "-o", "out", "file", columns=80)
        check_equal(done.returncode, 0, text)
        drawn_at_width_80 = len([line for line in text.split("\r") if line.strip()])
    check_equal(unzip(read("out")), read("file"))


def test_progress_without_a_total():
    reading, writing = os.pipe()
    feeder = threading.Thread(target=lambda: open(writing, "wb").write(mixed(8 << 20)))
    feeder.start()
    done, text, _ = run_on_terminal("-v", stdin=reading)
    feeder.join()
    os.close(reading)
    check_equal(done.returncode, 0)
    check("MB/s" in text and "%" not in text, repr(text))
    summary = text.split("\r")[-2]  # the terminal makes \r\n of the line end
    check(summary.startswith("standard input: 8388608 bytes in"), repr(text))


def test_no_progress_elsewhere():
    write("file", mixed(4 << 20))
    check_equal(wp("gzip", "-9", "-c", "file").stderr, b"")
    done, text, _ = run_on_terminal("-q", "-9", "-c", "file")
    check_equal((done.returncode, text), (0, ""))
    done, text, _ = run_on_terminal("missing")
    check_equal((done.returncode, text), (1, "wp gzip: missing: No such file or directory\r\n"))


def test_terminal_as_output():
    write("file", b"x")
    for arguments in (["-c", "file"], ["-"], ["-o", "the terminal", "file"]):
        terminal = Terminal()
        if "-o" in arguments:
            arguments[1] = os.ttyname(terminal.slave)
        done = wp("gzip", *arguments, stdout=terminal.slave)
        check_equal(terminal.close(), "")
        check_failure(done, 1, "is a terminal", "-f")
    terminal = Terminal()
    done = wp("gzip", "-f", "-c", "file", stdout=terminal.slave, stderr=terminal.slave)
    text = terminal.close()
    check_equal(done.returncode, 0)
    check(text.startswith("\x1f") and "B/s" not in text, repr(text))


def test_control_c():
    write("out", b"old")
    pid, master = pty.fork()
    if pid == 0:
        os.execv(WP, [WP, "gzip", "-o", "out", "/dev/zero"])
    terminal_text = b""
    while b"B/s" not in terminal_text:
        terminal_text += os.read(master, 4096)
    check_equal(len(os.listdir()), 2, "files while it works")
    os.write(master, b"\x03")
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        pass  # EIO: it has ended
    _, status = os.waitpid(pid, 0)
    os.close(master)
    check_equal(os.waitstatus_to_exitcode(status), -signal.SIGINT)
    check_equal((os.listdir(), read("out")), (["out"], b"old"))


if __name__ == "__main__":
    gzip_support.main(sys.modules[__name__])
