"""Training of signal models, one file per model type, and the search over their parameters."""
