"""The command line; one command per file, nothing heavy imported before it is needed."""
