import math

import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation import Judgement, Rival, compete, holm
from ordinis_learn.records import Competition, Scorecard


def test_the_scorecard_names_both_conventions_and_reads_the_first(evaluate, momentum, always_long):
    card = evaluate(momentum, always_long).scorecard
    found = card.statistics
    assert (found.probabilistic_sharpe_2012, found.deflated_sharpe_2012) == (
        card.probabilistic_sharpe,
        card.deflated_sharpe,
    )
    assert "2012" in found.convention
    assert "2025" in found.convention
    assert found.probabilistic_sharpe_2025 != found.probabilistic_sharpe_2012
    assert found.adjusted_p_values == pytest.approx(holm(found.p_values))
    assert Scorecard.model_validate_json(card.model_dump_json()).content_hash() == card.content_hash()


def test_windows_seen_in_training_can_be_refused(evaluate, momentum, make_artifact):
    trained = make_artifact(data_snapshot_ref="core@1", trained_from="2010-01-04", trained_until="2018-12-31")
    assert evaluate(momentum, artifact=trained).scorecard.statistics.overlap == "purge"
    with pytest.raises(EvalFailed, match="overlap the training span"):
        evaluate(momentum, artifact=trained, judgement=Judgement(overlap="refuse"))


def test_latency_is_that_of_the_timer(evaluate, momentum):
    ticks = iter(np.arange(0, 1000.0) * 0.002)
    card = evaluate(momentum, judgement=Judgement(timer=lambda: float(next(ticks)))).scorecard
    assert card.statistics.system["latency_ms_p50"] == pytest.approx(2.0)
    assert card.statistics.system["quarantine_rate"] == 0.0


def test_the_choice_among_versions_is_judged_or_said_to_be_undefined(
    evaluate, momentum, always_long, make_artifact
):
    alone = evaluate(momentum).scorecard
    assert alone.statistics.overfitting is None
    assert "no other version" in alone.metric_quality["overfitting"]
    rival = Rival(artifact=make_artifact(version="1"), model=always_long)
    found = evaluate(momentum, rivals=[rival]).scorecard.statistics.overfitting
    assert found.candidates == ("1", "2")
    assert 0.0 <= found.probability <= 1.0


def test_competing_versions_are_judged_together(momentum, always_long, make_artifact, pack):
    pytest.importorskip("arch")
    rivals = [
        Rival(artifact=make_artifact(version=version), model=model)
        for version, model in (("2", momentum), ("3", always_long))
    ]
    fixed = {
        "benchmark": None,
        "benchmark_ref": None,
        "pack": pack,
        "fee_bps": 1.0,
        "slippage_bps": 5.0,
        "seed": 7,
        "clock": lambda: "2026-01-01T00:00:00Z",
        "code_commit": "c0ffee",
        "draws": 199,
    }
    found = compete(rivals, **fixed)
    assert found.p_lower <= found.p_consistent <= found.p_upper
    assert [one.subject.version for one in found.contenders] == ["2", "3"]
    assert all(one.adjusted_p_value >= one.p_value for one in found.contenders)
    assert not math.isnan(found.overfitting.probability)
    assert Competition.model_validate_json(found.model_dump_json()).content_hash() == found.content_hash()
    with pytest.raises(ConfigInvalid, match="two or more"):
        compete(rivals[:1], **fixed)
