"""Load a model bundle: a folder that holds one signal model, without pickle.

A bundle names its *kind*, never code: the kind is looked up in a fixed table, and the files beside the header
must be the ones it hashed. Whether header and files are the ones that were registered is the registry's
question (``records.tree_sha256``); it is not asked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.models.base import SignalModel
from ordinis_learn.models.bundle_files import check_files
from ordinis_learn.models.header import BundleHeader, bundle_format, read_header
from ordinis_learn.models.rule import RuleModel

__all__ = ["load_bundle"]

_EMBEDS: Final = "ordinis.embed_model/"
_RESTORE: Final = "restore the folder from the run's artifacts, or train again with ordinis-learn train"


def _load_rule(folder: Path, header: BundleHeader) -> SignalModel:
    try:
        return RuleModel.from_header(header)
    except (ValidationError, ConfigInvalid) as error:
        found = str(error).splitlines()[-1].strip()
        raise DataCorrupt(f"load the rule in {folder}", found=found, next_step=_RESTORE) from error


def _load_xgboost(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models._xgboost import XGBoostSignalModel  # noqa: PLC0415  xgboost takes a second to import

    return XGBoostSignalModel.load(folder, header)


def _load_xgboost_classes(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models._xgboost_classes import XGBoostClassModel  # noqa: PLC0415  as above

    return XGBoostClassModel.load(folder, header)


def _load_network(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models.network import NetworkModel  # noqa: PLC0415  not every desk has one

    return NetworkModel.load(folder, header)


def _load_sequence(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models.sequence import SequenceModel  # noqa: PLC0415  not every desk has one

    return SequenceModel.load(folder, header)


def _load_class_network(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models.class_networks import NetworkClassModel  # noqa: PLC0415  not every desk has one

    return NetworkClassModel.load(folder, header)


def _load_class_sequence(folder: Path, header: BundleHeader) -> SignalModel:
    from ordinis_learn.models.class_networks import SequenceClassModel  # noqa: PLC0415  not every desk has one

    return SequenceClassModel.load(folder, header)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    load: Callable[[Path, BundleHeader], SignalModel]
    files: frozenset[str] = frozenset()


_KINDS: Final = MappingProxyType(
    {
        "gru": _Kind(load=_load_sequence, files=frozenset({"weights.safetensors"})),
        "gru_classes": _Kind(load=_load_class_sequence, files=frozenset({"weights.safetensors"})),
        "rule": _Kind(load=_load_rule),
        "mlp": _Kind(load=_load_network, files=frozenset({"weights.safetensors"})),
        "mlp_classes": _Kind(load=_load_class_network, files=frozenset({"weights.safetensors"})),
        "xgboost": _Kind(load=_load_xgboost, files=frozenset({"booster.ubj"})),
        "xgboost_classes": _Kind(load=_load_xgboost_classes, files=frozenset({"booster.ubj"})),
    }
)


def load_bundle(folder: Path) -> SignalModel:
    """Return the signal model that a bundle folder holds.

    Raises
    ------
    ArtifactMissing
        The folder, its header or one of its files is not there.
    ConfigInvalid
        It holds a model of another type.
    DataCorrupt
        The format or kind is unknown, a file does not belong, or the content does not parse.
    """
    if (named := bundle_format(folder)).startswith(_EMBEDS):
        raise ConfigInvalid(
            f"load the signal model in {folder}",
            found=f"a model that turns texts into vectors ({named})",
            next_step="name a signal model; shadow runs, drift checks and live signals are for those",
        )
    header = read_header(folder)
    kind = _KINDS.get(header.kind)
    if kind is None:
        raise DataCorrupt(
            f"load the signal model in {folder}",
            found=f"kind {header.kind!r}; this release knows {', '.join(_KINDS)}",
            next_step="pip install --upgrade ordinis-learn, or train again with ordinis-learn train",
            folder=str(folder),
        )
    check_files(folder, asked=f"load the signal model in {folder}", header=header, expected=kind.files)
    return kind.load(folder, header)
