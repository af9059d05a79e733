"""Tasks that wait for a worker, and which worker may take which of them."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, TypeAlias

from benchbase.tasks import Task


class Realm(NamedTuple):
    """What a process runs. Bundled code may share a process; each stranger has its own.

    Attributes
    ----------
    sealed : bool
        Whether its tasks are sealed.
    sources : tuple of str
        The plugin files and the entry points of strangers whose code it runs.
    """

    sealed: bool
    sources: tuple[str, ...]

    def takes(self, other: Realm) -> bool:
        """Whether a process that has run tasks of this realm may run those of another.

        One that has only run bundled code may run a stranger's, but never the other way round.
        """
        return self == other or (self.sealed == other.sealed and not self.sources)


def realm_of(task: Task, *, sealed: bool = False) -> Realm:
    """Return the realm of a task, in a run that is sealed or not."""
    sources = {source for each in task["sources"].values() for source in each}
    return Realm(sealed and not task["shared"], tuple(sorted(sources)))


class Held(NamedTuple):
    """The problem that a worker holds, and the group that it is of (`Task`), by their keys."""

    group: str
    problem: str


def held_of(task: Task) -> Held:
    """Return what the worker of a task holds."""
    return Held(task["group_key"], task["problem_key"])


_Place: TypeAlias = tuple[Realm, Held]


class Waiting:
    """Tasks by realm and problem. If it can, a task goes to a worker that holds its problem.

    If no task is of that problem, one of the same group is as good: what a solver finds for one
    pooling may be found for all others too, for which other workers would have to wait.

    Parameters
    ----------
    tasks : iterable of Task
        The tasks, those of one problem in succession.
    realm : callable
        Returns the `Realm` of a task.
    """

    def __init__(self, tasks: Iterable[Task], realm: Callable[[Task], Realm] = realm_of) -> None:
        self._realm = realm
        self._places: OrderedDict[_Place, deque[Task]] = OrderedDict()
        self._groups: dict[str, dict[_Place, None]] = {}
        self._came_back: set[tuple[str, int]] = set()
        for task in tasks:
            self._at(task).append(task)

    def __bool__(self) -> bool:
        return bool(self._places)

    def _place(self, task: Task) -> _Place:
        return self._realm(task), held_of(task)

    def _at(self, task: Task) -> deque[Task]:
        """Return the tasks that wait where a task belongs."""
        place = self._place(task)
        self._groups.setdefault(task["group_key"], {})[place] = None
        return self._places.setdefault(place, deque())

    def put_back(self, task: Task) -> bool:
        """Take back a task whose worker was lost by no fault of the solver.

        A task is taken back only once. Return whether it was taken back.
        """
        name = (task["key"], task["start"])
        first = name not in self._came_back
        if first:
            self._came_back.add(name)
            self._at(task).appendleft(task)
            self._places.move_to_end(self._place(task), last=False)
        return first

    def take(
        self, realm: Realm | None, last: Held | None, held: Collection[Held | None]
    ) -> tuple[Realm, Task]:
        """Remove and return a task and its realm.

        One of a worker's own realm and problem comes first. Then come tasks that the worker may
        take: those of its own group, then of groups and then of problems that no other worker
        holds. Then come all others, for which another worker must be started.

        Parameters
        ----------
        realm, last : optional
            What the worker has run last; None for a new worker.
        held : collection of Held
            What other workers hold.
        """
        groups = {other.group for other in held if other is not None}

        def may(place: _Place) -> bool:
            return realm is None or realm.takes(place[0])

        def distance(place: _Place) -> tuple[bool, bool]:
            return place != (realm, last), place[0] != realm

        group = () if last is None else self._groups.get(last.group, ())
        near = sorted(filter(may, group), key=distance)
        free = (place for place in self._places if place[1].group not in groups and may(place))
        unheld = (place for place in self._places if place[1] not in held and may(place))
        orders = (near, free, unheld, filter(may, self._places), iter(self._places))
        place = next(itertools.chain.from_iterable(orders))
        task = self._places[place].popleft()
        if not self._places[place]:
            self._forget(place)
        return place[0], task

    def _forget(self, place: _Place) -> None:
        """Remove a place where no task waits."""
        del self._places[place]
        group = self._groups[place[1].group]
        del group[place]
        if not group:
            del self._groups[place[1].group]
