"""Drift detectors, one per file, and the check that runs them."""
