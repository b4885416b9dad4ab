# SPDX-License-Identifier: MIT
"""A small runner for tests of command-line tools.

Each test is a function that takes a fresh directory and is the current one while it runs. It fails
by raising, mostly through check(). A test that hangs is ended by an alarm.
"""

import os
import shutil
import signal
import sys
import tempfile
import traceback

TEST_SECONDS = 300  # a test; so generous that only a hang reaches it
SKIPPED = 77  # exit status that meson understands


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


class Hang(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what) or "check failed")


def check_equal(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def _on_alarm(_signal, _frame):
    raise Hang(f"still running after {TEST_SECONDS} s")


def _run_one(test, directory):
    os.chdir(directory)
    signal.alarm(TEST_SECONDS)
    try:
        test()
    finally:
        signal.alarm(0)
        os.chdir("/")


def run(tests, only=()):
    """Runs the functions, prints a line for each and the sum; returns an exit status."""
    passed = failed = 0
    signal.signal(signal.SIGALRM, _on_alarm)
    for test in tests:
        name = test.__name__
        if only and not any(word in name for word in only):
            continue
        directory = tempfile.mkdtemp(prefix="wp-test-")
        os.chmod(directory, 0o755)
        try:
            _run_one(test, directory)
        except Skip as reason:
            print(f"skip  {name}: {reason}")
        except Exception:
            failed += 1
            print(f"FAIL  {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"ok    {name}")
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
