"""`benchbase bounds`, its errors, and the examples of its page."""

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import benchbase
from benchbase.cli import main
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.representation import Operator

SPECS: list[dict[str, Any]] = [
    {"name": "lp", "p": p, "rectified": rectified}
    for p in (1, 2, "inf")
    for rectified in (False, True)
] + [{"name": "maxout"}]
LP2 = '{"name": "lp", "p": 2}'


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bounds", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "f.npy", np.random.default_rng(0).standard_normal((6, 1, 2)))
    return tmp_path / "f.npy"


def test_table_and_json_agree(file: Path) -> None:
    told, found = call(file, "--pooling", LP2), call(file, "--pooling", LP2, "--json")
    assert told.exit_code == found.exit_code == 0
    data = json.loads(found.stdout)
    assert {"lower", "upper", "exact", "B", "pair", "method", "seconds"} <= set(data)
    assert data["exact"]
    assert data["B_exact"]
    assert data["B_lower"] == data["B"]
    assert f"A       {data['upper']:.9g} (exact)" in told.stdout
    assert f"B       {data['B']:.9g} (exact)" in told.stdout
    assert "K = 6, L = 1, N = 2" in told.stdout
    x, y = map(np.array, data["pair"])
    pooling = benchbase.build("pooling", data["pooling"])
    operator = Operator.of(benchbase.DenseFrame(np.load(file)), pooling)
    assert operator.ratio(x, y) == pytest.approx(data["upper"])


def test_the_condition_has_both_ends(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.random.default_rng(0).standard_normal((14, 2, 4)))
    arguments = (tmp_path / "f.npy", "--pooling", '{"name": "lp", "p": 2, "rectified": true}')
    data = json.loads(call(*arguments, "--json", "--effort", 0.03).stdout)
    assert data["lower"] == 0 < data["upper"] < data["B_lower"] < data["B"]
    told = call(*arguments, "--effort", 0.03).stdout
    assert f"at least {data['B_lower'] / data['upper']:.6g}, perhaps infinite" in told
    assert data["reason"] in told


def test_json_holds_json_whatever_the_frame(tmp_path: Path) -> None:
    np.save(tmp_path / "zero.npy", np.zeros((3, 1, 2)))
    found = call(tmp_path / "zero.npy", "--pooling", '{ name = "lp", p = inf }', "--json")

    def refuse(token: str) -> None:
        raise AssertionError(token)

    data = json.loads(found.stdout, parse_constant=refuse)
    assert data["pooling"]["p"] == "inf"
    assert data["B"] == data["upper"] == 0
    told = call(tmp_path / "zero.npy", "--pooling", LP2).stdout
    assert "A       0 (to rounding)" in told
    assert "B/A     infinite" in told


def test_thresholds_come_one_for_all_or_one_each(file: Path) -> None:
    spec = {"name": "lp", "p": 2, "rectified": True}
    lines = [
        json.loads(
            call(
                file, "--pooling", json.dumps(spec | {"threshold": t}), "--json", "--effort", 0.1
            ).stdout
        )
        for t in (-0.5, [-0.5] * 6)
    ]
    assert lines[0]["upper"] == lines[1]["upper"] > 0
    assert lines[0]["pooling"]["threshold"] == -0.5


def test_help_has_examples() -> None:
    told = call("--help").stdout
    assert "\n    benchbase bounds --suite quick\n" in told
    assert "(K, L, N)" in told


