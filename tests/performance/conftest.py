"""Benchmarks: what commands, the framework and solvers cost. Run by hand, and by `.ci/run`::

    pytest tests/performance -n 0 --benchmark-enable

A figure means little while other tests run beside it, so a run of all tests passes them over. What
these benchmarks compute is checked by the tests of the modules that they measure.
"""

import pytest


@pytest.fixture(autouse=True)
def measured(request: pytest.FixtureRequest) -> None:
    """Pass a benchmark over where nothing is measured."""
    enabled = request.config.getoption("benchmark_enable")
    if "benchmark" in request.fixturenames and not enabled:
        pytest.skip("a benchmark: pytest tests/performance -n 0 --benchmark-enable")
