"""The governed loop, end to end, on real prices and a simulated desk.

Each step calls what a user would call: the engine's five calls, the use cases behind the command line, and for
stage transitions a stock ``MlflowClient``, so that the gate is met where everybody else meets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from ordinis_learn.engine import LearningEngine
from ordinis_learn.loop.display import Display
from ordinis_learn.loop.plan import LoopPlan, keep_to_one_desk
from ordinis_learn.loop.promotion import StockClient
from ordinis_learn.loop.summary import (
    SERVER_PAGES,
    changes_of_active,
    show_drift,
    show_scorecard,
    show_summary,
)
from ordinis_learn.market import PriceHistory, load_sp500, replay
from ordinis_learn.records import Actor, ModelArtifact, Role, State
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.checkpoint import write_checkpoint
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.generate_pack import generate_bench_pack, pack_spec
from ordinis_learn.use_cases.refusals import refused_rules
from ordinis_learn.use_cases.shadow import shadow
from ordinis_learn.use_cases.sign import create_identity, reference
from ordinis_learn.wiring import open_engine, registry_uri, tracking_uri

__all__ = ["GovernedLoop", "run_loop"]


def run_loop(plan: LoopPlan, **overrides: Any) -> None:
    """Run the loop under ``ORDINIS_HOME`` and print what happened.

    Running it again in the same home captures nothing twice and asks again for a new candidate.
    """
    with open_engine(**overrides) as engine:
        GovernedLoop(plan, engine=engine, display=Display(), history=load_sp500()).run()


class GovernedLoop:
    """One pass over a price history: capture, data, baseline, candidate, verdicts, records.

    Parameters
    ----------
    plan : LoopPlan
        When what happens.
    engine : LearningEngine
    display : Display
    history : PriceHistory
        What the simulated desk trades on; it must reach to the plan's last date.
    """

    def __init__(
        self, plan: LoopPlan, *, engine: LearningEngine, display: Display, history: PriceHistory
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._bench = engine.workbench
        self._display = display
        self._history = history
        settings = self._bench.settings
        self._client = StockClient(
            tracking_uri=tracking_uri(settings), registry_uri=registry_uri(settings), display=display
        )
        self._artifacts: list[ModelArtifact] = []

    def run(self) -> None:
        """Run every step in order; a refusal is a result and does not stop the loop."""
        plan = self._plan
        keep_to_one_desk(self._bench.settings.home / "data" / "loop.json", plan)
        events = _Resumable(replay(self._history, seed=plan.seed))
        self._capture(
            events, until=plan.first_shadow[0], title=f"Replay and capture 1990 to {plan.pack_end:%Y}"
        )
        ref = self._build_dataset()
        self._generate_pack()
        self._baseline(events)
        self._candidate(events, ref)
        if plan.drift[1] > plan.second_shadow[1]:
            self._capture(events, until=_after(plan.drift[1]), title="Replay what came after")
        self._look_back(ref)

    def _capture(self, events: _Resumable, *, until: date, title: str) -> None:
        with self._display.step(title), self._display.bar("events", total=0) as progress:
            task = progress.task_ids[0]
            taken = _counted(events.before(until), lambda n: progress.update(task, completed=n, total=None))
            receipt = self._bench.recorder.record_events(taken, batch_size=5_000)
            self._display.say(
                f"{receipt.accepted:,} events stored, {receipt.duplicates:,} seen before, "
                f"{receipt.quarantined} quarantined"
            )

    def _build_dataset(self) -> str:
        plan = self._plan
        with self._display.step("Label signals and build a dataset, checked by Great Expectations"):
            window = {
                "start": plan.train_start,
                "end": plan.train_end,
                "horizons": [1, 5, 20],
                "calendar": plan.calendar,
            }
            ref = self._engine.build_dataset(plan.dataset_id, window)
            manifest = self._bench.catalogue.dataset(ref)
            self._display.say(f"{ref}: {manifest.rows:,} rows, {len(manifest.feature_names)} features")
            for horizon, stats in sorted(manifest.label_stats.items(), key=lambda item: int(item[0][:-1])):
                self._display.say(
                    f"{horizon:>4}: {stats.labelled:,} labels, worth {stats.effective_samples:,.0f} "
                    "that do not overlap in time"
                )
            self._display.good(manifest.validation.summary)
        return ref

    def _generate_pack(self) -> None:
        plan = self._plan
        with self._display.step(f"Generate benchmark pack {plan.pack_id}"):
            spec = pack_spec(self._bench.settings, pack_id=plan.pack_id, seed=plan.seed, end=plan.pack_end)
            pack = generate_bench_pack(self._bench, spec)
            stress = [window.stress for window in pack.windows if window.stress]
            self._display.say(
                f"{len(pack.windows)} windows, {pack.start} to {pack.end}; stress: {', '.join(stress)}"
            )

    def _baseline(self, events: _Resumable) -> None:
        """Put the desk's own rule through the policy's rules for a first model."""
        plan, display = self._plan, self._display
        with display.step("The first version: the desk's own rule, registered as a model"):
            if self._bench.registry.active_version(plan.model) is not None:
                display.say("a version is ACTIVE already in this home; the first version's steps are skipped")
                return
            rule = self._engine.train({"name": plan.model, "model": "rule", "seed": plan.seed})
            self._artifacts.append(rule)
            show_scorecard(display, self._engine.evaluate(rule.artifact_id, plan.pack_id))
            self._client.ask(rule, State.SHADOW)
            display.say("ask for active at once, without approval or shadow period:")
            self._client.ask(rule, State.ACTIVE)
        self._capture(
            events, until=_after(plan.first_shadow[1]), title="Replay the later sessions, for the shadow run"
        )
        with display.step("The first version: shadow run, approval by a second identity, promotion"):
            self._shadow(rule, plan.first_shadow)
            self._approve(rule)
            self._client.ask(rule, State.ACTIVE)

    def _candidate(self, events: _Resumable, ref: str) -> None:
        """Train a candidate and have it judged against the active version on the numbers."""
        plan, display = self._plan, self._display
        with display.step(f"The candidate: train xgboost, best of {plan.trials} trials, purged walk-forward"):
            trained = self._engine.train(
                {
                    "name": plan.model,
                    "model": "xgboost",
                    "dataset": ref,
                    "horizon_sessions": 5,
                    "train_until": plan.train_end,
                    "trials": plan.trials,
                    "rounds": plan.rounds,
                    "seed": plan.seed,
                }
            )
            self._artifacts.append(trained)
            display.say(
                f"{trained.name} v{trained.version}, run {trained.run_id}, {trained.trials} models tried"
            )
        self._capture(events, until=_after(plan.second_shadow[1]), title="Replay the last sessions")
        with display.step("The candidate, judged against the version to beat"):
            show_scorecard(display, self._engine.evaluate(trained.artifact_id, plan.pack_id))
            if self._client.ask(trained, State.SHADOW):
                self._shadow(trained, plan.second_shadow)
                self._ask_with_approval(trained)

    def _ask_with_approval(self, trained: ModelArtifact) -> None:
        """Model risk approves only what already passes on the numbers."""
        if self._client.ask(trained, State.ACTIVE):
            return
        if refused_rules(self._bench, trained) == {"approvals"}:
            self._approve(trained)
            self._client.ask(trained, State.ACTIVE)

    def _shadow(self, artifact: ModelArtifact, sessions: tuple[date, date]) -> None:
        report = shadow(self._bench, artifact.artifact_id, start=sessions[0], end=sessions[1])
        self._display.say(
            f"shadow {sessions[0]} to {sessions[1]}: {report.sessions} sessions, {report.decisions} decisions, "
            f"parity {report.parity_max_abs_diff:g}, errors {report.errors}"
        )

    def _approve(self, artifact: ModelArtifact) -> None:
        name = self._plan.approver
        if not self._bench.keys.exists(name):
            actor = Actor(name=self._bench.settings.actor, kind="claimed")
            create_identity(self._bench, name, roles=(Role.APPROVER,), actor=actor)
        approval = answer_request(
            self._bench,
            reference(artifact),
            target=State.ACTIVE,
            answer="approve",
            identity=name,
            comment="numbers and shadow report read",
        )
        self._display.say(
            f"{name} approved evidence {approval.evidence_hash[:12]}… (a key of this demonstration)"
        )

    def _look_back(self, ref: str) -> None:
        plan, display, bench = self._plan, self._display, self._bench
        with display.step("Drift of the last year against the training data"):
            report = check_model_drift(
                bench, plan.model, dataset=ref, start=plan.drift[0], end=plan.drift[1], seed=plan.seed
            )
            show_drift(display, report)
        with display.step("The ledger"):
            faults = bench.ledger.verify()
            for record in bench.ledger.history(plan.model):
                display.say(
                    f"{record.sequence:>3}  {record.action:<22} {record.actor.name:<12} {record.hash[:12]}"
                )
            for fault in faults:
                display.refused(fault)
            if not faults:
                display.good("every hash verifies")
                write_checkpoint(bench)
            for moment, version in changes_of_active(bench.ledger.history(plan.model)):
                display.say(
                    f"from {moment:%Y-%m-%d %H:%M:%S}Z: {f'v{version} ACTIVE' if version else 'flat'}"
                )
        show_summary(
            display,
            bench,
            plan=plan,
            artifacts=self._artifacts,
            study_page=self._client.study_page(SERVER_PAGES),
        )


class _Resumable:
    """A stream of events in time order that can be taken up to a session, and on from there later."""

    def __init__(self, events: Iterable[dict[str, Any]]) -> None:
        self._events = iter(events)
        self._held: dict[str, Any] | None = None

    def before(self, session: date) -> Iterator[dict[str, Any]]:
        """Yield events whose ``ts_event`` lies before midnight UTC of a session."""
        limit = datetime.combine(session, time(), UTC).isoformat()
        if self._held is not None:
            held, self._held = self._held, None
            yield held
        for event in self._events:
            if event["ts_event"] >= limit:
                self._held = event
                return
            yield event


def _counted(
    events: Iterable[dict[str, Any]], report: Any, *, every: int = 2_000
) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(events, start=1):
        if number % every == 0:
            report(number)
        yield event


def _after(session: date) -> date:
    return date.fromordinal(session.toordinal() + 1)
