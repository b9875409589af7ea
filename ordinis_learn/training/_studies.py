"""Studies in a journal file, in PostgreSQL or in memory, and who works on which of their trials. Loaded by name."""

from __future__ import annotations

import math
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from typing import Any, Final
from urllib.parse import urlsplit

import optuna  # noqa: TID253  the leaf that needs it
from optuna.distributions import BaseDistribution  # noqa: TID253
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError  # noqa: TID253
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage  # noqa: TID253
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock  # noqa: TID253
from optuna.trial import FrozenTrial, TrialState  # noqa: TID253

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.training._abandoned import (
    CONCLUDED,
    FINISHED,
    CountedTrials,
    count_trials,
    mark_counted,
)
from ordinis_learn.training._rehearsal import OUTCOME
from ordinis_learn.training.claims import ClaimRules, Owner, Watch
from ordinis_learn.training.search import StudyPlace
from ordinis_learn.training.trial import TrialOutcome

__all__ = ["SharedStudy", "open_study", "translated"]

_STATES: Final = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "fail": TrialState.FAIL,
}
_CLAIM: Final = "claim"
_OPENING: Final = 0x5715D1E5
"""The advisory lock under which tables are made."""


class SharedStudy:
    """One study that several processes may work on at once.

    A trial is claimed, run, and told; whoever finds a claim stale takes it over under the same number. Two that run one
    trial come to the same outcome, and the first to tell is believed, so nothing is locked.

    Parameters
    ----------
    study : optuna.Study
        Sampled and pruned elsewhere (:mod:`ordinis_learn.training._rehearsal`).
    storage : optuna.storages.BaseStorage
        The study's own: trials are reached by their number, which only storages offer.
    me : Owner
    watch : Watch
    rules : ClaimRules
    model : str
        The name of the model that is searched for.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        storage: BaseStorage,
        me: Owner,
        watch: Watch,
        rules: ClaimRules,
        model: str,
    ) -> None:
        self._study = study
        self._model = model
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._me = me
        self._watch = watch
        self._rules = rules

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        return str(self._study.study_name)

    def trials(self) -> list[FrozenTrial]:
        """Return every trial that was begun, by number."""
        return sorted(self._study.get_trials(deepcopy=False), key=lambda trial: trial.number)

    def finished(self) -> list[FrozenTrial]:
        """Return the trials that were really run to an end, good or bad."""
        return [trial for trial in self.trials() if trial.state in FINISHED]

    def count(self) -> CountedTrials:
        """Return the trials that travel with a model made of this study now (:mod:`ordinis_learn.training._abandoned`)."""
        return count_trials(self._storage, model=self._model, study=self.name)

    def claim(self, numbers: Sequence[int], *, at_most: int) -> list[int]:
        """Take trials that nobody works on, begun or not; return their numbers."""
        known = {trial.number: trial for trial in self.trials()}
        mine: list[int] = []
        for number in numbers:
            if len(mine) == at_most:
                break
            trial = known.get(number)
            if trial is None:
                # Another process may be faster: the number that is given is the one that counts.
                given = self._study.ask().number
                self._mark(given, beat=0)
                if given in numbers:
                    mine.append(given)
            elif trial.state == TrialState.RUNNING and self._watch.stale(
                number, trial.user_attrs.get(_CLAIM)
            ):
                self._mark(number, beat=0)
                mine.append(number)
        return mine

    def write_parameters(
        self, number: int, *, parameters: Mapping[str, Any], space: Mapping[str, BaseDistribution]
    ) -> None:
        """Record what a claimed trial tries."""
        trial = self._id_of(number)
        # Whoever held the claim before may have finished it meanwhile, with the same parameters.
        with suppress(UpdateFinishedTrialError):
            for name, distribution in space.items():
                value = distribution.to_internal_repr(parameters[name])
                self._storage.set_trial_param(trial, name, value, distribution)

    def tell(self, outcome: TrialOutcome) -> bool:
        """Record what came of a trial; False where another process had told it already."""
        kept = {
            "running": list(outcome.running),
            "rungs": outcome.rungs,
            "sharpe": outcome.sharpe if math.isfinite(outcome.sharpe) else None,
            "error": outcome.error,
            "results": b64encode(outcome.results).decode("ascii"),
        }
        value = outcome.running[-1] if outcome.state == "complete" else None
        try:
            self._storage.set_trial_user_attr(self._id_of(outcome.number), OUTCOME, kept)
            self._study.tell(outcome.number, value, state=_STATES[outcome.state])
        except UpdateFinishedTrialError:
            return False
        return True

    def conclude(self, run_id: str, *, counted: CountedTrials) -> None:
        """Say that a model came of this study, by a run, with the trials it counted: a new search begins a new one."""
        mark_counted(self._storage, model=self._model, study=self.name, counted=counted)
        self._study.set_user_attr(CONCLUDED, run_id)

    @contextmanager
    def beating(self, numbers: Sequence[int]) -> Iterator[None]:
        """Show that these trials are worked on, until the block is left."""
        done = threading.Event()

        def beat() -> None:
            count = 0
            while not done.wait(self._rules.beat_s):
                count += 1
                # One that is told meanwhile needs no beat; a storage that is away for one may be back for the next.
                for number in numbers:
                    with suppress(UpdateFinishedTrialError, StorageInternalError, OSError):
                        self._mark(number, beat=count)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def close(self) -> None:
        """Give back what the storage holds open; the study itself stays."""
        _close(self._storage)

    def _mark(self, number: int, *, beat: int) -> None:
        self._storage.set_trial_user_attr(self._id_of(number), _CLAIM, self._me.to_json() | {"beat": beat})

    def _id_of(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number))


def open_study(place: StudyPlace | None, *, model: str, key: str) -> SharedStudy:
    """Open the study to work on: an unfinished one where there is one, else a new one; in memory without a place.

    Raises
    ------
    ConfigInvalid
        There is to be a study to go on with, and there is none.
    StoreUnavailable
        The storage cannot be opened.
    """
    rules = place.rules if place else ClaimRules()
    with translated(place):
        storage = InMemoryStorage() if place is None else _storage(place)
        try:
            generation = 1 if place is None else _generation(storage, place=place, model=model, key=key)
        except ConfigInvalid:
            _close(storage)
            raise
        study = optuna.create_study(
            storage=storage,
            study_name=_name(model, key=key, generation=generation),
            load_if_exists=True,
            direction="minimize",
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=optuna.pruners.NopPruner(),
        )
    me = Owner.here()
    watch = Watch(me, rules=rules, seconds=time.monotonic)
    return SharedStudy(study, storage=storage, me=me, watch=watch, rules=rules, model=model)


def _name(model: str, *, key: str, generation: int) -> str:
    return f"{model}/{key[:16]}/{generation}"


def _generation(storage: BaseStorage, *, place: StudyPlace, model: str, key: str) -> int:
    """Return the newest generation, or the one after it where that was brought to its end."""
    named = {study.study_name: study for study in optuna.get_all_study_summaries(storage)}
    newest = 0
    while _name(model, key=key, generation=newest + 1) in named:
        newest += 1
    if place.resume:
        if not newest:
            raise ConfigInvalid(
                f"go on with the search for {model}",
                found=f"no study of this configuration, dataset and code in {_where(place)}",
                next_step="give the same options as the first time, or leave out --resume to begin a study",
            )
        return newest
    concluded = newest and CONCLUDED in named[_name(model, key=key, generation=newest)].user_attrs
    return max(1, newest + 1 if concluded else newest)


def _close(storage: BaseStorage) -> None:
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def _storage(place: StudyPlace) -> BaseStorage:
    if place.url is not None:
        return _on_postgres(place.url)
    place.journal.parent.mkdir(parents=True, exist_ok=True)
    path = str(place.journal)
    lock = JournalFileSymlinkLock(path)
    _mend(place, lock=lock)
    return JournalStorage(JournalFileBackend(path, lock_obj=lock))


def _mend(place: StudyPlace, *, lock: JournalFileSymlinkLock) -> None:
    """Cut off a last line that a power cut tore: whatever is appended to it could not be read any more."""
    if not place.journal.is_file():
        return
    lock.acquire()
    try:
        with place.journal.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                file.truncate(whole)
    finally:
        lock.release()


def _on_postgres(url: str) -> RDBStorage:
    """Open the storage under a lock: of two hosts that made its tables at once, one would fail.

    The driver is asked first also because what Optuna raises while it opens a storage is SQLAlchemy's own.
    """
    import psycopg  # noqa: PLC0415  an extra

    try:
        with psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=10) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OPENING,))
            return RDBStorage(url)
    except psycopg.Error as error:
        raise ConnectionError(str(error)) from error


def _where(place: StudyPlace) -> str:
    if place.url is None:
        return str(place.journal)
    parts = urlsplit(place.url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


@contextmanager
def translated(place: StudyPlace | None) -> Iterator[None]:
    """Turn what storages raise into StoreUnavailable, and keep Optuna from narrating every trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    except (OSError, StorageInternalError, ImportError, JSONDecodeError) as error:
        if place is None:
            raise
        raise StoreUnavailable(
            f"keep the study in {_where(place)}",
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            next_step="give LEARN_STUDY_URL as postgresql://… of a database that answers (extra [postgres]), "
            "or unset it and make data/studies writable",
        ) from error
    finally:
        optuna.logging.set_verbosity(before)
