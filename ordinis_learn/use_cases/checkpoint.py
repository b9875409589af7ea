"""Write a signed checkpoint of the ledger."""

from __future__ import annotations

from typing import Any

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Actor, Role
from ordinis_learn.use_cases.sign import create_identity
from ordinis_learn.workbench import WITNESS_IDENTITY, Workbench

__all__ = ["write_checkpoint"]


def write_checkpoint(bench: Workbench) -> Any:
    """Sign all heads as the witness and append them to the ledger's target.

    The witness' key is made on first use; from then on the store writes a checkpoint after each promotion and
    rollback by itself. In the ``prod`` profile an operator makes the key.
    """
    if not bench.keys.exists(WITNESS_IDENTITY):
        if bench.settings.profile == "prod":
            raise ConfigInvalid(
                "write a checkpoint of the ledger",
                found=f"no key {WITNESS_IDENTITY}, and profile prod does not make one by itself",
                next_step=f"ordinis-learn keys create {WITNESS_IDENTITY} --role witness",
            )
        actor = Actor(name=bench.settings.actor, kind="claimed")
        create_identity(bench, WITNESS_IDENTITY, roles=(Role.WITNESS,), actor=actor)
    return bench.ledger.checkpoint(at=bench.clock(), signer=bench.keys.signer(WITNESS_IDENTITY))
