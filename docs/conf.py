"""Sphinx configuration; build with: sphinx-build -W docs docs/_build."""

import benchbase

project = "benchbase"
author = "the benchbase developers"
copyright = f"2026, {author}"  # noqa: A001 # the name that Sphinx reads
version = release = benchbase.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc", "myst_parser"]
exclude_patterns = ["_build", "figures"]  # the latter are included by others
html_extra_path = ["pages"]  # whole pages, served as they are
html_theme = "alabaster"
html_theme_options = {"description": project, "page_width": "1080px"}
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
