"""Metrics, their significance, and the scorecard."""
