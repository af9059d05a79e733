"""Bundles of results that can be checked, and static sites made of them."""
