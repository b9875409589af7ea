"""Look at the server of ``LEARN_EVENTS_URL`` without making anything there."""

from __future__ import annotations

__all__ = ["server_trouble"]


def server_trouble(url: str) -> tuple[str, str]:
    """Return what was found and what to do; the second is empty where a server answers."""
    try:
        import psycopg  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        return str(error), "pip install 'ordinis-learn[postgres]'"
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            found = connection.execute("SELECT to_regclass('ordinis_events.events')").fetchone()
    except psycopg.Error as error:
        return str(error).strip(), "start the server of LEARN_EVENTS_URL, or correct the address"
    there = found is not None and found[0] is not None
    return "PostgreSQL: " + ("in use" if there else "its tables will be made on first use"), ""
