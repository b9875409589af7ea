"""Datasets with provenance: builder, manifest, expectations, splits."""

from ordinis_learn.datasets.builder import DatasetBuilder
from ordinis_learn.datasets.content import bucketed_sha256, content_sha256
from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.datasets.rag_eval import RagEvalBuilder
from ordinis_learn.datasets.splits import Split, purged_walk_forward
from ordinis_learn.datasets.store import dataset_folder, open_dataset
from ordinis_learn.labelling import FEATURE_PREFIX

__all__ = [
    "FEATURE_PREFIX",
    "DatasetBuilder",
    "RagEvalBuilder",
    "Split",
    "bucketed_sha256",
    "content_sha256",
    "dataset_folder",
    "open_dataset",
    "profile_feature",
    "purged_walk_forward",
]
