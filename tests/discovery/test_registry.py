"""Discovery of plugins, plugin files, and building components by name."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click import Group

import benchbase
from benchbase.discovery.registry import KINDS, Registry
from benchbase.errors import PluginError, SpecError

SOLVER = """
import benchbase

class {cls}(benchbase.Solver):
    name = "{name}"
    q: int = 3

    def prepare(self, problem):
        raise NotImplementedError

@benchbase.hookimpl
def register_solvers(register):
    register({cls})
"""

Install = Callable[..., None]
_counter = itertools.count()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install distributions into a folder of the path: a name, and modules by entry point."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    before = set(sys.modules)

    def run(distribution: str, **plugins: str) -> None:
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\n")
        lines = ["[benchbase]"]
        for name, source in plugins.items():
            module = f"plugin_in_a_test_{next(_counter)}"
            (site / f"{module}.py").write_text(source)
            lines.append(f"{name} = {module}")
        (info / "entry_points.txt").write_text("\n".join(lines))

    yield run
    for name in set(sys.modules) - before:
        if name.startswith("plugin_in_a_test_"):
            del sys.modules[name]


def loaded() -> Registry:
    registry = Registry()
    registry.load_installed()
    return registry


def supply(registry: Registry) -> dict[str, set[str]]:
    return {kind: set(table) for kind, table in registry.classes.items()} | {
        "suite": set(registry.suites)
    }


def test_bundled_plugins_are_found_like_any_other() -> None:
    known = loaded()
    assert {"altmin", "knn", "mean"} <= set(known.classes["solver"])
    assert {"quick", "figure1a", "figure1b"} <= set(known.suites)
    assert {str(provider) for provider in known.providers.values()} == {
        "the distribution benchbase-recovery"
    }
    assert known.warnings == []
    for kind, table in known.classes.items():
        for name, cls in table.items():
            assert issubclass(cls, KINDS[kind])
            assert cls.name == name


def test_an_installed_plugin_is_found(install: Install) -> None:
    install("acme", acme=SOLVER.format(cls="Mine", name="mine"))
    known = loaded()
    assert str(known.providers["solver", "mine"]) == "the distribution acme"
    assert known.build("solver", {"name": "mine", "q": 5}).spec() == {"name": "mine", "q": 5}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nosuchmodule\n", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("x = (\n", "SyntaxError"),
        ("import sys; sys.exit(3)\n", "SystemExit: 3"),
        (SOLVER.format(cls="Mine", name=""), "Mine has no name"),
        (SOLVER.format(cls="Mine", name="b").replace("prepare", "prepair"), "implement prepare"),
        (SOLVER.format(cls="Mine", name="b").replace("Solver):", "Report):"), "Mine"),
        (SOLVER.format(cls="Mine", name="b").replace("(register)", "(reg)"), "reg"),
        (SOLVER.format(cls="Mine", name="b") + "    raise KeyError('boo')\n", "KeyError: 'boo'"),
        (SOLVER.format(cls="Mine", name="b").replace("register_s", "register_z"), "register_zol"),
        (SOLVER.format(cls="Mine", name="b").replace("q: int", "q: 'Nope'"), "Nope"),
    ],
    ids=range(10),
)
def test_a_broken_plugin_is_a_warning_and_nothing_else_changes(
    install: Install, source: str, told: str
) -> None:
    good = {name: SOLVER.format(cls="Good", name=name) for name in ("a_good", "z_good")}
    install("acme", m_broken=source, **good)
    known, bundled = loaded(), Registry()
    assert len(known.warnings) == 1
    for part in ("'m_broken'", "acme", told):
        assert part in known.warnings[0]
    assert "\n" not in known.warnings[0]
    bundled.load_installed()
    assert set(known.classes["solver"]) >= {"a_good", "z_good", "altmin"}
    assert "b" not in known.classes["solver"]
    assert ("solver", "b") not in known.providers


def test_what_a_broken_plugin_supplied_before_it_broke_is_taken_back(install: Install) -> None:
    install("acme", broken=SOLVER.format(cls="Mine", name="mine") + "    raise KeyError('boo')\n")
    known = loaded()
    assert known.warnings
    assert "mine" not in known.classes["solver"]
    commands = Group("main")
    known.add_commands(commands)
    assert "mine" not in supply(known)["solver"]


LAST = SOLVER.format(cls="Mine", name="mine").partition("@benchbase.hookimpl")[0]
UNRESOLVED = """
from __future__ import annotations
import typing
if typing.TYPE_CHECKING:
    from fractions import Fraction
