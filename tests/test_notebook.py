"""`benchbase.run` in the kernel of a notebook."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

import benchbase

SUITE = """
title = "In a notebook"
points = 3
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
[pooling]
name = "lp"
[grid]
frame.n_pools = [5, 12]
[[solver]]
name = "altmin"
n_iter = 10
"""
DEFINE = """
import os, sys
import benchbase

callers, workers = [], []

def note(event, arguments):
    if event == "subprocess.Popen" and "benchbase.running.serve" in arguments[1]:
        workers.append(arguments[1])

sys.addaudithook(note)

@benchbase.solver
def mine(frame, pooling, b, rng):
    print("at work")
    callers.append(os.getpid())
    return rng.standard_normal(frame.n)
"""
RUN = """
results = benchbase.run("s.toml", results="r", extra=[mine], jobs=2)
print(len(callers), "calls here", set(callers) == {os.getpid()})
print(len(workers), "workers")
results
"""
Messages = list[tuple[str, dict[str, Any]]]
Execute = Callable[[str], Messages]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Execute]:
    """Start a kernel of this Python, and execute cells in it; return what it sends."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "this Python",
        "language": "python",
    }
    place = tmp_path / "jupyter_data_dir" / "kernels" / "this" / "kernel.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(kernel))
    (tmp_path / "s.toml").write_text(SUITE)

    manager, client = start_new_kernel(kernel_name="this", cwd=str(tmp_path))

    def send(code: str) -> Messages:
        sent: list[dict[str, Any]] = []
        client.execute_interactive(code, output_hook=sent.append, timeout=60)
        messages = [(message["msg_type"], message["content"]) for message in sent]
        return [message for message in messages if message[0] not in ("status", "execute_input")]

    yield send
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(messages: Messages, stream: str) -> list[str]:
    texts = [c["text"] for kind, c in messages if kind == "stream" and c["name"] == stream]
    return "".join(texts).splitlines()


def test_two_runs_in_a_notebook(execute: Execute, tmp_path: Path) -> None:
    assert execute(DEFINE) == []
    messages = execute(RUN)
    assert {kind for kind, _ in messages} == {"stream", "execute_result"}, messages
    assert printed(messages, "stdout") == ["6 calls here True", "2 workers"]
    assert printed(messages, "stderr") == 6 * ["at work"]
    (shown,) = (content for kind, content in messages if kind == "execute_result")
    html = shown["data"]["text/html"]
    assert "In a notebook (run 1): mean squared cosine" in html
    assert all(word in html for word in ("<table", "<th>altmin</th>", "<th>mine</th>"))
    frame = benchbase.load_results(tmp_path / "r").rows()
    assert len(frame) == 2 * 2 * 3
    assert set(frame["status"]) == {"done"}

    # What the notebook defines may have changed and has no source to tell by; the rest is kept.
    execute("callers.clear(); workers.clear()")
    assert printed(execute(RUN), "stdout") == ["6 calls here True", "0 workers"]
    first, second = (
        benchbase.load_results(tmp_path / "r", run).rows().drop(columns="run") for run in (1, 2)
    )
    kept, again = second["label"] == "altmin", second["label"] == "mine"
    assert second[kept].equals(first[kept])  # times too: not computed anew
    assert not set(second[again]["cell"]) & set(first[again]["cell"])
    assert second[again]["squared_cosine"].equals(first[again]["squared_cosine"])
