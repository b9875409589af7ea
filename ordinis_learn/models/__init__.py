"""Models: signals from features, vectors from texts; the bundles on disk, and what loads them."""

from ordinis_learn.models.base import Predictions, SignalModel
from ordinis_learn.models.bundle import load_bundle
from ordinis_learn.models.embed_model import EMBED_FORMAT, Adapter, EmbedModel, load_embedder, query_mark
from ordinis_learn.models.encoders import Encoder, EncoderSpec, open_encoder
from ordinis_learn.models.header import BUNDLE_FORMAT, BundleHeader, bundle_format
from ordinis_learn.models.rule import RuleModel

__all__ = [
    "BUNDLE_FORMAT",
    "EMBED_FORMAT",
    "Adapter",
    "BundleHeader",
    "EmbedModel",
    "Encoder",
    "EncoderSpec",
    "Predictions",
    "RuleModel",
    "SignalModel",
    "bundle_format",
    "load_bundle",
    "load_embedder",
    "open_encoder",
    "query_mark",
]