class Other(Mine):
    name = "other"
    part: Fraction | None = None
"""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("    register(3)\n", "3 is neither a Solver class nor marked"),
        ("    register(type('Two', (Mine,), {}))\n", "two solvers named 'mine'; rename one"),
        ("    register(type('Two', (Mine,), {'name': 3}))\n", "Two has no name"),
        ("    return [Mine]\n", "returns something from register_solvers, which has to call"),
        (
            "def register_frames(register): ...",
            "has a hook register_frames without @benchbase.hookimpl",
        ),
    ],
)
def test_what_is_wrong_in_a_plugin_is_told_and_the_rest_of_it_works(
    install: Install, more: str, told: str
) -> None:
    install("acme", acme=SOLVER.format(cls="Mine", name="mine") + more)
    known = loaded()
    (warning,) = known.warnings
    assert warning.startswith("plugin 'acme' of the distribution acme ")
    assert told in warning
    assert known.build("solver", {"name": "mine"}).spec() == {"name": "mine", "q": 3}


def test_a_type_for_type_checkers_only_is_told_and_the_rest_works(install: Install) -> None:
    source = f"{UNRESOLVED.partition('class')[0]}{LAST}class{UNRESOLVED.partition('class')[2]}"
    hook = "@benchbase.hookimpl\ndef register_solvers(register):\n"
    install("acme", acme=f"{source}{hook}    register(Other)\n    register(Mine)\n")
    known = loaded()
    (warning,) = known.warnings
    assert "Other: the parameter 'part' has the type 'Fraction | None', which cannot" in warning
    assert "import or define Fraction where the program runs" in warning
    assert "mine" in known.classes["solver"]


@pytest.mark.parametrize(
    ("source", "value", "told"),
    [
        ("", "", "supplies nothing"),
        (f"{LAST}def register_solvers(register):\n    register(Mine)\n", "", "without @benchbase"),
        (LAST, ":Mine", ":Mine' has no hooks"),
        (SOLVER.format(cls="Mine", name="b").replace("register(M", "(M"), "", "supplies nothing"),
        (LAST, ":nothing", "cannot be loaded: AttributeError"),
        ("raise GeneratorExit\n", "", "cannot be loaded: GeneratorExit"),
    ],
    ids=range(6),
)
def test_a_plugin_that_supplies_nothing_is_named(
    install: Install, tmp_path: Path, source: str, value: str, told: str
) -> None:
    install("acme", acme=source)
    (file,) = tmp_path.rglob("entry_points.txt")
    file.write_text(file.read_text() + value)
    (warning,) = loaded().warnings
    assert "'acme'" in warning
    assert told in warning


def test_two_plugins_of_one_name_are_left_out_by_both_distributions_names(
    install: Install,
) -> None:
    install("acme", twin=SOLVER.format(cls="Mine", name="mine"))
    install("zenith", twin=SOLVER.format(cls="Other", name="other"))
    known = loaded()
    (warning,) = known.warnings
    assert "'twin', of the distribution acme and the distribution zenith" in warning
    assert {"mine", "other"}.isdisjoint(known.classes["solver"])
    assert "altmin" in known.classes["solver"]


@pytest.mark.parametrize("name", ["mine", "altmin"])
def test_a_name_that_two_distributions_supply_is_that_of_neither(
    install: Install, name: str
) -> None:
    """No one could tell whose numbers come out."""
    other = (
        SOLVER.format(cls="Mine", name="mine") + "    register(type('B', (Mine,), {'name': 'b'}))"
    )
    install("acme", one=other)
    install("zenith", two=SOLVER.format(cls="Mine", name=name))
    install("zzz", zzz=SOLVER.format(cls="Mine", name=name))
    first = "acme" if name == "mine" else "benchbase-recovery"
    known = loaded()
    assert len(known.warnings) == 2
    for warning, second in zip(known.warnings, ("zenith", "zzz"), strict=True):
        assert f"'{name}': the distribution {first} and the distribution {second}" in warning
    assert "b" in known.classes["solver"]
    with pytest.raises(SpecError, match=rf"no solver named '{name}'.*{first} and .*zenith"):
        known.build("solver", {"name": name})


def test_a_suite_that_two_distributions_supply_is_that_of_neither(
    install: Install, tmp_path: Path
) -> None:
    source = f"""
