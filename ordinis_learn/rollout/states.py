"""The four states of a model version, the stage names people type for them, and the moves between.

Forward goes one step at a time, CANDIDATE → SHADOW → ACTIVE, each step through the gate. Retiring is
allowed from every other state and asks nobody. A retired version may come back as SHADOW: it then passes the same
gates as a new one. Rollback is not among the moves: it swaps the active pointer to a version that
has been ACTIVE before, and belongs to the registry.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ordinis_learn.errors import ConfigInvalid, RolloutDenied
from ordinis_learn.records import State
from ordinis_learn.rollout.lookalikes import skeleton
from ordinis_learn.rollout.names import fold_name

__all__ = [
    "ALLOWED_MOVES",
    "GOVERNED_ALIASES",
    "MLFLOW_STAGES",
    "check_move",
    "fold_name",
    "is_governed_alias",
    "mlflow_stage",
    "parse_stage",
]

MLFLOW_STAGES: Final = MappingProxyType(
    {
        State.CANDIDATE: "None",
        State.SHADOW: "Staging",
        State.ACTIVE: "Production",
        State.RETIRED: "Archived",
    }
)

ALLOWED_MOVES: Final = MappingProxyType(
    {
        State.CANDIDATE: frozenset({State.SHADOW, State.RETIRED}),
        State.SHADOW: frozenset({State.ACTIVE, State.RETIRED}),
        State.ACTIVE: frozenset({State.RETIRED}),
        State.RETIRED: frozenset({State.SHADOW}),
    }
)

GOVERNED_ALIASES: Final = frozenset({"shadow", "active", "last_known_good"})

_BY_NAME: Final = MappingProxyType(
    {state.value.casefold(): state for state in State}
    | {stage.casefold(): state for state, stage in MLFLOW_STAGES.items()}
)


def parse_stage(text: str) -> State:
    """Read a stage name: one of ours or one of MLflow's, in any case.

    Raises
    ------
    ConfigInvalid
        The name is neither.

    Examples
    --------
    >>> parse_stage("shadow"), parse_stage("Production")
    (<State.SHADOW: 'SHADOW'>, <State.ACTIVE: 'ACTIVE'>)
    """
    state = _BY_NAME.get(text.strip().casefold()) if isinstance(text, str) else None
    if state is None:
        ours = ", ".join(state.value.lower() for state in State)
        theirs = ", ".join(MLFLOW_STAGES.values())
        raise ConfigInvalid(
            "read a stage name",
            found=f"{text!r}",
            next_step=f"give one of {ours}, or one of MLflow's {theirs}",
            stage=text,
        )
    return state


def mlflow_stage(state: State) -> str:
    """Return MLflow's name for a state.

    Examples
    --------
    >>> mlflow_stage(State.ACTIVE)
    'Production'
    """
    return MLFLOW_STAGES[state]


def check_move(from_state: State, to_state: State) -> None:
    """Refuse a change of state that no evidence could justify.

    Raises
    ------
    RolloutDenied
        The move is not in :data:`ALLOWED_MOVES`; the message lists those that are.
    """
    allowed = ALLOWED_MOVES[from_state]
    if to_state in allowed:
        return
    options = " or ".join(state.value.lower() for state in State if state in allowed)
    raise RolloutDenied(
        f"move from {from_state.value} to {to_state.value}",
        found="it is there already" if from_state is to_state else "that is not a step of the life cycle",
        next_step=f"from {from_state.value} ask for {options}",
        from_state=from_state.value,
        to_state=to_state.value,
    )


def is_governed_alias(alias: str | None) -> bool:
    """Tell whether an alias follows the state, or looks as if: nobody may set it by hand; no alias does not.

    Examples
    --------
    >>> is_governed_alias("Active "), is_governed_alias("аctive"), is_governed_alias("champion")
    (True, True, False)
    """
    return alias is not None and not GOVERNED_ALIASES.isdisjoint({fold_name(alias), skeleton(alias)})
