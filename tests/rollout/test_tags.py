import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.rollout.tags import (
    SHADOW_TAG,
    TRAINING_TAG,
    approval_tag,
    is_governed_tag,
    is_statement_tag,
    kind_of,
    named_in,
    scorecard_tag,
)


@pytest.mark.parametrize(
    ("key", "kind", "named"),
    [
        (TRAINING_TAG, "training", ""),
        (SHADOW_TAG, "shadow", ""),
        (scorecard_tag("bench_core_v1"), "scorecard", "bench_core_v1"),
        (approval_tag("model-risk"), "approval", "model-risk"),
    ],
)
def test_each_key_says_what_it_carries(key, kind, named):
    assert (kind_of(key), named_in(key)) == (kind, named)
    assert is_governed_tag(key)
    assert is_statement_tag(key)


@pytest.mark.parametrize(
    "key",
    [
        "Ordinis.evidence.training",
        "ordinis.evidence.training ",
        "ordinis.evidence",
        "ordinis.evidence.other",
        "ordinis.evidence.scorecard.",
        "ordinis.evidence.scorecard./etc",
        "ordinis.approval.",
        "ordinis.approval.Model-Risk",
        "ｏrdinis.approval.model-risk",
    ],
)
def test_what_only_resembles_a_key_is_governed_and_carries_nothing(key):
    assert is_governed_tag(key)
    assert is_statement_tag(key)
    assert kind_of(key) is None


@pytest.mark.parametrize("key", ["team", "ordinis", "ordinisx.evidence", "mlflow.runName"])
def test_other_tags_are_free(key):
    assert not is_governed_tag(key)
    assert not is_statement_tag(key)
    assert kind_of(key) is None


def test_our_namespace_holds_tags_that_are_not_statements():
    assert is_governed_tag("ordinis.note")
    assert not is_statement_tag("ordinis.note")


@pytest.mark.parametrize("name", ["", "../root", "a/b", "Alice", "-x", "a b", "ä", "x" * 64, "a\n"])
def test_names_that_are_not_one_file_and_one_tag_are_refused(name):
    with pytest.raises(ConfigInvalid):
        approval_tag(name)


@pytest.mark.parametrize("pack", ["", "a/b", "..", " x", "x" * 129])
def test_pack_ids_that_are_not_one_tag_are_refused(pack):
    with pytest.raises(ConfigInvalid):
        scorecard_tag(pack)