import benchbase, pathlib
@benchbase.hookimpl
def register_suites(register):
    register(pathlib.Path({str(tmp_path)!r}) / "mine.toml")
"""
    install("acme", one=source)
    assert loaded().suites["mine"] == tmp_path / "mine.toml"
    install("zenith", two=source)
    known = loaded()
    assert "mine" not in known.suites
    (warning,) = known.warnings
    assert "suite named 'mine': the distribution acme and the distribution zenith" in warning


def test_what_an_uninstalled_distribution_left_behind_stops_nothing(
    install: Install, tmp_path: Path
) -> None:
    install("acme", acme=SOLVER.format(cls="Mine", name="mine"))
    info = next(tmp_path.rglob("acme-1.0.dist-info"))
    for name, points in {
        "gone": "[benchbase]\ngone = no_such_module\n",
        "broken": "[benchbase]\nthis is no entry point\n",
        "odd": "[benchbase]\nodd = not-a-module!\n",
        "copy": (info / "entry_points.txt").read_text(),
    }.items():
        left = info.with_name(f"{name}-1.0.dist-info")
        left.mkdir()
        (left / "entry_points.txt").write_text(points)
    known = loaded()
    assert "mine" in known.classes["solver"]
    assert len(known.warnings) == 4
    for name in ("broken", "odd", "copy", "gone"):
        place = f"without a name in {info.parent}/{name}-1.0.dist-info"
        assert sum(place in warning for warning in known.warnings) == 1
    assert benchbase.code_digest(known.classes["solver"]["mine"])


def test_the_same_class_may_be_registered_twice(install: Install) -> None:
    install("acme", one=SOLVER.format(cls="Mine", name="mine") + "    register(Mine)\n")
    assert "mine" in loaded().classes["solver"]


def test_one_name_may_be_used_by_different_kinds(install: Install) -> None:
    known = loaded()
    assert "gaussian" in known.classes["dataset"]
    assert "gaussian" in known.classes["frame"]


def test_plugins_supply_commands(install: Install) -> None:
    source = """
import benchbase
@benchbase.hookimpl
def register_commands(cli):
    cli.command("greet")(lambda: None)
"""
    install("acme", one=source)
    commands = Group("main")
    loaded().add_commands(commands)
    assert "greet" in commands.commands


def test_a_plugin_that_cannot_add_its_commands_is_a_warning(install: Install) -> None:
    broken = """
import benchbase
@benchbase.hookimpl
def register_commands(cli):
    raise KeyError("boo")
"""
    install("acme", broken=broken, good=broken.replace("raise KeyError", "cli.command"))
    commands, known = Group("main"), loaded()
    known.add_commands(commands)
    (warning,) = known.warnings
    assert "'broken'" in warning
    assert "KeyError: 'boo'" in warning


FUNCTION = """
import benchbase
@benchbase.solver
def mine(frame, pooling, b, rng, *, q: int = 3):
    return rng.standard_normal(frame.n)
"""
CLASS = """
import benchbase
@benchbase.solver
class Mine(benchbase.Solver):
    name = "mine"
    q: int = 3
    def prepare(self, problem):
        raise NotImplementedError
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str], Path]:
    """Write a plugin file."""

    def write(source: str, name: str = "mine.py") -> Path:
        file = tmp_path / name
        file.write_text(source)
        return file

    return write


