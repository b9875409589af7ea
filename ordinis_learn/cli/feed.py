"""The options of commands that read events of an older shape, and the recorder they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ordinis_learn.capture.adapter import BatchRecorder
    from ordinis_learn.capture.recorder import CaptureReceipt
    from ordinis_learn.workbench import Workbench

__all__ = ["feed_options", "recorder_for", "show_receipt"]


def _pairs(_context: click.Context, _option: click.Parameter, tags: Sequence[str]) -> dict[str, str]:
    pairs = dict(tag.split("=", 1) for tag in tags if "=" in tag)
    if len(pairs) < len(tags):
        raise click.BadParameter("write NAME=VALUE, each name once")
    return pairs


def _horizon(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*[dhm]", value, flags=re.ASCII):
        raise click.BadParameter("write a number and d, h or m, as in 5d")
    return value


_OPTIONS = (
    click.option("--adapter", metavar="NAME", help="Read events of an older shape: ordinis-legacy."),
    click.option(
        "--naive-utc",
        multiple=True,
        metavar="SOURCE",
        help="With --adapter: times of this source without an offset are UTC. Repeatable.",
    ),
    click.option(
        "--tag",
        multiple=True,
        callback=_pairs,
        metavar="NAME=VALUE",
        help="With --adapter: a tag that the events lack, as in venue=paper. Repeatable.",
    ),
    click.option(
        "--horizon",
        metavar="H",
        default="1d",
        callback=_horizon,
        help="With --adapter: of signals that carry none.",
    ),
)


def feed_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that declare what old events do not say."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def recorder_for(
    bench: Workbench, *, adapter: str | None, naive_utc: Sequence[str], tag: Mapping[str, str], horizon: str
) -> BatchRecorder:
    """Return the workbench's recorder, with an adapter before it where one is named."""
    if adapter is None:
        return bench.recorder
    from ordinis_learn.capture.adapter import AdaptingRecorder  # noqa: PLC0415  pydantic, for this option only
    from ordinis_learn.capture.adapter import adapter as adapter_named  # noqa: PLC0415
    from ordinis_learn.capture.adapter_legacy import LegacyFeed  # noqa: PLC0415

    unknown = LegacyFeed().tags | {"env": bench.settings.profile}
    feed = LegacyFeed(naive_utc_sources=frozenset(naive_utc), tags={**unknown, **tag}, horizon=horizon)
    return AdaptingRecorder(
        bench.recorder,
        bench.log,
        adapt=adapter_named(adapter, feed=feed),
        enabled=bench.settings.learn_enable,
    )


def show_receipt(receipt: CaptureReceipt) -> None:
    """Print what became of the events."""
    click.echo(
        f"{receipt.accepted} stored, {receipt.duplicates} seen before, {receipt.quarantined} quarantined"
    )
    for code, count in sorted(receipt.reasons.items()):
        click.echo(f"  {code}: {count}; next: ordinis-learn events quarantine")
