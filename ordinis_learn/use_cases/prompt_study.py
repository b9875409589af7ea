"""A search for examples in the places where searches for parameters are kept, to be gone on with after a kill.

The search itself is replayed: the same seed and the same scores of the trials before give the same next selection. So what has
to be kept of a trial is its score, and what was answered for it need not be asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ordinis_learn.records import hash_of
from ordinis_learn.training.search import StudyPlace
from ordinis_learn.training.trial import TrialOutcome

if TYPE_CHECKING:
    from ordinis_learn.training._abandoned import CountedTrials
    from ordinis_learn.training._studies import SharedStudy

__all__ = ["KeptScores", "kept_scores"]

_COMPLETE: Final = "COMPLETE"


class KeptScores:
    """The scores of one study's trials, told once each; several processes may work on them.

    Parameters
    ----------
    study : SharedStudy
    candidates : int
        How many examples there are to choose from.
    poll_s : float
        How often to look whether another process has finished a trial.
    sleep : callable
    """

    def __init__(
        self, study: SharedStudy, *, candidates: int, poll_s: float, sleep: Callable[[float], None]
    ) -> None:
        self._study = study
        self._choices = tuple(range(-1, candidates))
        self._poll_s = poll_s
        self._sleep = sleep

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        return self._study.name

    def finished(self) -> int:
        """Return how many trials have been run, here or elsewhere."""
        return len(self._study.finished())

    def score(self, number: int, places: Mapping[str, int], run: Callable[[], float]) -> float:
        """Return a trial's score: as it was told, or after running it; where another process runs it, wait for that."""
        from optuna.distributions import CategoricalDistribution

        space = dict.fromkeys(places, CategoricalDistribution(self._choices))
        while (told := self._told(number)) is None:
            if not self._study.claim([number], at_most=1):
                self._sleep(self._poll_s)
                continue
            with self._study.beating([number]):
                self._study.write_parameters(number, parameters=places, space=space)
                # Studies minimise.
                self._study.tell(TrialOutcome(number=number, state="complete", running=(-run(),)))
        return told

    def count(self) -> CountedTrials:
        """Return the trials that travel with a pack made of this study now, those of given-up searches too."""
        return self._study.count()

    def conclude(self, run_id: str, *, counted: CountedTrials) -> None:
        """Say that a pack was registered from this study, with the trials it counted: a new search begins a new one."""
        self._study.conclude(run_id, counted=counted)

    def _told(self, number: int) -> float | None:
        for trial in self._study.trials():
            if trial.number == number and trial.state.name == _COMPLETE and trial.value is not None:
                return 0.0 - float(trial.value)
        return None


@contextmanager
def kept_scores(
    place: StudyPlace,
    *,
    name: str,
    about: Mapping[str, object],
    candidates: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[KeptScores]:
    """Open the study of a search for examples: an unfinished one where there is one, else a new one.

    Parameters
    ----------
    about : mapping
        What the search is about, JSON values: trials of something else are not comparable.

    Raises
    ------
    ConfigInvalid
        There is to be a study to go on with, and there is none.
    StoreUnavailable
        The study cannot be read or written.
    """
    import optuna

    from ordinis_learn.training._studies import open_study, translated  # noqa: PLC0415

    # Another release of Optuna may suggest other selections from the same scores.
    key = hash_of(dict(about) | {"optuna": optuna.__version__}, domain="ordinis.prompt_study")
    with translated(place):
        study = open_study(place, model=name, key=key)
        try:
            yield KeptScores(study, candidates=candidates, poll_s=place.rules.poll_s, sleep=sleep)
        finally:
            study.close()
