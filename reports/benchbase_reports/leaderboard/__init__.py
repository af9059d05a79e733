"""Leaderboards: solvers ranked on each problem of a suite, with how certain the ranks are."""

from benchbase_reports.leaderboard.board import TABLE, Board
from benchbase_reports.leaderboard.make import make_board

__all__ = ["TABLE", "Board", "make_board"]
