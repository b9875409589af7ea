from datetime import UTC, date, datetime

import numpy as np
import pytest

from ordinis_learn.bench import Pack, PackSpec, generate_pack
from ordinis_learn.evaluation import Judgement, evaluate_model
from ordinis_learn.market import PriceHistory, load_sp500
from ordinis_learn.models import Predictions
from ordinis_learn.records import DECLARED, ModelArtifact, ModelRef

DIGEST = "a" * 64


class SignModel:
    """Long where a score of the features is positive, short where it is negative."""

    kind = "sign"
    horizon_sessions = 5

    def __init__(self, score, *, feature_names=("ret_1", "mom_126")):
        self._score = score
        self.feature_names = feature_names

    def predict(self, features):
        score = self._score(features)
        return Predictions(
            direction=np.sign(score).astype(np.int8),
            confidence=np.full(len(score), 0.5),
            expected_return=np.full(len(score), np.nan),
        )

    def save(self, folder):
        raise NotImplementedError(folder)


@pytest.fixture(scope="session")
def sign_model():
    return SignModel


@pytest.fixture(scope="session")
def always_long():
    return SignModel(lambda features: np.ones(len(features)))


@pytest.fixture(scope="session")
def momentum():
    return SignModel(lambda features: np.maximum(features[:, 1], 0.0))


@pytest.fixture(scope="session")
def pack():
    history = load_sp500()
    few = PriceHistory(
        sessions=history.sessions,
        symbols=history.symbols[:4],
        close=history.close[:, :4],
        index_close=history.index_close,
    )
    manifest, prices = generate_pack(few, PackSpec(end=date(2021, 12, 31), years_lookback=5, windows=16))
    return Pack(manifest=manifest, history=prices)


@pytest.fixture(scope="session")
def make_artifact():
    def make(**fields):
        known = {
            "artifact_id": "art-2",
            "model_type": "signal_model",
            "version": "2",
            "path_ref": "models:/m/2",
            "metrics": {},
            "created_at": "2026-01-01T00:00:00Z",
            "data_snapshot_ref": DECLARED,
            "name": "m",
            "code_commit": "c0ffee",
            "code_dirty": False,
            "config_hash": DIGEST,
            "env_hash": DIGEST,
            "artifact_sha256": DIGEST,
            "seed": 1,
        }
        return ModelArtifact(**(known | fields))

    return make


@pytest.fixture(scope="session")
def evaluate(pack, make_artifact):
    def run(subject, baseline=None, *, artifact=None, **changes):
        arguments = {
            "subject_ref": ModelRef(name="m", version="2", artifact_sha256=DIGEST),
            "baseline": baseline,
            "baseline_ref": ModelRef(name="m", version="1", artifact_sha256=DIGEST) if baseline else None,
            "pack": pack,
            "artifact": artifact or make_artifact(),
            "fee_bps": 1.0,
            "slippage_bps": 5.0,
            "seed": 7,
            "clock": lambda: datetime(2026, 1, 1, tzinfo=UTC),
            "code_commit": "c0ffee",
            "judgement": Judgement(draws=199),
        }
        return evaluate_model(subject, **(arguments | changes))

    return run