def test_frames_of_a_suite(tmp_path: Path) -> None:
    suite = tmp_path / "s.toml"
    suite.write_text(
        'points = 2\ntrials = 2\ndataset = { name = "gaussian", n = 2 }\n'
        'frame = { name = "gaussian", n_pools = 5, pool_size = 1 }\n'
        'pooling = { name = "lp", p = 2 }\n[grid]\nframe.n_pools = [5, 7]\n'
        '[[solver]]\nname = "altmin"\n[[solver]]\nname = "altmin"\nlabel = "again"\n'
    )
    found = call("--suite", suite, "--json")
    assert found.exit_code == 0, found.output
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["n_pools"] for line in lines] == [5, 7]
    assert all(line["exact"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "either FILE.npy or --suite"),
        (("{f}",), "give --pooling"),
        (("{f}", "--pooling", "7"), "must be a table"),
        (("{f}", "--pooling", '{"name": "lq"}'), "lq"),
        (("{f}", "--suite", "quick"), "either FILE.npy or --suite"),
        (("--suite", "quick", "--pooling", LP2), "a suite names its own poolings"),
        (("nothing.npy", "--pooling", LP2), "No such file"),
        (("{text}", "--pooling", LP2), "NumPy's format"),
        (("{flat}", "--pooling", LP2), "save vectors[:, None, :]"),
        (("{one}", "--pooling", LP2), "(K, L, N), of K pools of L vectors in R^N, not (3,)"),
        (("{empty}", "--pooling", LP2), "there are none in the shape (3, 0, 2)"),
        (("{nan}", "--pooling", LP2), "must be finite"),
        (("{object}", "--pooling", LP2), "not an array of numbers"),
        (("{cut}", "--pooling", LP2), "not an array of numbers"),
        (("{f}", "--pooling", '{"name": "lp", "p": 3}'), "must be 1, 2 or inf"),
        (("{f}", "--pooling", '{"name": "lp", "q": 3}'), "has no parameter 'q'"),
        (("{f}", "--pooling", '{"name": "lp"'), "neither JSON nor TOML; write it"),
        (("--suite", "nosuch"), "no suite named 'nosuch'"),
        (("{complex}", "--pooling", LP2), "real vectors"),
        (("{f}", "--pooling", '{"name":"lp","p":2,"rectified":true,"threshold":[1]}'), "threshold"),
    ],
)
def test_mistakes_are_told(
    arguments: tuple[str, ...], words: str, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.npy").write_text("none")
    np.save(tmp_path / "flat.npy", np.ones((3, 2)))
    np.save(tmp_path / "complex.npy", np.ones((3, 1, 2)) * 1j)
    np.save(tmp_path / "one.npy", np.ones(3))
    np.save(tmp_path / "empty.npy", np.ones((3, 0, 2)))
    np.save(tmp_path / "nan.npy", np.full((3, 1, 2), np.nan))
    np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(file.read_bytes()[:130])
    names = {path.stem: str(path) for path in tmp_path.glob("*.npy")}
    names["f"] = str(file)
    given = [names.get(a[1:-1], a) if a.startswith("{") else a for a in arguments]
    found = call(*given)
    assert found.exit_code == 2
    assert words in found.output
    assert len(found.output.splitlines()) == 1
    assert not found.exception or isinstance(found.exception, SystemExit)


def test_a_frame_beyond_the_memory_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("benchbase_bounds.dispatch.bounds", too_large)
    found = call(file, "--pooling", LP2)
    assert found.exit_code == 2
    assert "too large for this machine's memory" in found.output


def test_complex_frames_and_bad_efforts_are_refused() -> None:
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2})
    with pytest.raises(benchbase.BenchbaseError, match="complex"):
        bounds(benchbase.DenseFrame(np.ones((2, 1, 1)) * 1j), pooling)
    with pytest.raises(benchbase.ParameterError, match="effort"):
        bounds(benchbase.DenseFrame(np.ones((2, 1, 1))), pooling, effort=0)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_seed_gives_the_same_bracket(spec: dict[str, Any]) -> None:
    frame = benchbase.DenseFrame(np.random.default_rng(0).standard_normal((4, 2, 2)))
    pooling = benchbase.build("pooling", spec)
    one, other = (bounds(frame, pooling, seed=3, effort=0.05) for _ in range(2))
    assert (one.lower, one.upper, one.largest) == (other.lower, other.upper, other.largest)


def test_the_examples_of_the_page_hold() -> None:
    page = Path(__file__).parents[2] / "docs" / "bounds.rst"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 10
    assert failed == 0
