"""Statistics of results: intervals, comparisons, ranks, performance profiles and Pareto fronts.

Functions take and return data frames. docs/statistics.rst has the formulas and their sources, and
says how often the intervals held the truth in simulations. Transitions are in
`benchbase_reports.transitions`.
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
