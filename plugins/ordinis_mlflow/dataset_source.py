"""Where a run's dataset came from: ``ordinis-dataset://<dataset_id>@<version>``, resolved to verified files.

Installed as the entry point ``mlflow.dataset_source``. MLflow loads it while it is being imported itself, so this module
imports nothing heavy, and the class has the methods of MLflow's ``DatasetSource`` without inheriting from it: to import
that here would find MLflow half imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

    from ordinis_learn.records import DatasetManifest

__all__ = ["SCHEME", "SOURCE_TYPE", "OrdinisDatasetSource"]

SCHEME: Final = "ordinis-dataset://"
SOURCE_TYPE: Final = "ordinis_dataset"


class OrdinisDatasetSource:
    """One version of a dataset, by its name and the hash of its content.

    Parameters
    ----------
    ref : str
        ``dataset_id@version``.
    content_sha256 : str
        What the rows must hash to; from a bare address it is the version, which is its beginning.
    folder : str, optional
        Where the version lay when it was logged. Where it is not there any more, it is looked for under
        ``ORDINIS_HOME``.

    Examples
    --------
    >>> source = OrdinisDatasetSource("core@0123456789abcdef", content_sha256="0123456789abcdef")
    >>> source.uri
    'ordinis-dataset://core@0123456789abcdef'
    >>> OrdinisDatasetSource.from_dict(source.to_dict()) == source
    True
    """

    def __init__(self, ref: str, *, content_sha256: str, folder: str | None = None) -> None:
        self.ref = ref
        self.content_sha256 = content_sha256
        self.folder = folder

    @property
    def uri(self) -> str:
        """The address, the same on every machine."""
        return f"{SCHEME}{self.ref}"

    def manifest(self) -> DatasetManifest:
        """Return the manifest.

        Raises
        ------
        DataMissing
            No folder of this version is here.
        DataCorrupt
            The manifest is another dataset's, or cannot be read.
        """
        return self._found()[0]

    def load(self, dst_path: str | None = None) -> str:
        """Return the local folder with manifest, report and Parquet files, after every file was hashed.

        Parameters
        ----------
        dst_path : str, optional
            Copy the folder there first, as MLflow's own sources do.

        Raises
        ------
        DataMissing
            The version is not here, or its rows were pruned.
        DataCorrupt
            A file is not the one that was written.
        """
        import shutil  # noqa: PLC0415

        from ordinis_learn.datasets.store import check_files, dataset_folder  # noqa: PLC0415

        manifest, root = self._found()
        check_files(manifest, root=root)
        folder = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version)
        return str(folder) if dst_path is None else str(shutil.copytree(folder, dst_path, dirs_exist_ok=True))

    def rows(self) -> pa.Table:
        """Return the verified rows of an accepted dataset; errors as :meth:`load`, and DatasetRejected."""
        from ordinis_learn.datasets import open_dataset  # noqa: PLC0415

        manifest, root = self._found()
        return open_dataset(manifest, root=root)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"uri": self.uri, "content_sha256": self.content_sha256, "folder": self.folder}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, Any]) -> OrdinisDatasetSource:
        """Read what :meth:`to_dict` wrote."""
        known = cls._resolve(source_dict["uri"])
        sha256 = source_dict.get("content_sha256") or known.content_sha256
        return cls(known.ref, content_sha256=sha256, folder=source_dict.get("folder"))

    @classmethod
    def from_json(cls, source_json: str) -> OrdinisDatasetSource:
        """Read what :meth:`to_json` wrote."""
        return cls.from_dict(json.loads(source_json))

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        is_address = isinstance(raw_source, str) and raw_source.startswith(SCHEME)
        return is_address or isinstance(raw_source, OrdinisDatasetSource)

    @classmethod
    def _resolve(cls, raw_source: Any) -> OrdinisDatasetSource:
        if isinstance(raw_source, OrdinisDatasetSource):
            return raw_source
        dataset_id, _, version = raw_source.removeprefix(SCHEME).partition("@")
        if not raw_source.startswith(SCHEME) or not dataset_id or not version:
            from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

            raise ConfigInvalid(
                f"resolve the dataset source {raw_source!r}",
                found="no address of the form ordinis-dataset://<dataset_id>@<version>",
                next_step="ordinis-learn datasets list shows ids and versions",
            )
        return cls(f"{dataset_id}@{version}", content_sha256=version)

    def _found(self) -> tuple[DatasetManifest, Path]:
        """Return the manifest and the root of the first place that has this version."""
        from ordinis_learn.datasets.store import published  # noqa: PLC0415
        from ordinis_learn.errors import DataCorrupt, DataMissing  # noqa: PLC0415
        from ordinis_learn.settings import load_settings  # noqa: PLC0415

        dataset_id, _, version = self.ref.partition("@")
        recorded = [] if self.folder is None else [Path(self.folder).parent.parent]
        for root in (*recorded, load_settings().datasets_dir.absolute()):
            manifest = published(root, dataset_id=dataset_id, version=version)
            if manifest is None:
                continue
            if manifest.ref != self.ref or not manifest.content_sha256.startswith(self.content_sha256):
                raise DataCorrupt(
                    f"open {self.uri}",
                    found=f"{root / dataset_id / version} holds {manifest.ref}, content "
                    f"{manifest.content_sha256[:16]}..., where the run was given {self.content_sha256[:16]}...",
                    next_step="restore the folder from a backup; its manifest was changed",
                )
            return manifest, root
        raise DataMissing(
            f"open {self.uri}",
            found=f"no folder {dataset_id}/{version} where it was logged, nor under ORDINIS_HOME",
            next_step="export ORDINIS_HOME=/the/home/that/built/it",
            ref=self.ref,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrdinisDatasetSource) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.ref, self.content_sha256, self.folder))

    def __repr__(self) -> str:
        return f"OrdinisDatasetSource({self.ref!r})"
