"""The bracket of any frame under any pooling of section 2: which module brackets which pooling."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

import benchbase
from benchbase import Frame, Pooling
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.brackets.half_rectification import half_rectification
from benchbase_bounds.brackets.l2 import l2
from benchbase_bounds.brackets.not_spanning import not_spanning
from benchbase_bounds.brackets.phase_retrieval import phase_retrieval
from benchbase_bounds.brackets.piecewise_linear import piecewise_linear
from benchbase_bounds.brackets.rectified_l2 import rectified_l2
from benchbase_bounds.representation import Operator


def bounds(frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return what is known of the Lipschitz constants of a frame under a pooling.

    Parameters
    ----------
    frame : Frame
        Real frame that gives its vectors.
    pooling : Pooling
        ``lp`` with p = 1, 2 or infinity, half rectified or not, with thresholds or not; ``maxout``.
    seed : int, optional
        Seed of all searches.
    effort : float, optional
        Factor of the numbers of starts, nodes and regions of the searches, above 0.

    Returns
    -------
    Bracket
        The same for the same arguments, apart from its seconds.

    Raises
    ------
    benchbase.BenchbaseError
        If the frame is complex or does not give its vectors, or no bounds are known for the
        pooling.
    benchbase.ParameterError
        If the thresholds do not fit the frame, or `effort` is not above 0.
    """
    begin = time.perf_counter()
    if not effort > 0:
        raise benchbase.ParameterError("effort", f"must be above 0, not {effort}")
    try:
        operator = Operator.of(frame, pooling)
    except NotImplementedError as error:
        problem = "bounds need the frame's vectors, and this frame does not give them"
        raise benchbase.BenchbaseError(problem) from error
    # All is homogeneous in vectors and thresholds: at a scale of about 1 nothing over- or
    # underflows, and a power of two rounds nothing.
    peak = float(np.abs(operator.vectors).max())
    scale = float(2.0 ** np.clip(np.round(np.log2(peak)), -1000, 1000)) if peak > 0 else 1.0
    operator = dataclasses.replace(
        operator, vectors=operator.vectors / scale, alpha=operator.alpha / scale
    )
    found = not_spanning(operator)
    if found is None:
        found = bracket_of(operator)(operator, seed=seed, effort=effort)
    return dataclasses.replace(
        found,
        lower=found.lower * scale,
        upper=found.upper * scale,
        largest=found.largest * scale,
        seconds=time.perf_counter() - begin,
    )


def bracket_of(operator: Operator) -> Callable[..., Bracket]:
    """Return the function that brackets the constants of a representation.

    It takes the operator and the options ``seed`` and ``effort``. The table in the docstring of
    `benchbase_bounds` says which bounds each of these functions uses.
    """
    if operator.signed:  # maxout
        return piecewise_linear
    if operator.vectors.shape[1] == 1:  # every p is the same
        return half_rectification if operator.rectified else phase_retrieval
    if operator.p == 2:
        return rectified_l2 if operator.rectified else l2
    return piecewise_linear
