"""Which models are governed: the policy and the triggers of both databases read one pattern alike."""

from __future__ import annotations

import os
import re
import sqlite3
import string
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException  # noqa: TID253
from pydantic import ValidationError

from ordinis_learn.records import ModelType
from ordinis_learn.rollout.policy import Governed, governs
from ordinis_mlflow._store import OrdinisSqlAlchemyStore
from ordinis_registry.triggers import _native

LETTERS = "aAzZbB09_"
ONE = st.sampled_from(LETTERS)
BRACKET = st.builds(
    lambda no, inner: f"[{no}{''.join(inner)}]",
    st.sampled_from(["", "!"]),
    st.lists(ONE | st.sampled_from(["a-c", "A-C", "0-9", "a-a"]), min_size=1, max_size=3),
)
PATTERNS = (
    st.lists(
        st.sampled_from(
            [*LETTERS, *string.punctuation.translate(str.maketrans("", "", "[]\\")), " ", "*", "?"]
        )
        | BRACKET,
        min_size=1,
        max_size=6,
    )
    .map("".join)
    .filter(str.strip)
)
NAMES = st.text(alphabet=LETTERS + string.punctuation, min_size=1, max_size=6)


class _Rules:
    def __init__(self, pattern):
        self.governs = Governed(names=(pattern,), model_types=(ModelType.SIGNAL_MODEL,))


@pytest.fixture(scope="module")
def sqlite_scope():
    connection = sqlite3.connect(":memory:")
    yield lambda name, pattern: bool(
        connection.execute("SELECT lower(?) GLOB ?", (name, _native(pattern, "sqlite"))).fetchone()[0]
    )
    connection.close()


@pytest.fixture(scope="module")
def postgresql_scope():
    psycopg = pytest.importorskip("psycopg")
    url = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        connection = psycopg.connect(url)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    yield lambda name, pattern: bool(
        connection.execute("SELECT lower(%s) ~ %s", (name, _native(pattern, "postgresql"))).fetchone()[0]
    )
    connection.close()


@pytest.mark.parametrize("scope", ["sqlite_scope", "postgresql_scope"])
def test_policy_and_triggers_agree_on_every_ascii_name(request, scope):
    guarded = request.getfixturevalue(scope)

    @given(pattern=PATTERNS, name=NAMES)
    def agree(pattern, name):
        assert governs(_Rules(pattern), name) == guarded(name, pattern)

    agree()


@pytest.mark.parametrize(
    "pattern",
    ["[^a]x", "a[", "[z-a]x", "[Z-a]x", "[a\\]x", "a\\*", "[[:alpha:]]", "[]a]", "[a-]", "é*", "ſx", "x[*]", "", "a\nb"],
)  # fmt: skip
def test_a_pattern_that_would_be_read_differently_is_refused(pattern):
    with pytest.raises(ValidationError, match=re.escape("is not read alike everywhere")):
        _Rules(pattern)


@pytest.mark.parametrize("name", ["Ｓp500_x", "ſp500_x", " sp500_x", "sp500_x\t"])
def test_a_governed_name_that_no_trigger_would_know_is_not_registered(any_desk, name):
    folder = any_desk.home / "policies"
    folder.mkdir(parents=True, exist_ok=True)
    packaged = resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml"
    text = packaged.read_text(encoding="utf-8").replace("gov_v1", "desk_v1")
    (folder / "desk_v1.yaml").write_text(text.replace('names: ["*"]', 'names: ["sp500_x"]'), encoding="utf-8")
    store = OrdinisSqlAlchemyStore(any_desk.url, settings=any_desk.settings, policy_id="desk_v1")
    store.create_registered_model("SP500_X")
    store.create_registered_model("Ünrelated")
    with pytest.raises(MlflowException, match=r"E_CFG_INVALID.*triggers"):
        store.create_registered_model(name)
    with pytest.raises(MlflowException, match=r"E_CFG_INVALID.*triggers"):
        store.rename_registered_model("Ünrelated", name)
    store.engine.dispose()
