"""The program ``benchbase``: from its first moment, an interruption ends it with one sentence.

It is a module of its own because imports take a noticeable time: those of the command line, and of
NumPy and the core if something is to be computed.
"""

import os
import signal
import sys

_EARLY = b"interrupted before anything was computed; give the same command again\n"
_INTERRUPTED = 130
"""The exit code, as shells have it for Ctrl-C."""


def main() -> None:
    """Run the command line. A SIGTERM interrupts it as Ctrl-C does."""
    # Who started this process may have asked it to ignore the signals, as nohup does.
    signals = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) != signal.SIG_IGN]
    for number in signals:
        signal.signal(number, _end)
    from benchbase.cli import main as command

    if sys.argv[1:2] == ["run"] and {"-h", "--help"}.isdisjoint(sys.argv):
        import benchbase.api  # noqa: F401 # what takes a noticeable time
    for number in signals:
        signal.signal(number, signal.default_int_handler)
    command()


def _end(number: int, frame: object) -> None:
    del number, frame
    try:  # noqa: SIM105 # contextlib is not imported, because this program has to be ready soon
        os.write(2, _EARLY)
    except OSError:  # standard error may be closed
        pass
    os._exit(_INTERRUPTED)  # an exception could be lost in the middle of an import
