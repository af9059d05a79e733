"""Regions, cones and ranks: the exact geometry that certificates stand on."""
