from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchbase.discovery.code import Code
from benchbase.discovery.provenance import circumstances, environment


def test_the_environment_is_plain_and_names_what_changes_numbers() -> None:
    facts = environment()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert {"numpy", "scipy", "benchbase"} <= set(facts["versions"])
    assert facts["python"] == platform.python_version()
    assert facts["core"] == Code().core()
    assert facts["blas_threads"] == 1
    assert facts["blas"]


def test_the_host_is_named_when_asked_for_only() -> None:
    code = {"code": {"benchbase_knn.knn": "abc"}, "packages": {"benchbase_knn": "def"}}
    task: Any = code | {"code": {"solver": code["code"]}, "host_name": False}
    assert circumstances(task) == environment() | code
    assert circumstances(task | {"host_name": True}) == environment() | code | {
        "host": platform.node()
    }


def test_the_environment_does_not_depend_on_what_else_is_loaded() -> None:
    """SciPy brings a BLAS of its own."""
    module = "benchbase.discovery.provenance"
    script = f"import json{{}}; from {module} import environment; print(environment())"
    said = [
        subprocess.run(
            [sys.executable, "-c", script.format(more)],
            stdout=subprocess.PIPE,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        ).stdout
        for more in ("", ", scipy.linalg, sklearn.utils")
    ]
    assert said[0] == said[1]


def test_the_environment_names_no_one() -> None:
    text = json.dumps(environment()).lower()
    private = [
        platform.node(),
        str(Path.home()),
        *([] if getpass.getuser() == "root" else [getpass.getuser()]),
    ]
    assert not [word for word in private if word and word.lower() in text]