@pytest.mark.parametrize("source", [FUNCTION, CLASS, SOLVER.format(cls="Mine", name="mine")])
def test_a_plugin_file_supplies_solvers(plugin: Callable[[str], Path], source: str) -> None:
    file = plugin(source)
    known, path = Registry(), list(sys.path)
    assert [cls.name for cls in known.load_file(file)] == ["mine"]
    assert known.plugin_files == [file]
    assert sys.path == path
    assert "mine" not in sys.modules
    assert known.build("solver", {"name": "mine", "q": 4}).spec() == {"name": "mine", "q": 4}


@pytest.mark.parametrize(
    "source",
    [
        FUNCTION + "best = mine\n",
        FUNCTION + "@benchbase.hookimpl\ndef register_solvers(register):\n    register(mine)\n",
        f"{CLASS}\n@benchbase.hookimpl\ndef register_solvers(register):\n    register(Mine)\n",
    ],
    ids=["two names", "function marked and registered", "class marked and registered"],
)
def test_a_solver_that_is_found_twice_is_one(plugin: Callable[[str], Path], source: str) -> None:
    assert [cls.name for cls in Registry().load_file(plugin(source))] == ["mine"]


def test_what_a_plugin_file_imports_from_another_is_not_its_own(
    plugin: Callable[[str], Path],
) -> None:
    file = plugin(
        "import benchbase, sys, types\n"
        "other = types.ModuleType('other')\n"
        f"exec({FUNCTION!r}, other.__dict__)\n"
        "mine = other.mine\n"
    )
    with pytest.raises(PluginError, match=r"supplies nothing; put @benchbase\.solver above"):
        Registry().load_file(file)


