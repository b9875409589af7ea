"""What does not touch the gate, against the same call on MLflow's own SQL store: registering, tags, searches, reads.

Both stores are on SQLite in one folder, in WAL mode with synchronous=FULL, with the same models in them. A row is a batch
of calls, so that one figure is worth more than the clock's noise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from benchmarks._harness import compare
from ordinis_learn.records import State
from ordinis_learn.settings import load_settings
from ordinis_registry import Pointers

NAME = "bench_signal"
MODELS = 20
BATCH = 40


def run(*, quick):
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    runs = 3 if quick else 25
    model = _model(folder / "model")
    try:
        ours = OrdinisSqlAlchemyStore(f"sqlite:///{folder / 'ours.db'}", settings=load_settings(home=folder))
        plain = SqlAlchemyStore(f"sqlite:///{folder / 'plain.db'}")
        with plain.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        for store in (ours, plain):
            _fill(store, model)
        for work, batch, call in _calls(model):
            yield compare(
                f"{work}, {batch} times",
                ours=_batches(ours, call, batch),
                reference_name="MLflow's store",
                reference=_batches(plain, call, batch),
                runs=runs,
                units=batch,
            )
        yield from _live(folder, ours, plain, runs=runs)
        ours.engine.dispose()
        plain.engine.dispose()
    finally:
        shutil.rmtree(folder)


def _live(folder, ours, plain, *, runs):
    """What a signal engine asks: which version is live, and for the loaded model."""
    import ordinis_learn

    with ours._change(NAME) as change:  # as after a promotion, whose evidence is not the matter here
        change.put("1", State.ACTIVE)
        change.point(after := Pointers().promoted("1"))
        change.record("rollout.allowed", {"version": "1"}, pointers=after)
    plain.set_registered_model_alias(NAME, "active", "1")

    def by_alias(store, _):
        return store.get_model_version_by_alias(NAME, "active")

    yield compare(
        f"models:/name@active resolved, {BATCH} times",
        ours=_batches(ours, by_alias, BATCH),
        reference_name="MLflow's store, the same alias",
        reference=_batches(plain, by_alias, BATCH),
        runs=runs,
        units=BATCH,
    )
    home = folder / "home"
    (home / "registry_db").mkdir(parents=True)
    os.environ["ORDINIS_HOME"] = str(home)
    ordinis_learn.active_model(NAME)
    yield compare(
        f"ordinis_learn.active_model(name), of a flat model, {BATCH} times",
        ours=lambda _: lambda: [ordinis_learn.active_model(NAME) for _ in range(BATCH)],
        reference_name="MLflow's store, the alias alone",
        reference=_batches(plain, by_alias, BATCH),
        runs=runs,
        units=BATCH,
    )


def _calls(model):
    from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag

    yield "get a model", BATCH, lambda store, _: store.get_registered_model(NAME)
    yield "get a version", BATCH, lambda store, _: store.get_model_version(NAME, "1")
    yield "get a version by alias", BATCH, lambda store, _: store.get_model_version_by_alias(NAME, "nightly")
    yield "latest versions", BATCH, lambda store, _: store.get_latest_versions(NAME, ["Staging"])
    yield "search versions", BATCH, lambda store, _: store.search_model_versions(f"name='{NAME}'")
    yield "search models", BATCH, lambda store, _: store.search_registered_models("name LIKE 'bench%'")
    yield (
        "set a version's tag",
        BATCH,
        lambda store, n: store.set_model_version_tag(NAME, "1", ModelVersionTag("note", str(n))),
    )
    yield (
        "set a model's tag",
        BATCH,
        lambda store, n: store.set_registered_model_tag(NAME, RegisteredModelTag("note", str(n))),
    )
    yield (
        "set an alias that is not governed",
        BATCH,
        lambda store, _: store.set_registered_model_alias(NAME, "nightly", "1"),
    )
    yield (
        "register a version, hashed and recorded",
        10,
        lambda store, _: store.create_model_version(NAME, model),
    )


def _batches(store, call, batch):
    def prepare(_):
        def work():
            for number in range(batch):
                call(store, number)

        return work

    return prepare


def _fill(store, model):
    for number in range(MODELS):
        name = NAME if number == 0 else f"bench_{number}"
        store.create_registered_model(name)
        for _ in range(3):
            store.create_model_version(name, model)
    store.set_registered_model_alias(NAME, "nightly", "1")


def _model(folder):
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  python_function:\n    data: model.ubj\n")
    (folder / "model.ubj").write_bytes(bytes(range(256)) * 800)
    return str(folder)
