"""A solver that does nothing, to measure what everything around it costs; a plugin file."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import benchbase

REPORT = "TRIVIAL_REPORT"


@benchbase.solver
class Trivial(benchbase.Solver):
    """Gives ones.

    If the variable `REPORT` names a file that is not there yet, the processor seconds that this
    process and its parent have used go into it when a problem is first prepared.
    """

    name = "trivial"

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        file = os.environ.get(REPORT)
        if file and not Path(file).exists():
            spent = {"own": time.process_time(), "parent": parent_seconds()}
            Path(file).write_text(json.dumps(spent))
        return lambda b, run: benchbase.Recovery(x=np.ones((len(b), problem.frame.n)))


def parent_seconds() -> float | None:
    """Return the processor seconds of the parent process, to a hundredth; None if not on Linux."""
    if sys.platform != "linux":
        return None
    # The name, in brackets, may hold spaces; after it, utime and stime are the 12th and 13th field.
    fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
