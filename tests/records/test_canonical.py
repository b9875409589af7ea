"""The short way of writing canonical JSON gives what the library of RFC 8785 gives."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.records import canonical_json

TEXTS = st.text() | st.text(alphabet=[chr(code) for code in range(128)])
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS | st.floats(allow_nan=False)
)
FINITE = SCALARS.filter(lambda value: value not in {float("inf"), float("-inf")})
VALUES = st.recursive(
    FINITE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES)
def test_both_ways_write_the_same_bytes(value):
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
            canonical_json(value)
        return
    assert canonical_json(value) == expected


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), object(), {1: "a"}, {"a": {2}}])
def test_what_is_no_canonical_json_is_refused_either_way(value):
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
