"""The page: a leaderboard with its curves and pictures as one HTML file that opens anywhere."""

from benchbase_reports.page.data import PageData, page_data
from benchbase_reports.page.render import render

__all__ = ["PageData", "page_data", "render"]
