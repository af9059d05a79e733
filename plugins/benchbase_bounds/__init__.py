"""The Lipschitz constants of pooling representations, and a search for collisions.

A is the largest and B the least constant with A·d(x, x′) ≤ ‖R(x) − R(x′)‖ ≤ B·d(x, x′). A is
bracketed: its lower end is certified, and a pair of signals attains its upper end.
`benchbase_bounds.dispatch.bounds` brackets any frame under any pooling. The proposition that a
bound comes from is one of Bruna, Szlam and LeCun, "Signal recovery from pooling representations",
ICML 2014, section 2.

=========================  ========================  =======================================
Pooling (``brackets``)     Lower end                 Upper end
                           (``lower_ends``)          (``upper_ends``)
=========================  ========================  =======================================
pools of one               ``subsets`` (2.1),        ``subsets`` (2.1)
(``phase_retrieval``)      ``polynomial`` (2.1)
rectified pools of one,    A₀/2 (2.2),               ``regions`` (2.2), pairs that attain
thresholds                 ``region_pairs`` (2.2)    ``region_pairs``, ``direct``
(``half_rectification``)
ℓ2 (``l2``)                ``subdivision`` (2.4),    ``l2`` (2.4)
                           ``polynomial`` (2.4)
rectified ℓ2               ``subdivision`` (2.5)     ``direct``
(``rectified_l2``)
ℓ1, ℓ∞                     ``cone_pairs`` (2.6)      ``direct``
(``piecewise_linear``)
rectified ℓ1 and ℓ∞,       ``face_pairs`` (2.7),     ``direct``, ``face_pairs`` (2.7)
maxout                     from ``cone_pairs``
(``piecewise_linear``)
with thresholds,           none                      ``direct``
pools of several
=========================  ========================  =======================================

If the vectors do not span R^N, A is 0 (``not_spanning``). B comes from ``upper_constant``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import benchbase
from benchbase_bounds.reports.bounds import Bounds
from benchbase_bounds.reports.collisions import Collisions

if TYPE_CHECKING:
    import click


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply the reports of this package."""
    register(Bounds)
    register(Collisions)


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Supply ``benchbase bounds``."""
    from benchbase_bounds.command import bounds_command

    cli.add_command(bounds_command)
