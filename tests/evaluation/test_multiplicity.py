import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.evaluation import holm

families = st.dictionaries(st.text(min_size=1, max_size=4), st.floats(0, 1), min_size=1, max_size=12)


@given(families)
def test_adjusting_neither_lowers_nor_reorders_and_never_exceeds_bonferroni(family):
    adjusted = holm(family)
    assert list(adjusted) == list(family)
    for name, value in family.items():
        assert value <= adjusted[name] <= min(1.0, len(family) * value)
    by_raw = sorted(family, key=family.get)
    assert [adjusted[name] for name in by_raw] == sorted(adjusted.values())


@given(families, st.floats(0.001, 0.2))
def test_it_rejects_what_the_step_down_procedure_rejects(family, level):
    rejected = set()
    for rank, (name, value) in enumerate(sorted(family.items(), key=lambda item: item[1])):
        if value * (len(family) - rank) > level:
            break
        rejected.add(name)
    assert {name for name, value in holm(family).items() if value <= level} == rejected


def test_the_share_of_families_with_a_false_rejection_stays_at_the_level():
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=(4000, 5))
    wrong = [min(holm(dict(enumerate(row))).values()) <= 0.05 for row in draws]
    assert 0.04 <= np.mean(wrong) <= 0.06


def test_a_test_that_could_not_be_made_is_no_evidence():
    assert holm({"a": 0.02, "b": math.nan}) == {"a": 0.04, "b": 1.0}


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(ValueError, match="lie in"):
        holm({"a": value})
