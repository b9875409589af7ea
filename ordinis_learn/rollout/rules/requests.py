"""Who is asking, and how we know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, failed, passed

__all__ = ["REQUESTER_KIND"]


class Kinds(Params):
    """The kinds of identity whose requests are heard."""

    kinds: Annotated[
        list[Literal["claimed", "os_user", "authenticated", "signed"]], Field(min_length=1, max_length=4)
    ]


def _judge(context: Context, params: Kinds) -> Finding:
    found = f"{context.requester.name} is {context.requester.kind}"
    if context.requester.kind in params.kinds:
        return passed(found)
    return failed(found, "sign in where MLflow's auth app is on, and ask again")


REQUESTER_KIND = Rule(
    name="requester_kind",
    params=Kinds,
    asked=lambda params: f"the requester is {' or '.join(params.kinds)}",
    judge=_judge,
    source="request",
)
