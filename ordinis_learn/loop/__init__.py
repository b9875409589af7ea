"""The governed loop, end to end: what `mlflow run .` runs."""
