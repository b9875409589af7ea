"""What came of a signal: forward returns at horizons, and how much evidence overlapping labels hold."""