def test_a_plugin_file_is_loaded_once_however_it_is_spelt(
    plugin: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = plugin(FUNCTION)
    monkeypatch.chdir(file.parent)
    known = Registry()
    first = known.load_file(file)
    for spelling in (str(file), "mine.py", "./mine.py"):
        assert known.load_file(spelling) == first
    assert known.plugin_files == [file]


def test_a_changed_plugin_file_is_loaded_again(plugin: Callable[[str], Path]) -> None:
    file = plugin(FUNCTION + FUNCTION.replace("mine", "second"))
    known = Registry()
    known.load_file(file)
    file.write_text(FUNCTION.replace("q: int", "r: int"))
    assert [cls.name for cls in known.load_file(file)] == ["mine"]
    assert known.build("solver", {"name": "mine"}).spec() == {"name": "mine", "r": 3}
    assert "second" not in known.classes["solver"]


BAD_FILES = [
    ("x = 1\ny = (\n", r"mine.py:2: '\(' was never closed"),
    ("x = 1\nx = 1 1\n", "mine.py:2: invalid syntax"),
    ("def f():\n    raise KeyError('boo')\nf()\n", "mine.py:2: KeyError: 'boo'"),
    ("\n\nimport nosuchmodule\n", "mine.py:3: ModuleNotFoundError: No module named 'nosuch"),
    ("import sys\nsys.exit(3)\n", "mine.py:2: SystemExit: 3"),
    ("x = '\0'\n", "null bytes"),
    ("exec('y = (')\n", r"mine.py:1: SyntaxError: '\(' was never closed"),
    (CLASS.replace("name", "nam"), "mine.py.*Mine has no name"),
    (CLASS.replace('"mine"', '"mi\\x1bne"'), "mine.py.*Mine: its name .* the invisible character"),
    (CLASS.replace('"mine"', '" mine"'), "mine.py.*Mine: its name ' mine' begins or ends with a"),
    (CLASS.replace("prepare", "prepair"), "mine.py.*Mine does not implement prepare"),
    (CLASS.replace("q: int", "q: 'Nope'"), "mine.py.*Nope"),
    (CLASS.replace("(benchbase.Solver)", ""), "mine.py:3: TypeError: @benchbase.solver marks"),
    (FUNCTION.replace(", rng", ""), r"mine.py:3: .*takes \(frame, pooling, b, rng\)"),
    (FUNCTION.replace(": int", ""), "mine.py:3: .*'q' needs a type and a default"),
    (SOLVER.format(cls="Mine", name="m").replace("(Mine)", "(3)"), "mine.py:13: TypeError: 3 is"),
    (SOLVER.format(cls="Mine", name="m").replace("(register)", "(reg)"), "(?s)mine.py: .*'reg'"),
    (SOLVER.format(cls="Mine", name="m") + "    raise KeyError('boo')", "mine.py:14: KeyError"),
    (SOLVER.format(cls="M", name="m").replace("r_solvers", "r_slvers"), "mine.py: .*_slvers"),
]


@pytest.mark.parametrize(("source", "told"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_bad_plugin_file_is_one_message_with_a_line_where_there_is_one(
    plugin: Callable[[str], Path], source: str, told: str
) -> None:
    file = plugin(source)
    known = Registry()
    before = supply(known), dict(known.providers), set(sys.modules)
    with pytest.raises(PluginError, match=told):
        known.load_file(file)
    assert (supply(known), known.providers) == before[:2]
    assert known.plugin_files == []
    # Mended, it loads.
    file.write_text(FUNCTION)
    assert [cls.name for cls in known.load_file(file)] == ["mine"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nosuch.py", "nosuch.py: No such file or directory"),
        ("folder.py", "folder.py: Is a directory"),
        ("mine.txt", "mine.txt: a plugin file's name ends in .py"),
    ],
)
def test_what_is_no_plugin_file_is_refused(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "mine.txt").write_text(FUNCTION)
    with pytest.raises(PluginError, match=told):
        Registry().load_file(tmp_path / name)


def test_a_plugin_file_cannot_take_a_name_that_is_taken(plugin: Callable[[str], Path]) -> None:
    known = loaded()
    with pytest.raises(PluginError, match=r"solver named 'altmin': .*-recovery and .*mine\.py"):
        known.load_file(plugin(FUNCTION.replace("mine", "altmin")))
    assert known.build("solver", {"name": "altmin"}).spec()["name"] == "altmin"


def test_add_takes_classes_and_functions_and_their_later_versions() -> None:
    def first() -> type[benchbase.Solver]:
        space: dict[str, type[benchbase.Solver]] = {"__name__": "x"}  # type: ignore[dict-item] # a module's
        exec(CLASS, space)
        return space["Mine"]

    known = Registry()
    one, two = first(), first()
    assert known.add(one) is one
    assert known.add(one) is one
    assert known.add(two) is two
    assert known.classes["solver"]["mine"] is two

    with pytest.raises(TypeError, match="neither a Solver class nor marked"):
        known.add(len)


def test_add_cannot_replace_what_is_installed() -> None:
    known = loaded()

    @benchbase.solver
    def altmin(frame: object, pooling: object, b: object, rng: object) -> object:
        return b

    with pytest.raises(PluginError, match=r"solver named 'altmin': .*-recovery and this session"):
        known.add(altmin)


@pytest.mark.parametrize(
    ("kind", "spec", "path", "problem"),
    [
        ("solver", {"name": "zeroo"}, ("name",), "no solver named 'zeroo'; did you mean 'zero'?"),
        ("frame", {"name": "qqqqqq"}, ("name",), "no frame named 'qqqqqq'; there are: 'random'"),
        ("report", {"name": "x"}, ("name",), "no report named 'x'; there is none"),
        ("solver", "zero", (), "must be a table with a name, not 'zero'"),
        ("solver", {}, (), "must be a table with a name, not {}"),
        ("solver", {"name": 3}, (), "must be a table with a name, not {'name': 3}"),
        ("solver", None, (), "must be a table with a name, not None"),
        (
            "solver",
            {"name": "wrapper", "solver": {"name": "zeroo"}},
            ("solver", "name"),
            "no solver named 'zeroo'; did you mean 'zero'?",
        ),
    ],
)
def test_build_says_what_is_wrong_and_where(
    parts: Registry, kind: str, spec: object, path: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parts.build(kind, spec, ("solver", 2))
    assert caught.value.path == ("solver", 2, *path)
    assert caught.value.problem == problem


def test_build_returns_a_component_as_it_is(parts: Registry) -> None:
    zero = parts.build("solver", {"name": "zero"})
    assert parts.build("solver", zero) is zero


def test_a_name_that_is_missing_may_be_that_of_a_broken_plugin(install: Install) -> None:
    install("acme", broken="import nosuchmodule")
    with pytest.raises(SpecError, match=r"no solver named 'q'.*acme.*nosuchmodule"):
        loaded().build("solver", {"name": "q"})


def test_build_is_public() -> None:
    assert benchbase.build("dataset", {"name": "gaussian", "n": 7}).n == 7
    with pytest.raises(SpecError, match=r"dataset.*'gausian'.*did you mean 'gaussian'"):
        benchbase.build("dataset", {"name": "gausian"})


@pytest.mark.parametrize("kind", ["list[float]", "dict[str, int] | None", "tuple[set[int], ...]"])
def test_parameters_that_can_change_are_refused(plugin: Callable[[str], Path], kind: str) -> None:
    """They could not be hashed, nor be part of a key."""
    file = plugin(CLASS.replace("def prepare", f"weights: {kind} = ()\n    def prepare"))
    with pytest.raises(PluginError, match="the parameter 'weights' must be a tuple"):
        Registry().load_file(file)


@pytest.mark.parametrize(
    "kind",
    ["Path", "Path | None", "Mode", "np.ndarray", "complex", "tuple[Mode, ...]", "Literal[Mode.A]"],
)
def test_parameters_that_no_suite_can_write_are_refused(
    plugin: Callable[[str], Path], kind: str
) -> None:
    imports = "import enum\nfrom pathlib import Path\nfrom typing import Literal\n"
    mode = "import numpy as np\nclass Mode(enum.StrEnum): A = 'a'\n"
    file = plugin(imports + mode + CLASS.replace("def prepare", f"q: {kind}\n    def prepare"))
    with pytest.raises(PluginError, match=r"Mine: the parameter 'q' has the type .*can only write"):
        Registry().load_file(file)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int | np.int64", 4), ("Sequence[float]", [4.0]), ("Real", 4), ("object", 4), ("Any", 4),
        ("Annotated[int, 'even']", 4), ("Count", 4), ("tuple[int | None, ...]", [4, None]),
        ("Literal['a', 4, None]", 4), ("'int'", 4),
    ],
)  # fmt: skip # a table
def test_parameters_that_a_suite_can_write_are_taken(
    plugin: Callable[[str], Path], kind: str, value: object
) -> None:
    imports = "from collections.abc import Sequence\nfrom numbers import Real\nimport numpy as np\n"
    more = "from typing import Annotated, Any, Literal, NewType\nCount = NewType('Count', int)\n"
    file = plugin(imports + more + CLASS.replace("q: int", f"q: {kind}"))
    known = Registry()
    known.load_file(file)
    spec = {"name": "mine", "q": value}
    assert known.build("solver", spec).spec() == spec


def test_annotations_for_type_checkers_do_not_matter_elsewhere(
    plugin: Callable[..., Path],
) -> None:
    head = "from __future__ import annotations\nimport typing\n"
    head += "if typing.TYPE_CHECKING:\n    from benchbase import Array, Frame\n"
    function = FUNCTION.replace("(frame, pooling, b,", "(frame: Frame, pooling, b: Array,")
    whole = CLASS.replace("name =", "extra: typing.ClassVar[Frame | None] = None\n    name =")
    known = Registry()
    for name, source in {"mine.py": function, "other.py": whole.replace('"mine"', '"m"')}.items():
        (cls,) = known.load_file(plugin(head + source, name))
        spec = {"name": cls.name, "q": 4}
        assert known.build("solver", spec).spec() == spec


def test_no_kind_of_that_name_is_told_with_a_suggestion() -> None:
    with pytest.raises(
        SpecError, match="there is no kind of component 'solvr'; did you mean 'solver'"
    ):
        Registry().build("solvr", {"name": "altmin"})
