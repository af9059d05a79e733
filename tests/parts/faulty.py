"""Solvers that go wrong for real, one way each; a plugin file."""

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time

import numpy as np

import benchbase


@benchbase.solver
def fine(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    return rng.standard_normal(frame.n)


@benchbase.solver
def raises(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    raise ArithmeticError("no such luck")


@benchbase.solver
def gives_nan(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    return np.full(frame.n, np.nan)


@benchbase.solver
def wrong_shape(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    return np.zeros(frame.n + 1)


@benchbase.solver
def hangs(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    sys.stdout.write("on my way\n")
    sys.stdout.flush()
    while True:
        pass


@benchbase.solver
def hangs_in_c(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    square = np.ones((12_000, 12_000), dtype=np.float32)
    return (square @ square @ square @ square)[0, : frame.n]


@benchbase.solver
def exits(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    sys.stdout.write("last words\n")
    sys.stdout.flush()
    os._exit(3)


@benchbase.solver
def killed(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    os.kill(os.getpid(), signal.SIGKILL)


@benchbase.solver
def segfault(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    ctypes.string_at(0)


@benchbase.solver
def allocates(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    return np.ones(2**33)[: frame.n]


@benchbase.solver
def prints(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    for _ in range(100):
        sys.stdout.write("x" * 2**20)
    return rng.standard_normal(frame.n)


@benchbase.solver
def writes(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    b[:] = 0


@benchbase.solver
def forks(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    if os.fork() == 0:
        time.sleep(1000)
    return rng.standard_normal(frame.n)


@benchbase.solver
def leaves_its_group(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()
    return rng.standard_normal(frame.n)


@benchbase.solver
def forks_and_goes_on(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    if os.fork() == 0:
        raise RuntimeError("who am I?")
    return rng.standard_normal(frame.n)


@benchbase.solver
def closes_output(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    os.closerange(1, 3)
    return rng.standard_normal(frame.n)


@benchbase.solver
class NotInstalled(benchbase.Solver):
    """Needs what nobody has."""

    name = "not_installed"
    requires = ("benchbase_no_such_library",)

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        raise AssertionError("never called")


@benchbase.solver
class Unpicklable(benchbase.Solver):
    """Cannot be pickled, and gives back an array that cannot either."""

    name = "unpicklable"

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        class Stubborn(np.ndarray):
            def __reduce__(self) -> str:
                raise TypeError("not me")

        return lambda b, run: benchbase.Recovery(x=run.normal(problem.frame.n).view(Stubborn))

    def __reduce__(self) -> str:
        raise TypeError("not me")


@benchbase.solver
def sleeps(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    time.sleep(0.01)
    return rng.standard_normal(frame.n)


@benchbase.solver
def writes_to_pipes(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    for descriptor in range(3, 300):  # they keep the numbers of the process that starts workers
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<4sIQ", b"\x93BM1", 20, 1 << 45))
    return rng.standard_normal(frame.n)


@benchbase.solver
def closes_pipes(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    os.closerange(3, 300)
    return rng.standard_normal(frame.n)


@benchbase.solver
def interrupts(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    raise KeyboardInterrupt


@benchbase.solver
def removes_modules(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    for name in [name for name in sys.modules if name.startswith("benchbase")]:
        del sys.modules[name]
    return rng.standard_normal(frame.n)
