"""Statistics of results: intervals, transitions, comparisons, ranks, profiles, fronts.

Data frames in, data frames out; docs/statistics.rst has the formulas, their sources, and how often
the intervals held the truth in simulations. Transitions are in `benchbase_reports.transitions`.
"""

from benchbase_reports.statistics.intervals import mean_interval
from benchbase_reports.statistics.many import Friedman, friedman, performance_profiles
from benchbase_reports.statistics.paired import PAIRED, compare_pairs
from benchbase_reports.statistics.pareto import pareto_front
from benchbase_reports.statistics.tables import means, medians, recovery_areas, success_rates

__all__ = [
    "PAIRED",
    "Friedman",
    "compare_pairs",
    "friedman",
    "mean_interval",
    "means",
    "medians",
    "pareto_front",
    "performance_profiles",
    "recovery_areas",
    "success_rates",
]
