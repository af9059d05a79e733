"""Which worker processes of benchbase are alive."""

from pathlib import Path


def workers(mark: str, parent: int | None = None) -> set[int]:
    """Return the worker processes, and what they have forked, with a mark in their environment.

    Other tests may start workers at the same time. `parent` narrows it to those of one process.
    Processes that have ended but not been waited for do not count.
    """
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
            if b"benchbase.running.serve" not in command:
                continue
            marked = f"MARK={mark}\0".encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
        own = parent is None or f" {parent} ".encode() in command.replace(b"\0", b" ")
        if marked and own:
            found.add(int(entry.name))
    return found
