"""A booster is looked through before xgboost sees it: xgboost itself reads whatever a file tells it to."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost as xgb  # noqa: TID253  it is what is guarded
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models import load_bundle
from ordinis_learn.models.booster_misfit import booster_misfit
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.models.ubjson import read_ubjson

FEATURES = 2


def booster(**told):
    rows = np.random.default_rng(0).normal(size=(300, FEATURES)).astype(np.float32)
    target = rows[:, 0] * rows[:, 1] if "objective" not in told else (rows[:, 0] > 0).astype(np.float32)
    parameters = {"nthread": 1, "max_depth": 3, **told}
    return xgb.train(parameters, xgb.DMatrix(rows, label=target), 3)


GOOD = bytes(booster().save_raw("ubj"))


def with_values(name, change, *, dtype):
    """Return the good booster with the numbers of the first array of that name changed, in as many bytes."""
    place = GOOD.index(name.encode() + b"[$") + len(name) + 4
    count = int.from_bytes(GOOD[place + 1 : place + 9], "big")
    start = place + 9
    values = np.frombuffer(GOOD, dtype=dtype, count=count, offset=start).copy()
    assert len(read_ubjson(GOOD)["learner"]["gradient_booster"]["model"]["trees"][0][name]) == count
    change(values)
    return GOOD[:start] + values.tobytes() + GOOD[start + values.nbytes :]


def set_inner(value):
    def change(values):
        values[values != -1] = value

    return change


def set_first(value):
    def change(values):
        values[0] = value

    return change


HOSTILE = {
    "children that lead back": with_values("left_children", set_inner(0), dtype=">i4"),
    "children that lead nowhere": with_values("left_children", set_inner(1_000_000), dtype=">i4"),
    "one child of two": with_values("right_children", set_first(1), dtype=">i4"),
    "a leaf on one side": with_values("right_children", set_first(-1), dtype=">i4"),
    "a feature that no row has": with_values("split_indices", set_first(999_999), dtype=">i4"),
    "a leaf without end": with_values("split_conditions", set_first(np.inf), dtype=">f4"),
    "cut off": GOOD[: len(GOOD) // 2],
    "empty": b"",
    "something behind it": GOOD + b"x",
    "as JSON": bytes(booster().save_raw("json")),
    "another objective": bytes(booster(objective="binary:logistic").save_raw("ubj")),
    "another booster": bytes(booster(booster="dart").save_raw("ubj")),
}


def test_ours_is_taken_as_it_is():
    assert booster_misfit(GOOD, features=FEATURES, objective="reg:squarederror", classes=0) == ""
    assert "3 in the header" in booster_misfit(GOOD, features=3, objective="reg:squarederror", classes=0)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_booster_that_would_lead_xgboost_astray_is_refused_by_name(tmp_path, content):
    header = BundleHeader(
        kind="xgboost",
        feature_names=("a", "b"),
        horizon_sessions=5,
        parameters={"min_edge_bps": 1.0, "scale": 0.01},
    )
    write_bundle(tmp_path / "bundle", header, files={"booster.ubj": content})
    with pytest.raises(DataCorrupt) as refused:
        load_bundle(tmp_path / "bundle")
    assert json.dumps(refused.value.found)
    assert booster_misfit(content, features=FEATURES, objective="reg:squarederror", classes=0)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.integers(0, 9))
def test_whatever_the_bytes_there_is_an_answer(place, byte, cut):
    content = GOOD[:place] + bytes([byte]) + GOOD[place + cut :]
    answer = booster_misfit(content, features=FEATURES, objective="reg:squarederror", classes=0)
    assert isinstance(answer, str)
