"""A rehearsed rollback: on a copy, measured, and honest about what would not work."""

from __future__ import annotations

import itertools

import pytest

from ordinis_learn.errors import StoreUnavailable
from ordinis_mlflow.drill import RegistryRehearsal

MODEL = "sp500_signal"


def rehearse(desk, url=None):
    ticks = itertools.count()
    rehearsal = RegistryRehearsal(
        f"ordinis+{url or desk.url}",
        tracking_uri=desk.url,
        settings=desk.settings,
        clock=desk.clock,
        seconds=lambda: float(next(ticks)),
    )
    return rehearsal([MODEL])[0]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_it_says_where_a_rollback_would_go_and_leaves_the_registry_as_it_is(request, make_desk, kind):
    desk = make_desk(url=request.getfixturevalue("postgres") if kind == "postgresql" else None)
    first, second = desk.register(), desk.register()
    desk.promote(first)
    desk.promote(second)
    before = [record.hash for record in desk.ledger.history(MODEL)]
    result = rehearse(desk)
    assert (result.from_version, result.to_version, result.works, result.seconds) == (
        second,
        first,
        True,
        1.0,
    )
    assert desk.active() == second
    assert [record.hash for record in desk.ledger.history(MODEL)] == before
    assert not desk.settings.checkpoints_path.exists()
    (desk.address(first) / "data" / "bundle" / "model.json").write_text("changed")
    result = rehearse(desk)
    assert not result.works
    assert result.unfit == (f"v{first}: its bytes are not what was registered",)
    assert desk.active() == second


def test_a_model_without_a_last_known_good_would_go_flat(desk):
    desk.promote(desk.register())
    result = rehearse(desk)
    assert (result.to_version, result.works, result.error) == (None, False, "")


@pytest.mark.parametrize("url", ["sqlite:////no/such/registry.db", "postgresql://nobody@127.0.0.1:1/x"])
def test_a_registry_that_cannot_be_copied_is_named(desk, url):
    with pytest.raises(StoreUnavailable, match="for a drill"):
        rehearse(desk, url)
