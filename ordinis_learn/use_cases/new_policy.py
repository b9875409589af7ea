"""Begin a policy for models that carry no evidence of ours: a metric of the MLflow run, and a second person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.rollout.policy import Policy, load_policy
from ordinis_learn.settings import Settings

__all__ = ["Bound", "begin_policy", "policy_text"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a metric of the run must reach.

    Attributes
    ----------
    metric : str
        As logged with ``mlflow.log_metric``.
    at_least, at_most : float, optional
        One of them, in the metric's own unit; says which direction is better.
    better_by : float, optional
        How much better than the active version's it must be; default 0, no worse.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    better_by: float = 0.0


def begin_policy(
    policy_id: str,
    *,
    names: Sequence[str],
    bound: Bound | None,
    approvals: int,
    settings: Settings,
) -> tuple[Path, Policy]:
    """Write ``ORDINIS_HOME/policies/<policy_id>.yaml``, once it has been seen to load.

    Raises
    ------
    ConfigInvalid
        The file is there already, or what was asked for is no policy.
    """
    asked = f"begin the policy {policy_id!r}"
    if bound is not None and (bound.at_least is None) == (bound.at_most is None):
        raise ConfigInvalid(
            asked,
            found=f"--metric {bound.metric} with {'both bounds' if bound.at_least is not None else 'no bound'}",
            next_step="give --at-least where more is better, or --at-most where less is",
        )
    text = policy_text(policy_id, names=names, bound=bound, approvals=approvals)
    with TemporaryDirectory() as folder:
        (Path(folder) / f"{Path(policy_id).name}.yaml").write_text(text, encoding="utf-8")
        policy = load_policy(policy_id, settings=settings, folder=Path(folder))
    path = settings.home / "policies" / f"{policy_id}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigInvalid(
            asked,
            found=f"{path} is there already",
            next_step="edit it as long as it has not decided, or give the new one another id",
        ) from error
    return path, policy


def policy_text(policy_id: str, *, names: Sequence[str], bound: Bound | None, approvals: int) -> str:
    """Return the policy as YAML with the reasons beside the rules."""
    over, absolute = _bounds(bound)
    approved = f"        - approvals: {{count: {approvals}, max_age_days: 30}}  # signed; not by who asks or ran the run\n"
    return f"""\
# Once this policy has decided, its content does not change: begin another one.
schema_version: "1.0.0"
policy_id: {policy_id}
description: {"a metric of the run, and " if bound else ""}{approvals} approval{"" if approvals == 1 else "s"} before a version is active

# Shell patterns, compared without case. Models of other names stay as free as in plain MLflow.
governs: {{names: {json.dumps(list(names))}}}

# The rules of every type of model. ordinis-learn schema export Policy lists what else can be asked for.
rules:
  any:
    shadow:
      default: &intact
        - artifact_intact: {{attested: false}}  # the bytes that were registered; nobody has to sign how they were made
        - evidence_verified
      first_model: *intact
    active:
      # Against the version that is active now, or was last.
      default:
        - artifact_intact: {{attested: false}}
        - evidence_verified
{over}{approved}\
      # Where none ever was.
      first_model:
        - artifact_intact: {{attested: false}}
        - evidence_verified
{absolute}{approved}"""


def _bounds(bound: Bound | None) -> tuple[str, str]:
    """Return the rule over the incumbent and the absolute one; a bound that is better when higher asks at least."""
    if bound is None:
        return "", ""
    name = json.dumps(bound.metric)
    if bound.at_least is not None:
        over, absolute = f"at_least: {bound.better_by}", f"at_least: {bound.at_least}"
    else:
        over, absolute = f"at_most: {-bound.better_by}", f"at_most: {bound.at_most}"
    return (
        f"        - run_metric: {{name: {name}, {over}, over: incumbent}}\n",
        f"        - run_metric: {{name: {name}, {absolute}}}\n",
    )
