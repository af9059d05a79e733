"""Statistics of results: intervals, transitions, comparisons, ranks, profiles, fronts."""
