"""Let registered versions of one name compete on a pack, against the version to beat."""

from __future__ import annotations

from collections.abc import Sequence

from ordinis_learn.bench import load_pack
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation import Rival, compete
from ordinis_learn.evaluation.purging import Overlap
from ordinis_learn.models import load_bundle
from ordinis_learn.records import Competition, ModelArtifact, ModelType
from ordinis_learn.use_cases.evaluate import FEE_BPS, SLIPPAGE_BPS, trading_limits
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.use_cases.sign import reference
from ordinis_learn.workbench import Workbench

__all__ = ["compete_versions"]


def compete_versions(
    bench: Workbench,
    name: str,
    versions: Sequence[str],
    pack_id: str,
    *,
    seed: int = 7,
    overlap: Overlap = "purge",
) -> Competition:
    """Judge versions together and log the answer as a run; nothing is attached to them and no gate reads it.

    The benchmark is the version to beat (ACTIVE, or while flat the one that was last), and cash where it is
    among the competitors or where there is none.

    Raises
    ------
    ArtifactMissing, BenchDataMissing
        A version or the pack is not there.
    ConfigInvalid
        Fewer than two versions, one that is no signal model, or the package ``arch`` is missing.
    EvalFailed
        No window is left that none of them has seen.
    """
    artifacts = [find_artifact(bench, name, version) for version in versions]
    _refuse_other_types(artifacts)
    pack = load_pack(bench.settings.bench_dir, pack_id)
    beaten = bench.registry.incumbent(name)
    known = None if beaten is None or beaten in versions else find_artifact(bench, name, beaten)
    with bench.tracker.start_run(f"compete {name} v{', v'.join(versions)} on {pack_id}") as run:
        competition = compete(
            [
                Rival(artifact=one, model=load_bundle(bench.registry.local_path(name, one.version)))
                for one in artifacts
            ],
            benchmark=None if known is None else load_bundle(bench.registry.local_path(name, known.version)),
            benchmark_ref=None if known is None else reference(known),
            pack=pack,
            fee_bps=FEE_BPS,
            slippage_bps=SLIPPAGE_BPS,
            seed=seed,
            clock=bench.clock,
            code_commit=bench.provenance().code_commit,
            overlap=overlap,
            limits=trading_limits(bench.settings),
        )
        run.log_metrics({"spa_p_consistent": competition.p_consistent})
        run.set_tags({"ordinis.pack": pack_id, "ordinis.pack_hash": competition.pack_hash})
        run.log_json(competition.to_json(), path="competition.json")
    return competition


def _refuse_other_types(artifacts: Sequence[ModelArtifact]) -> None:
    others = [one for one in artifacts if one.model_type is not ModelType.SIGNAL_MODEL]
    if others:
        raise ConfigInvalid(
            f"let versions of {others[0].name!r} compete",
            found=f"version {others[0].version} is a {others[0].model_type}",
            next_step="compete with signal models; other types are compared one by one",
        )
