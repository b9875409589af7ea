"""Durable events: validation, the append-only log, quarantine."""
