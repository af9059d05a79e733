"""Tasks that wait for a worker, and which worker may take which of them."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

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


class Waiting:
    """Tasks by realm and problem. If it can, a task goes to a worker that holds its problem.

    Parameters
    ----------
    tasks : iterable of Task
        The tasks, those of one problem in succession.
    realm : callable
        Returns the `Realm` of a task.
    """

    def __init__(self, tasks: Iterable[Task], realm: Callable[[Task], Realm] = realm_of) -> None:
        self._realm = realm
        self._places: OrderedDict[tuple[Realm, str], deque[Task]] = OrderedDict()
        self._came_back: set[tuple[str, int]] = set()
        for task in tasks:
            self._places.setdefault(self._place(task), deque()).append(task)

    def __bool__(self) -> bool:
        return bool(self._places)

    def _place(self, task: Task) -> tuple[Realm, str]:
        return self._realm(task), task["problem_key"]

    def put_back(self, task: Task) -> bool:
        """Take back a task whose worker was lost by no fault of the solver.

        A task is taken back only once. Return whether it was taken back.
        """
        name = (task["key"], task["start"])
        first = name not in self._came_back
        if first:
            self._came_back.add(name)
            self._places.setdefault(self._place(task), deque()).appendleft(task)
            self._places.move_to_end(self._place(task), last=False)
        return first

    def take(
        self, realm: Realm | None, problem: str | None, held: Collection[str | None]
    ) -> tuple[Realm, Task]:
        """Remove and return a task and its realm.

        One of a worker's own realm and problem comes first. Then come tasks that the worker may
        take, at first those of problems that no other worker holds. Then come all others, for which
        another worker must be started.

        Parameters
        ----------
        realm, problem : optional
            What the worker has run last; None for a new worker.
        held : collection of str
            The problems that other workers hold.
        """

        def may(place: tuple[Realm, str]) -> bool:
            return realm is None or realm.takes(place[0])

        own = [] if realm is None or problem is None else [(realm, problem)]
        own = [place for place in own if place in self._places]
        free = (place for place in self._places if place[1] not in held and may(place))
        orders = (own, free, filter(may, self._places), iter(self._places))
        place = next(itertools.chain.from_iterable(orders))
        task = self._places[place].popleft()
        if not self._places[place]:
            del self._places[place]
        return place[0], task
