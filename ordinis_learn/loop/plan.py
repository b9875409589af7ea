"""When what happens: the dates that keep judging apart from training."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Record

__all__ = ["LoopPlan", "keep_to_one_desk"]


class LoopPlan(Record):
    """The loop's timeline; each stretch of sessions is used for one purpose.

    ======================  =======================================================
    1991 .. 2006            signals that the candidate is trained on
    2007 .. 2021            ``bench_core_v1``: windows and stress periods, unseen
    first half of 2022      shadow run of version 1 (the rule)
    second half of 2022     shadow run of the candidate, beside the active rule
    2022                    drift check against the training data
    ======================  =======================================================

    The dates were fixed before anything was measured: fifteen years of lookback is the specification's default,
    and it leaves the crises of 2008 and 2020 out of the candidate's training data.
    """

    seed: int = 7
    trials: int = Field(8, ge=1)
    rounds: int = Field(200, ge=1)
    model: str = "sp500_signal"
    dataset_id: str = "sp500_core"
    calendar: str = "XNYS"
    pack_id: str = "bench_core_v1"
    approver: str = "model-risk"
    train_start: date = date(1991, 1, 2)
    train_end: date = date(2006, 12, 29)
    pack_end: date = date(2021, 12, 31)
    first_shadow: tuple[date, date] = (date(2022, 1, 3), date(2022, 6, 30))
    second_shadow: tuple[date, date] = (date(2022, 7, 1), date(2022, 12, 28))
    drift: tuple[date, date] = (date(2022, 1, 3), date(2022, 12, 28))


def keep_to_one_desk(marker: Path, plan: LoopPlan) -> None:
    """Refuse a second simulated desk in a home: its events would stand beside those of the first.

    Raises
    ------
    ConfigInvalid
        The home's loop ran with another seed.
    """
    if marker.is_file():
        before = LoopPlan.model_validate_json(marker.read_text(encoding="utf-8"))
        if before.seed != plan.seed:
            raise ConfigInvalid(
                f"run the loop with seed {plan.seed} in {marker.parent.parent}",
                found=f"the desk of seed {before.seed} was captured there",
                next_step=f"use --seed {before.seed}, or another folder with --home",
            )
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(plan.model_dump_json(indent=2), encoding="utf-8")
