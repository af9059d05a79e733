"""Finding and loading plugins, and the components that they supply, by kind and name."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pluggy

from benchbase import hookspecs
from benchbase.component import Component
from benchbase.discovery.code import Code
from benchbase.discovery.providers import GROUP, SESSION, Provider, bundled, distribution_of
from benchbase.discovery.validation import validate
from benchbase.errors import PluginError, SpecError, suggestion
from benchbase.interfaces import Dataset, Hint, Noise, Report, Solver
from benchbase.loading import give_source, given_source
from benchbase.numerics.functions import MARK, solver_class
from benchbase.representation import FrameDesign, Pooling

COMMANDS = "register_commands"
KINDS: dict[str, type[Component]] = {
    "dataset": Dataset,
    "frame": FrameDesign,
    "pooling": Pooling,
    "noise": Noise,
    "hint": Hint,
    "solver": Solver,
    "report": Report,
}


class Registry:
    """All components and suites that plugins supply.

    Attributes
    ----------
    classes : dict
        ``classes[kind][name]`` is a component class.
    suites : dict
        ``suites[name]`` is the path of a TOML file.
    providers : dict
        ``providers[kind, name]`` is the `Provider` of a component or a suite.
    warnings : list of str
        One line for each plugin that could not be loaded. The other plugins still work.
    plugin_files : list of pathlib.Path
        The absolute paths of the plugin files that were loaded.
    """

    def __init__(self) -> None:
        self.classes: dict[str, dict[str, type[Component]]] = {kind: {} for kind in KINDS}
        self.suites: dict[str, Path] = {}
        self.providers: dict[tuple[str, str], Provider] = {}
        self.warnings: list[str] = []
        self.plugin_files: list[Path] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._loaded: list[Provider] = []

    def load_installed(self, *, strangers: bool = True) -> None:
        """Load the plugins of all installed distributions.

        A plugin that fails to load becomes a warning that names its distribution.

        Parameters
        ----------
        strangers : bool, optional
            Whether to load those of other distributions too. If not, `load_source` loads them one
            by one, so that a process runs no other stranger's code than it needs.

        Raises
        ------
        PluginError
            If two distributions use the same name for a plugin or a component.
        """
        own = bundled()
        points: defaultdict[str, list[EntryPoint]] = defaultdict(list)
        for point in entry_points(group=GROUP):
            points[point.name].append(point)
        for name, same in sorted(points.items()):
            if len(same) > 1:
                owners = " and ".join(sorted(distribution_of(point) for point in same))
                raise PluginError(
                    f"two plugins are named '{name}', one in each of the distributions {owners}; "
                    "uninstall one of them"
                )
            if strangers or same[0].module in own:
                self._load_entry_point(same[0])

    def load_source(self, source: str) -> None:
        """Load a stranger's plugin, by its file's path or its entry point, unless it is loaded."""
        if any(provider.source == source for provider in self._loaded):
            return
        if Path(source).is_absolute():
            self.load_file(source)
        else:
            for point in entry_points(group=GROUP, name=source):
                self._load_entry_point(point)

    def sources(self, component: Component) -> set[str]:
        """Return the sources of the strangers' plugins that supply a component and its parts."""
        parts = ((part.kind, part.name) for part in component.walk())
        return {self.providers.get(part, SESSION).source for part in parts} - {""}

    def load_file(self, path: str | Path) -> list[type[Solver]]:
        """Load one plugin file, as ``--plugin`` does.

        The name of its module contains a digest of its path. Its folder is not put on the import
        path. A file that was loaded before is loaded again only if it has changed.

        Returns
        -------
        list of type
            The solvers that the file marks with ``@benchbase.solver`` or registers.

        Raises
        ------
        PluginError
            If the file cannot be read or run, supplies nothing, or supplies a name that is taken.
        """
        try:
            file = Path(path).absolute()  # refused if the current folder has been deleted
            source = file.read_bytes()
        except OSError as error:
            raise PluginError(f"plugin {path}: {error.strerror or error}") from error
        name = f"benchbase_plugin_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"
        provider = Provider(f"the file {file}", name, str(file))
        if file in self.plugin_files and given_source(name) == source:
            return self._solvers_of(provider)
        before = set(sys.modules)
        module = _execute(file, name, source, str(path))
        give_source(name, source)
        Code().unforeseen([name], before)  # notes what it loaded, for its solvers' outcomes
        self._forget(provider)
        try:
            self._adopt(module, provider)
            for value in list(vars(module).values()):
                if MARK in getattr(value, "__dict__", {}) and value.__module__ == name:
                    self._register("solver", provider, value)
            if provider not in self.providers.values() and not hasattr(module, COMMANDS):
                raise PluginError(
                    f"plugin {path} supplies nothing; put @benchbase.solver above its solvers"
                )
        except PluginError:
            self._forget(provider)
            raise
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            self._forget(provider)
            raise PluginError(_explained(error, file, str(path))) from error
        if file not in self.plugin_files:
            self.plugin_files.append(file)
        return self._solvers_of(provider)

    def add(self, source: Any) -> type[Solver]:
        """Add a solver class, or a function marked with ``@benchbase.solver``, from this session.

        A solver that is defined again, as in a notebook, replaces the earlier one of its name.
        """
        cls = solver_class(source)
        if self.providers.get(("solver", cls.name)) == SESSION:
            del self.classes["solver"][cls.name]
        self._register("solver", SESSION, cls)
        return cls

    def is_local(self, component: Component) -> bool:
        """Whether only this process can build a component, because this session defined it."""
        owner = self.providers.get((component.kind, component.name), SESSION)
        return owner == SESSION

    def find(self, kind: str, name: str, path: tuple[str | int, ...] = ()) -> type[Component]:
        """Return the class of a kind and name; raise `SpecError` if there is none."""
        try:
            return self.classes[kind][name]
        except KeyError:
            problem = f"no {kind} named {name!r}{suggestion(name, self.classes[kind])}"
            if self.warnings:
                problem += f" (not loaded: {'; '.join(self.warnings)})"
            raise SpecError((*path, "name"), problem) from None

    def build(
        self, kind: str, spec: Any, path: tuple[str | int, ...] = (), *, trusted: bool = False
    ) -> Component:
        """Build a component from a spec.

        Parameters
        ----------
        kind : {"dataset", "frame", "pooling", "noise", "hint", "solver", "report"}
            What to build.
        spec : mapping or Component
            ``{"name": ..., parameter: value, ...}``. A parameter that is a component takes a spec
            too. A component is returned as it is.
        path : tuple, optional
            The keys that lead to the spec in its file, for messages.
        trusted : bool, optional
            Whether the spec comes from a component's own `spec`. Its parameters are then not
            checked again.

        Raises
        ------
        SpecError
            If the name or a parameter is unknown, missing, or of the wrong type or value.
        """
        if isinstance(spec, Component):
            return spec
        if kind not in KINDS:
            raise SpecError(
                path, f"there is no kind of component {kind!r}{suggestion(kind, KINDS)}"
            )
        if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
            raise SpecError(path, f"must be a table with a name, not {spec!r}", kind)
        cls = self.find(kind, spec["name"], path)
        parameters = {key: value for key, value in spec.items() if key != "name"}
        build = partial(self.build, trusted=trusted)
        return validate(cls, parameters, path, build, trusted=trusted)

    def _load_entry_point(self, point: EntryPoint) -> None:
        source = "" if point.module in bundled() else point.name
        provider = Provider(f"the distribution {distribution_of(point)}", point.name, source)
        try:
            self._adopt(point.load(), provider)
        except PluginError:
            raise
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            self._forget(provider)
            self._warn(provider, error)

    def _adopt(self, module: ModuleType, provider: Provider) -> None:
        """Register a plugin's module with pluggy and register what it supplies."""
        self._manager.register(module, provider.plugin)
        self._manager.check_pending()  # otherwise a misspelt hook would be ignored silently
        for kind in KINDS:
            take = partial(self._register, kind, provider)
            self._hook(f"register_{kind}s", provider)(register=take)
        self._hook("register_suites", provider)(register=partial(self._register_suite, provider))
        self._loaded.append(provider)

    def _hook(self, name: str, provider: Provider) -> pluggy.HookCaller:
        """Return a hook of one plugin alone; pluggy does not say which plugin calls `register`."""
        module = self._manager.get_plugin(provider.plugin)
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        return self._manager.subset_hook_caller(name, others)

    def _warn(self, provider: Provider, error: BaseException) -> None:
        self.warnings.append(
            f"plugin '{provider.plugin}' of {provider} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        )

    def add_commands(self, cli: Any) -> None:
        """Let all plugins add their commands to a click group; a plugin that fails is a warning."""
        for provider in self._loaded:
            try:
                self._hook(COMMANDS, provider)(cli=cli)
            except (Exception, SystemExit) as error:  # third-party code may raise anything
                self._warn(provider, error)

    def _register(self, kind: str, provider: Provider, supplied: Any) -> None:
        cls = solver_class(supplied) if kind == "solver" else supplied
        base = KINDS[kind]
        if not (inspect.isclass(cls) and issubclass(cls, base)):
            raise TypeError(f"{supplied!r} is not a subclass of benchbase.{base.__name__}")
        if not cls.name:
            raise TypeError(f"{cls.__qualname__} has no name")
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(cls.__abstractmethods__))
            raise TypeError(f"{cls.__qualname__} does not implement {missing}")
        hints = get_type_hints(cls)  # raises here, not during a run, if a type does not exist
        for field in dataclasses.fields(cls):  # type: ignore[arg-type] # subclasses are dataclasses
            if _is_mutable(hints[field.name]):
                raise TypeError(f"{cls.__qualname__}: the parameter '{field.name}' must be a tuple")
        if self.classes[kind].get(cls.name) is cls:
            return  # the class is marked, and a hook has registered it as well
        self._claim(kind, cls.name, provider)
        self.classes[kind][cls.name] = cls

    def _register_suite(self, provider: Provider, path: Path) -> None:
        self._claim("suite", path.stem, provider)
        self.suites[path.stem] = path

    def _claim(self, kind: str, name: str, provider: Provider) -> None:
        owner = self.providers.setdefault((kind, name), provider)
        taken = name in (self.suites if kind == "suite" else self.classes[kind])
        if owner != provider:
            raise PluginError(
                f"two plugins supply a {kind} named '{name}': {owner} and {provider}; "
                "rename one or leave it out"
            )
        if taken:
            raise PluginError(f"{provider} supplies two {kind}s named '{name}'; rename one")

    def _forget(self, provider: Provider) -> None:
        """Remove everything that a plugin has registered."""
        if self._manager.has_plugin(provider.plugin):
            self._manager.unregister(name=provider.plugin)
        if provider in self._loaded:
            self._loaded.remove(provider)
        for (kind, name), owner in list(self.providers.items()):
            if owner == provider:
                del self.providers[kind, name]
                table: dict[str, Any] = self.suites if kind == "suite" else self.classes[kind]
                table.pop(name, None)

    def _solvers_of(self, provider: Provider) -> list[type[Solver]]:
        mine = [name for (kind, name), owner in self.providers.items() if owner == provider]
        solvers = self.classes["solver"]
        return [solvers[name] for name in mine if name in solvers]  # type: ignore[misc] # by kind


