"""One reading of all sources, checked against the metrics there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Final

from ordinis_learn.errors import LearnError
from ordinis_learn.observability.families import FAMILIES
from ordinis_learn.observability.vocabulary import OTHER, Vocabulary
from ordinis_learn.ports import MetricSource, Sample

__all__ = ["MAX_LABEL_VALUES", "Scraper"]

MAX_LABEL_VALUES: Final = 200
"""How many values each label of each metric takes before the rest is ``other``."""

_log = logging.getLogger(__name__)
_Series = dict[tuple[str, ...], float]


class Scraper:
    """Reads sources one after the other; a source that cannot be read is named, and only that.

    Threads may share it: scrapes that come at once wait for each other.

    Parameters
    ----------
    sources : sequence of MetricSource
        Where the facts are. Their names differ.
    timer : callable
        Seconds that only go forward, such as ``time.perf_counter``.
    """

    def __init__(self, sources: Sequence[MetricSource], *, timer: Callable[[], float]) -> None:
        self._sources = tuple(sources)
        self._timer = timer
        self._lock = Lock()
        self._words: dict[tuple[str, str], Vocabulary] = {}

    def scrape(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the value of every series, by metric and label values; metrics without a series are left out.

        Counters whose label values fall under ``other`` are added up there; for a gauge ``other`` would be the value of
        nobody, so those series are left out.
        """
        with self._lock:
            found: dict[str, _Series] = {}
            for source in self._sources:
                began = self._timer()
                error = self._read(source, found)
                _put(found, Sample("learn_scrape_error", {"source": source.name}, float(error)))
                seconds = self._timer() - began
                _put(found, Sample("learn_scrape_seconds", {"source": source.name}, seconds))
        return {name: found[name] for name in FAMILIES if name in found}

    def _read(self, source: MetricSource, found: dict[str, _Series]) -> bool:
        """Add what a source says, all of it or nothing; return whether it failed."""
        try:
            samples = [self._bounded(sample) for sample in source.samples()]
        except (
            LearnError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # all but the first: a stored record that is garbled, or JSON of another shape
            _log.warning("metrics of %s: %s: %s", source.name, type(error).__name__, error)
            return True
        for sample in samples:
            _put(found, sample)
        return False

    def _bounded(self, sample: Sample) -> Sample:
        labels = {key: self._word(sample.metric, key, value) for key, value in sample.labels.items()}
        return sample._replace(labels=labels)

    def _word(self, metric: str, label: str, value: str) -> str:
        words = self._words.setdefault((metric, label), Vocabulary(limit=MAX_LABEL_VALUES))
        return words.word(value)


def _put(found: dict[str, _Series], sample: Sample) -> None:
    family = FAMILIES[sample.metric]
    key = tuple(sample.labels[label] for label in family.labels)
    series = found.setdefault(family.name, {})
    if family.kind == "counter":
        series[key] = series.get(key, 0.0) + sample.value
    elif not _is_other(sample.labels.values()):
        series[key] = sample.value


def _is_other(values: Iterable[str]) -> bool:
    return OTHER in values
