"""What the store writes into MLflow's tables by itself is what MLflow would have written."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersionTag  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253

NAME = "alpha"
TIMES = {"creation_time", "last_updated_time"}


@pytest.fixture
def plain(tmp_path):
    store = SqlAlchemyStore(f"sqlite:///{tmp_path / 'plain.db'}")
    yield store
    store.engine.dispose()


def written(store):
    """Return every column of every version, model, and tag that is not ours."""
    with store.engine.connect() as connection:
        versions, models, tags = (
            connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2, 3")).mappings().all()
            for table in ("model_versions", "registered_models", "model_version_tags")
        )
    assert all(row[column] for row in versions for column in TIMES)
    kept = [{key: row[key] for key in row if key not in TIMES} for row in (*versions, *models)]
    return kept, [dict(row) for row in tags if not row["key"].startswith("ordinis.")]


def create_some(store):
    store.create_registered_model(NAME)
    store.create_registered_model("copied")
    store.create_model_version(NAME, "/a/1", "run", [ModelVersionTag("k", "v")], "link", "words")
    store.create_model_version(
        NAME, "/a/2", tags=[ModelVersionTag("k", "first"), ModelVersionTag("k", "last")]
    )
    store.delete_model_version(NAME, "2")
    store.create_model_version(NAME, "s3://bucket/model")
    store.create_model_version("copied", f"models:/{NAME}/1", "run")


def test_a_version_is_written_column_by_column_as_mlflow_writes_it(desk, plain):
    for store in (desk.store, plain):
        create_some(store)
    assert written(desk.store) == written(plain)


@pytest.mark.parametrize(
    "source", ["models:/", "models:/alpha/9", "models:/nobody/1", "models:/alpha@champion", "MODELS:/alpha/9"]
)
def test_a_source_that_leads_nowhere_is_refused_in_mlflows_words_and_leaves_nothing(desk, plain, source):
    words = []
    for store in (desk.store, plain):
        store.create_registered_model(NAME)
        with pytest.raises(MlflowException) as refused:
            store.create_model_version(NAME, source)
        words.append((refused.value.error_code, str(refused.value.message).split("Error:")[0]))
        assert store.search_model_versions(f"name = '{NAME}'") == []
    assert words[0] == words[1]
    assert [record.action for record in desk.ledger.history(NAME)] == ["model.created"]


def test_numbers_go_on_where_a_plain_client_left_off(desk):
    other = SqlAlchemyStore(desk.url)
    desk.store.create_registered_model(NAME)
    made = [store.create_model_version(NAME, "/a").version for store in (desk.store, other, desk.store)]
    other.engine.dispose()
    assert made == [1, 2, 3]