def _is_mutable(hint: Any) -> bool:
    """Whether a type holds lists, sets or dicts, which a hashable component cannot have."""
    plain = get_origin(hint) or hint
    return plain in (list, set, dict) or any(_is_mutable(part) for part in get_args(hint))


def _execute(file: Path, name: str, source: bytes, shown: str) -> ModuleType:
    """Run a plugin file as a module of the given name."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise PluginError(f"plugin {shown}: a plugin file's name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and typing look modules up by name
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 # what --plugin is for
    except (Exception, SystemExit) as error:  # third-party code may raise anything
        del sys.modules[name]
        raise PluginError(_explained(error, file, shown)) from error
    return module


def _explained(error: BaseException, file: Path, shown: str) -> str:
    """Say what went wrong in a plugin file, and on which of its lines."""
    if isinstance(error, SyntaxError) and error.filename == str(file) and error.lineno:
        return f"{shown}:{error.lineno}: {error.msg}"
    trace = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in trace if frame.f_code.co_filename == str(file)]
    place = f"{shown}:{lines[-1]}" if lines else f"plugin {shown}"
    return f"{place}: {type(error).__name__}: {error}"


@cache
def registry() -> Registry:
    """Return the registry of this process, with the installed plugins loaded."""
    loaded = Registry()
    loaded.load_installed()
    return loaded
