"""Alembic revisions of the governance tables; run by :mod:`ordinis_registry.database`."""
