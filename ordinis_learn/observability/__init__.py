"""What operators see: metrics from the stored facts, and traces from event to rollout.

Commands come and go, so nothing is counted in a process: each scrape reads the event log, the catalogue, the outbox
and the ledger. :mod:`~ordinis_learn.observability.families` lists every metric; ``docs/observability.md`` says how to watch.
"""

from ordinis_learn.observability.event_log import EventLogSource
from ordinis_learn.observability.families import FAMILIES, Family
from ordinis_learn.observability.lazy import LazySource
from ordinis_learn.observability.scrape import MAX_LABEL_VALUES, Scraper
from ordinis_learn.observability.vocabulary import OTHER, Vocabulary

__all__ = [
    "FAMILIES",
    "MAX_LABEL_VALUES",
    "OTHER",
    "EventLogSource",
    "Family",
    "LazySource",
    "Scraper",
    "Vocabulary",
]
