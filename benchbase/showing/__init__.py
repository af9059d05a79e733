"""What reports and commands share: names, statistics, texts and figures of results.

Its names are public, for reports of plugins too. Tables are pandas data frames as
`benchbase.Results.frame` returns them, or what `summarise` makes of them.
"""

from benchbase.showing.components import component_of, offline, solver_specs
from benchbase.showing.names import (
    norm_name,
    pooling_name,
    setting_name,
    solver_names,
    variant_name,
    varying_parameters,
)
from benchbase.showing.style import (
    CHARACTER,
    COLOURS,
    LINES,
    MARKERS,
    STYLE,
    log_axis,
    looks,
    power_of_ten,
    save_figure,
    set_title,
    some,
    wrapped,
)
from benchbase.showing.summary import (
    EXACT,
    FITS,
    RECOVERED,
    STATISTICS,
    latest,
    problem_columns,
    setting_columns,
    split,
    summarise,
    with_scores,
)
from benchbase.showing.text import as_latex, as_markdown, identifier, write_texts

__all__ = [
    "CHARACTER",
    "COLOURS",
    "EXACT",
    "FITS",
    "LINES",
    "MARKERS",
    "RECOVERED",
    "STATISTICS",
    "STYLE",
    "as_latex",
    "as_markdown",
    "component_of",
    "identifier",
    "latest",
    "log_axis",
    "looks",
    "norm_name",
    "offline",
    "pooling_name",
    "power_of_ten",
    "problem_columns",
    "save_figure",
    "set_title",
    "setting_columns",
    "setting_name",
    "solver_names",
    "solver_specs",
    "some",
    "split",
    "summarise",
    "variant_name",
    "varying_parameters",
    "with_scores",
    "wrapped",
    "write_texts",
]
