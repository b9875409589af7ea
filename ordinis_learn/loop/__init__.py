"""The governed loop, end to end: what ``mlflow run .`` runs."""

from ordinis_learn.loop.governed_loop import GovernedLoop, run_loop
from ordinis_learn.loop.plan import LoopPlan

__all__ = ["GovernedLoop", "LoopPlan", "run_loop"]
