"""One file per released revision, oldest first by number."""
