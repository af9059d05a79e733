"""Finding and loading plugins, and the components that they supply, by kind and name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from benchbase import hookspecs
from benchbase.component import Component
from benchbase.discovery.code import Code, note_read
from benchbase.discovery.files import execute, explained, plugin_module
from benchbase.discovery.points import owner_of, plugin_points
from benchbase.discovery.providers import SESSION, Provider, bundled
from benchbase.discovery.reading import reading
from benchbase.discovery.validation import check_class, validate
from benchbase.errors import PluginError, SpecError, described, in_one_line, suggestion
from benchbase.interfaces import Dataset, Hint, Noise, Report, Solver
from benchbase.numerics.functions import MARK, solver_class
from benchbase.representation import FrameDesign, Pooling
from benchbase.system.loading import give_source, given_source, top_of

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
        One line for each plugin, and for each part of one, that could not be loaded. All others
        still work.
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
        self._tried: set[str] = set()  # the packages whose bundled plugins are loaded, if any

    def load_installed(self, *, strangers: bool = True) -> None:
        """Load the plugins of all installed distributions.

        What fails to load becomes a warning that names its distribution. If two plugins supply one
        name, nothing has this name, because no one could tell whose numbers come out.

        Parameters
        ----------
        strangers : bool, optional
            Whether to load those of other distributions too.
        """
        points, problems = plugin_points()
        self.warnings += problems
        for point in points:
            if strangers or point.module in bundled():
                self._load_entry_point(point)
        self._tried |= {top_of(name) for name in bundled()}

    def load_bundled(self, packages: Set[str]) -> None:
        """Load those bundled plugins that are in some top-level packages, unless they are loaded.

        A worker starts sooner if it loads only what its tasks need.
        """
        if packages <= self._tried:
            return
        for point in plugin_points()[0]:
            top = top_of(point.module)
            if point.module in bundled() and top in packages - self._tried:
                self._load_entry_point(point)
        self._tried |= packages

    def load_source(self, source: str) -> None:
        """Load a stranger's plugin, by its file's path or its entry point, unless it is loaded.

        A worker loads them one by one, so that it runs no other stranger's code than it needs.
        """
        if any(provider.source == source for provider in self._loaded):
            return
        if Path(source).is_absolute():
            self.load_file(source)
        else:
            for point in plugin_points()[0]:
                if point.name == source:
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
        name = plugin_module(file)
        provider = Provider(f"the file {file}", name, str(file))
        if file in self.plugin_files and given_source(name) == source:
            return self._solvers_of(provider)
        before = set(sys.modules)
        with reading() as reads:
            module = execute(file, name, source, str(path))
        give_source(name, source)
        note_read(name, reads.files())  # for its solvers' outcomes, as are new modules
        Code().unforeseen([name], before)
        self._forget(provider)
        try:
            mistakes = self._adopt(module, provider, self._register)
            for value in list(vars(module).values()):
                if MARK in getattr(value, "__dict__", {}) and value.__module__ == name:
                    self._register("solver", provider, value)
            if not mistakes and not self._supplies(module, provider):
                mistakes = ["supplies nothing; put @benchbase.solver above its solvers"]
            if mistakes:
                raise PluginError(f"plugin {path} {mistakes[0]}")
        except (PluginError, KeyboardInterrupt):
            self._forget(provider)
            raise
        except BaseException as error:  # third-party code may raise anything
            self._forget(provider)
            raise PluginError(explained(error, file, str(path))) from error
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
        provider = Provider(owner_of(point), point.name, source)
        before = len(self.warnings)
        try:
            plugin = point.load()
            mistakes = self._adopt(plugin, provider, self._register_or_warn)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # third-party code may raise anything
            self._forget(provider)
            self._warn(provider, f"cannot be loaded: {described(error)}")
            return
        if not self._supplies(plugin, provider) and not mistakes and len(self.warnings) == before:
            mistakes = [f"supplies nothing; '{point.value}' has no hooks that call register"]
        for mistake in mistakes:
            self._warn(provider, mistake)

    def _adopt(
        self, plugin: Any, provider: Provider, register: Callable[[str, Provider, Any], None]
    ) -> list[str]:
        """Let pluggy call a plugin's hooks with `register`; return what is wrong with the hooks."""
        if self._manager.is_registered(plugin):
            other = self._manager.get_name(plugin)
            raise PluginError(f"its module is that of the plugin '{other}'")
        self._manager.register(plugin, provider.plugin)
        self._manager.check_pending()  # otherwise a misspelt hook would be ignored silently
        names = {f"register_{kind}s": kind for kind in (*KINDS, "suite")}
        mistakes = [
            f"has a hook {name} without @benchbase.hookimpl, which is not called"
            for name in (*names, COMMANDS)
            if _has(plugin, name) and not _is_hook(plugin, name)
        ]
        for name, kind in names.items():
            if self._hook(name, provider)(register=partial(register, kind, provider)):
                mistakes.append(f"returns something from {name}, which has to call register")
        self._loaded.append(provider)
        return mistakes

    def _supplies(self, plugin: Any, provider: Provider) -> bool:
        """Whether a plugin supplies anything, be it only commands."""
        return provider in self.providers.values() or _is_hook(plugin, COMMANDS)

    def _hook(self, name: str, provider: Provider) -> pluggy.HookCaller:
        """Return a hook of one plugin alone; pluggy does not say which plugin calls `register`."""
        module = self._manager.get_plugin(provider.plugin)
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        return self._manager.subset_hook_caller(name, others)

    def _warn(self, provider: Provider, problem: str) -> None:
        warning = f"plugin '{provider.plugin}' of {provider} {problem}"
        if warning not in self.warnings:  # its commands may be asked for twice
            self.warnings.append(warning)

    def add_commands(self, cli: Any) -> None:
        """Let all plugins add their commands to a click group; a plugin that fails is a warning."""
        for provider in self._loaded:
            try:
                self._hook(COMMANDS, provider)(cli=cli)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # third-party code may raise anything
                self._warn(provider, f"cannot add its commands: {described(error)}")

    def _register_or_warn(self, kind: str, provider: Provider, supplied: Any) -> None:
        """Register what an installed plugin supplies; if it is not right, the rest still is."""
        try:
            self._register(kind, provider, supplied)
        except (PluginError, TypeError) as error:
            self._warn(provider, f"is used in part only: {in_one_line(error)}")

    def _register(self, kind: str, provider: Provider, supplied: Any) -> None:
        if kind == "suite":
            path = Path(supplied)
            self._claim(kind, path.stem, provider)
            self.suites[path.stem] = path
            return
        cls = solver_class(supplied) if kind == "solver" else supplied
        base = KINDS[kind]
        if not (inspect.isclass(cls) and issubclass(cls, base)):
            raise TypeError(f"{supplied!r} is not a subclass of benchbase.{base.__name__}")
        check_class(cls)
        if self.classes[kind].get(cls.name) is cls:
            return  # the class is marked, and a hook has registered it as well
        self._claim(kind, cls.name, provider)
        self.classes[kind][cls.name] = cls

    def _claim(self, kind: str, name: str, provider: Provider) -> None:
        """Give a name to a provider, or raise a `PluginError` if another one has it."""
        table = self._table(kind)
        first = self.providers.setdefault((kind, name), provider)
        if first == provider and name not in table:
            return
        if first == provider:
            raise PluginError(f"{provider} supplies two {kind}s named '{name}'; rename one")
        problem = f"two plugins supply a {kind} named '{name}': {first} and {provider}"
        if provider.is_installed:
            table.pop(name, None)
            raise PluginError(f"{problem}, and neither is used; uninstall one or rename it")
        raise PluginError(f"{problem}; rename one or leave it out")

    def _table(self, kind: str) -> dict[str, Any]:
        return self.suites if kind == "suite" else self.classes[kind]

    def _forget(self, provider: Provider) -> None:
        """Remove everything that a plugin has registered."""
        if self._manager.has_plugin(provider.plugin):
            self._manager.unregister(name=provider.plugin)
        if provider in self._loaded:
            self._loaded.remove(provider)
        for (kind, name), owner in list(self.providers.items()):
            if owner == provider:
                del self.providers[kind, name]
                self._table(kind).pop(name, None)

    def _solvers_of(self, provider: Provider) -> list[type[Solver]]:
        mine = [name for (kind, name), owner in self.providers.items() if owner == provider]
        solvers = self.classes["solver"]
        return [solvers[name] for name in mine if name in solvers]  # type: ignore[misc] # by kind


def _has(plugin: object, name: str) -> bool:
    """Whether a plugin itself has something; its own ``__getattr__`` is not asked."""
    return inspect.getattr_static(plugin, name, None) is not None


def _is_hook(plugin: object, name: str) -> bool:
    """Whether a plugin has a function that is marked with `benchbase.hookimpl`."""
    mark = f"{hookspecs.PROJECT}_impl"
    return hasattr(inspect.getattr_static(plugin, name, None), mark)


def registry() -> Registry:
    """Return the registry of this process, with the installed plugins loaded.

    Inside of `without_strangers` it is another, which has the bundled plugins only.
    """
    return _registry(strangers=not _alone.get())


@cache
def _registry(*, strangers: bool) -> Registry:
    loaded = Registry()
    loaded.load_installed(strangers=strangers)
    return loaded


forget_plugins = _registry.cache_clear
"""Make `registry` load the plugins again, as after one was installed."""

_alone: ContextVar[bool] = ContextVar("without strangers", default=False)


@contextmanager
def without_strangers() -> Iterator[None]:
    """Let `registry` load no stranger's plugin while the context lasts.

    Where a verdict is made about a stranger's results, none of that stranger's code may run: it
    could change the code that makes the verdict.
    """
    before = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(before)
