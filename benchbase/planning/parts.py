"""What tasks say of components: worked out once for each, since many cells share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.discovery.providers import SESSION, bundled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchbase.component import Component
    from benchbase.discovery.registry import Registry


@dataclass(frozen=True)
class Part:
    """A component as tasks have it.

    Attributes
    ----------
    spec : dict
        Its spec. All tasks share it, and none may write to it.
    sources : list of str
        The sources of the strangers' plugins that supply it and its parts, in order.
    is_local : bool
        Whether only this process can build it or one of its parts.
    """

    component: Component
    spec: dict[str, Any]
    sources: list[str]
    is_local: bool


class Parts:
    """The components of cells as tasks have them.

    Parameters
    ----------
    known : Registry
        Says which plugins supply the components.
    """

    def __init__(self, known: Registry) -> None:
        self._known = known
        self._owners = {each.plugin: each.owner for each in known.providers.values()}
        self._parts: dict[int, Part] = {}

    def of(self, component: Component) -> Part:
        """Return what tasks say of a component."""
        # Components that are equal may differ in a type, as 2 and 2.0 do, so identity counts.
        found = self._parts.get(id(component))
        if found is None:
            local = any(map(self._known.is_local, component.walk()))
            sources = sorted(self._known.sources(component))
            found = Part(component, component.spec(), sources, local)
            self._parts[id(component)] = found  # which keeps the component, and so its number
        return found

    def shared(self, parts: Iterable[Part], packages: frozenset[str]) -> list[str]:
        """Return what keeps a solver and a problem from being sealed; see `Task`.

        Parameters
        ----------
        parts : iterable of Part
            All components of the cell.
        packages : frozenset of str
            The packages that both reach.
        """
        shared = {self._owners.get(name, name) for name in packages - bundled()}
        if any(part.is_local for part in parts):
            shared.add(SESSION.owner)
        return sorted(shared)
