"""A script: run benchbase commands in turn in one process, and print the cost of each.

Reads the commands as a list of lists of arguments, in JSON, from standard input. The last line of
output is the list of processor seconds, of this process and of the workers that it has waited for.
"""

import json
import resource
import sys

from benchbase.cli import main


def spent() -> float:
    """Return the user and system seconds used so far."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


costs = []
for arguments in json.load(sys.stdin):
    before = spent()
    if main(arguments, standalone_mode=False):
        sys.exit(1)  # the command has told why
    costs.append(spent() - before)
sys.stdout.write(json.dumps(costs) + "\n")
