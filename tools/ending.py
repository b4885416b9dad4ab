# SPDX-License-Identifier: MIT
"""How the Python programs of this folder end.

A reader that has seen enough (head) and an interrupt (Ctrl-C) end them as they end any program:
silently and by the signal, so that a shell sees 141 or 130 and a loop around them stops. Output
that cannot be written is an error with its reason.
"""

import errno
import os
import signal
import sys

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def run(main, unwritten=1):
    """Leaves the program with main's status, or with `unwritten` where its output cannot be
    written."""
    try:
        try:
            status = main()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except KeyboardInterrupt:
        _die_of(signal.SIGINT)
    except BrokenPipeError:
        _die_of(signal.SIGPIPE)
    except OSError as error:
        # With a name it is some other file, and nobody took care of it.
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        print(f'{os.path.basename(sys.argv[0])}: standard output: {error.strerror}',
              file=sys.stderr)
        # What is left in the buffer is not tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = unwritten
    sys.exit(status)


def _die_of(number):
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
