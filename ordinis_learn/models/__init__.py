"""Signal models: the interface, the bundles on disk, and what loads them."""

from ordinis_learn.models.base import Predictions, SignalModel
from ordinis_learn.models.bundle import load_bundle
from ordinis_learn.models.header import BUNDLE_FORMAT, BundleHeader
from ordinis_learn.models.rule import RuleModel

__all__ = ["BUNDLE_FORMAT", "BundleHeader", "Predictions", "RuleModel", "SignalModel", "load_bundle"]
