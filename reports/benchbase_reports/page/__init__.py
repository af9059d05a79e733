"""The page: a leaderboard with its curves and pictures as one HTML file that opens anywhere."""

from benchbase_reports.page.data import PageData, page_data
from benchbase_reports.page.render import render
from benchbase_reports.page.report import Page

__all__ = ["Page", "PageData", "page_data", "render"]
