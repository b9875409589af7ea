"""What triple-barrier labels must look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ordinis_learn.datasets.expectations import Expectation
from ordinis_learn.datasets.extremes import ExtremeRule
from ordinis_learn.datasets.label_rules import one_class
from ordinis_learn.datasets.rules import above, absurd, inconsistent, midnight, missing, none, unknown
from ordinis_learn.labelling import LabelStatus
from ordinis_learn.records import BarrierRule

__all__ = ["BARRIER_SCHEMA", "barrier_rules"]

BARRIER_SCHEMA: Final = {
    "tb_label": "int8",
    "meta_label": "int8",
    "tb_ret": "double",
    "tb_sessions": "int32",
    "tb_end": "date32[day]",
    "tb_available_at": "timestamp[us, tz=UTC]",
    "tb_status": "string",
    "tb_uniqueness": "double",
}
_FACTS: Final = ("tb_label", "tb_ret", "tb_sessions", "tb_end", "tb_available_at", "tb_uniqueness")
"""What is there where there is a label, and nowhere else."""


def barrier_rules(barriers: BarrierRule, *, horizons: Sequence[int]) -> Iterator[Expectation]:
    """Return what is expected of the labels of one rule; horizons are those of the other labels, in sessions."""
    yield Expectation(name="no_labels(tb)", measure="count(tb_label)", columns=("tb_label",), low=1)
    yield one_class("tb", returns="tb_ret")
    yield _coded("tb_label", low=-1)
    yield _coded("meta_label", low=0)
    yield absurd("tb_ret", low=-10.0, high=10.0)
    yield absurd("tb_sessions", low=1, high=barriers.sessions)
    yield absurd("tb_uniqueness", low=above(0.0), high=1.0)
    yield none("look_ahead(tb_end)", "tb_end <= session", columns=("tb_end", "session"))
    known = "tb_available_at"
    yield none(f"look_ahead({known})", f"{known} <= ts_signal", columns=(known, "ts_signal"))
    yield none(f"backwards({known})", f"epoch_us({known}) < {midnight('tb_end')}", columns=(known, "tb_end"))
    yield from _agreement(horizons)


def _agreement(horizons: Sequence[int]) -> Iterator[Expectation]:
    # The touch lies on one of the sessions that the other labels begin and end on, or between two of them.
    dates = [f"tb_end <= label_start_{horizon}d" for horizon in horizons]
    dates += [f"(tb_sessions <= {h}) <> (tb_end <= label_end_{h}d)" for h in horizons]
    named = tuple(f"{name}_{h}d" for h in horizons for name in ("label_start", "label_end"))
    yield inconsistent("tb_end", " OR ".join(dates), columns=("tb_sessions", *named))
    yield inconsistent("tb_label", "tb_label * tb_ret < 0", columns=("tb_ret",))
    torn = (
        "meta_label <> (tb_ret > 0)::TINYINT OR (meta_label IS NULL) <> (tb_label IS NULL OR direction = 0)"
    )
    yield inconsistent("meta_label", torn, columns=("tb_label", "tb_ret", "direction"))
    yield missing("tb_status")
    yield unknown("tb_status", tuple(LabelStatus))
    torn = " OR ".join(f"(tb_status = '{LabelStatus.LABELLED}') <> ({name} IS NOT NULL)" for name in _FACTS)
    yield inconsistent("tb_status", torn, columns=_FACTS)


def _coded(column: str, *, low: int) -> Expectation:
    rule = ExtremeRule(kind="within", column=column, low=low, high=1)
    return Expectation(name=f"unknown({column})", rule=rule, columns=(column,), high=0)
