"""The governance database: who allowed what, on which evidence, and when.

One database holds MLflow's tables and these. Nothing here imports MLflow.
"""

from ordinis_registry.alert_book import SqlAlertBook
from ordinis_registry.catalogue import SqlCatalogue
from ordinis_registry.checkpoint_targets import FileTarget, GitNoteTarget, parse_target
from ordinis_registry.checkpoints import ChainHead, Checkpoint, verify_checkpoints, write_checkpoint
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.identities import SqlIdentityBook
from ordinis_registry.pointers import Pointers
from ordinis_registry.segments import SqlSegmentCatalogue
from ordinis_registry.sql_ledger import SqlLedger
from ordinis_registry.verification import Fault, verify

__all__ = [
    "ChainHead",
    "Checkpoint",
    "Fault",
    "FileTarget",
    "GitNoteTarget",
    "GovernanceDatabase",
    "Pointers",
    "SqlAlertBook",
    "SqlCatalogue",
    "SqlIdentityBook",
    "SqlLedger",
    "SqlSegmentCatalogue",
    "parse_target",
    "verify",
    "verify_checkpoints",
    "write_checkpoint",
]
