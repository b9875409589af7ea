"""A search for examples outlives its process, in a journal and in PostgreSQL, and every trial that was run counts."""

from __future__ import annotations

import os
import uuid

import pytest

from ordinis_learn.errors import ConfigInvalid, CostCapReached, StoreUnavailable
from ordinis_learn.prompts._few_shot import search_examples
from ordinis_learn.training.claims import ClaimRules
from ordinis_learn.training.search import StudyPlace
from ordinis_learn.use_cases.prompt_study import kept_scores

SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
QUICK = ClaimRules(beat_s=0.1, stale_after_s=1.0, poll_s=0.02)


@pytest.fixture
def shared_database():
    psycopg = pytest.importorskip("psycopg")
    name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(SERVER, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server; ORDINIS_TEST_POSTGRES_URL names one")
    admin.execute(f"CREATE DATABASE {name}")
    yield SERVER.rsplit("/", 1)[0] + f"/{name}"
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture(params=["journal", "postgresql"])
def place(request, tmp_path):
    url = request.getfixturevalue("shared_database") if request.param == "postgresql" else None
    return StudyPlace(journal=tmp_path / "studies" / "cortex.log", url=url, rules=QUICK)


class Scores:
    """The third candidate helps; gives up after so many trials."""

    def __init__(self, gives_up_after=1000):
        self.asked, self.left = [], gives_up_after

    def __call__(self, number, chosen):
        if not self.left:
            raise CostCapReached("ask", found="the cap", next_step="raise it")
        self.left -= 1
        self.asked.append(number)
        return 0.25 + 0.5 * (2 in chosen) + 0.1 * (0 in chosen) - 0.01 * len(chosen)


def searched(place, scores, *, trials=12, about="one", conclude=True):
    with kept_scores(place, name="cortex", about={"pack": about}, candidates=5) as kept:
        found = search_examples(scores, candidates=5, shots=3, trials=trials, seed=7, kept=kept)
        if conclude:
            kept.conclude("run", counted=kept.count())
    return found


def test_a_search_that_broke_off_goes_on_with_the_trial_it_was_at(place):
    whole = search_examples(Scores(), candidates=5, shots=3, trials=12, seed=7)
    broken = Scores(gives_up_after=5)
    with pytest.raises(CostCapReached):
        searched(place, broken)
    rest = Scores()
    assert searched(place, rest) == whole
    assert (broken.asked, rest.asked) == ([*range(5)], [*range(5, 12)])


def test_trials_beyond_those_asked_for_count_all_the_same(place):
    first = searched(place, Scores(), trials=9, conclude=False)
    again = Scores()
    assert searched(place, again, trials=4) == first
    assert (first.trials, again.asked) == (9, [])


def test_another_search_and_one_after_its_end_begin_anew(place):
    with pytest.raises(ConfigInvalid, match="no study of this configuration"):
        searched(StudyPlace(journal=place.journal, url=place.url, resume=True), Scores())
    searched(place, Scores(), trials=3)
    for about in ("one", "another"):
        again = Scores()
        searched(place, again, trials=3, about=about, conclude=False)
        assert again.asked == [0, 1, 2]


def test_trials_of_a_search_given_up_count_with_the_next_one_and_once(place):
    def counts(about):
        with kept_scores(place, name="cortex", about={"pack": about}, candidates=5) as kept:
            search_examples(Scores(), candidates=5, shots=3, trials=2, seed=7, kept=kept)
            counted = kept.count()
            kept.conclude("run", counted=counted)
            return len(counted.own), len(counted.others)

    searched(place, Scores(), trials=3, about="given up", conclude=False)
    assert (counts("another"), counts("a third")) == ((2, 3), (2, 0))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="keep the study in"):
        searched(StudyPlace(journal=tmp_path / "file" / "cortex.log"), Scores())
