"""Look at everything LEARN needs and say what is missing."""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final, Literal

from ordinis_learn.errors import LearnError
from ordinis_learn.rollout.keyring_keys import KeyringKeyStore, open_key_store
from ordinis_learn.rollout.policy import load_policy
from ordinis_learn.settings import Settings, load_settings
from ordinis_learn.use_cases.diagnose_checkpoints import checkpoint_trouble
from ordinis_learn.use_cases.diagnose_events import server_trouble
from ordinis_learn.use_cases.diagnose_monitor import monitor_trouble
from ordinis_learn.use_cases.diagnose_registry import RegistryLook

__all__ = ["Finding", "diagnose"]

_NEEDED: Final = (
    "mlflow",
    "xgboost",
    "optuna",
    "duckdb",
    "pyarrow",
    "great_expectations",
    "securesystemslib",
)
_OPTIONAL: Final = {
    "arch": "pip install 'ordinis-learn[compete]'",
    "torch": "pip install 'ordinis-learn[torch]'",
    "fsspec": "pip install 'ordinis-learn[object-store]'",
    "keyring": "pip install 'ordinis-learn[keyring]'",
    "playwright": "pip install 'ordinis-learn[browser]'",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; ``next_step`` is empty when nothing is to be done."""

    status: Literal["ok", "missing", "optional"]
    subject: str
    found: str
    next_step: str = ""


def diagnose(
    overrides: Mapping[str, Any],
    *,
    decides: Callable[[Settings], str],
    look: Callable[[Settings], RegistryLook],
) -> list[Finding]:
    """Return findings in the order a newcomer should mend them; nothing is created or changed.

    Parameters
    ----------
    overrides : mapping
        Settings by field name.
    decides : callable
        Returns the id of the policy that decides by the settings.
    look : callable
        Looks at the database of the registry that the settings name.
    """
    try:
        settings = load_settings(**overrides)
    except LearnError as error:
        return [Finding(status="missing", subject="settings", found=error.found, next_step=error.next_step)]
    registry = look(settings)
    checks: tuple[Callable[[Settings], list[Finding]], ...] = (
        _python,
        _packages,
        _home,
        functools.partial(_databases, look=registry),
        functools.partial(_policy, decides=decides),
        _keys,
        functools.partial(_checkpoints, look=registry),
        functools.partial(_monitor, look=registry),
    )
    return [finding for check in checks for finding in check(settings)]


def _python(_: Settings) -> list[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return [Finding(status="ok", subject="python", found=version)]


def _packages(_: Settings) -> list[Finding]:
    found = [_package(name) for name in _NEEDED]
    for name, install in _OPTIONAL.items():
        there = util.find_spec(name) is not None
        text = "installed" if there else "not installed (optional)"
        found.append(
            Finding(
                status="ok" if there else "optional",
                subject=name,
                found=text,
                next_step="" if there else install,
            )
        )
    entry = metadata.entry_points(group="mlflow.model_registry_store")
    names = {point.name for point in entry}
    plugin = "ordinis+sqlite" in names
    found.append(
        Finding(
            status="ok" if plugin else "missing",
            subject="registry plugin",
            found="entry point ordinis+sqlite found" if plugin else f"entry points: {sorted(names)}",
            next_step="" if plugin else "pip install ordinis-learn",
        )
    )
    return found


def _package(name: str) -> Finding:
    if util.find_spec(name) is None:
        return Finding(
            status="missing", subject=name, found="cannot be imported", next_step="pip install ordinis-learn"
        )
    return Finding(status="ok", subject=name, found="installed")


def _home(settings: Settings) -> list[Finding]:
    home = settings.home.resolve()
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        return [
            Finding(
                status="missing",
                subject="ORDINIS_HOME",
                found=f"{home} cannot be written",
                next_step="export ORDINIS_HOME=/a/folder/you/can/write",
            )
        ]
    free_gib = shutil.disk_usage(nearest).free / 2**30
    enough = free_gib >= 1
    return [
        Finding(
            status="ok" if enough else "missing",
            subject="ORDINIS_HOME",
            found=f"{home}, {free_gib:.1f} GiB free",
            next_step="" if enough else "free at least 1 GiB or choose another ORDINIS_HOME",
        )
    ]


def _databases(settings: Settings, *, look: RegistryLook) -> list[Finding]:
    log = _database("event log", settings.event_log_path)
    if settings.learn_events_url is not None:
        found, step = server_trouble(settings.learn_events_url)
        log = Finding(status="missing" if step else "ok", subject="event log", found=found, next_step=step)
    status: Literal["ok", "missing"] = "missing" if look.next_step else "ok"
    return [
        log,
        Finding(status=status, subject="registry database", found=look.found, next_step=look.next_step),
    ]


def _database(subject: str, path: Path) -> Finding:
    if not path.exists():
        return Finding(status="ok", subject=subject, found=f"{path} will be made on first use")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            answer = connection.execute("PRAGMA quick_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    sound = answer == "ok"
    step = "" if sound else f"move {path} away and restore it from a backup"
    return Finding(
        status="ok" if sound else "missing", subject=subject, found=f"{path}: {answer}", next_step=step
    )


def _policy(settings: Settings, *, decides: Callable[[Settings], str]) -> list[Finding]:
    try:
        policy = load_policy(decides(settings), settings=settings)
    except LearnError as error:
        return [Finding(status="missing", subject="policy", found=error.found, next_step=error.next_step)]
    return [
        Finding(status="ok", subject="policy", found=f"{policy.policy_id}, hash {policy.policy_hash[:12]}")
    ]


def _keys(settings: Settings) -> list[Finding]:
    store = open_key_store(settings)
    if isinstance(store, KeyringKeyStore):
        return [_keyring(store)]
    loose = [
        key
        for key in sorted(settings.keys_dir.glob("*"))
        if key.is_file() and stat.S_IMODE(key.stat().st_mode) & 0o077
    ]
    if loose:
        names = " ".join(str(key) for key in loose)
        return [
            Finding(
                status="missing",
                subject="signing keys",
                found=f"readable by others: {names}",
                next_step=f"chmod 600 {names}",
            )
        ]
    count = len(list(settings.keys_dir.glob("*"))) if settings.keys_dir.exists() else 0
    return [Finding(status="ok", subject="signing keys", found=f"{count} in {settings.keys_dir}")]


def _keyring(store: KeyringKeyStore) -> Finding:
    try:
        found = f"in {store.look()}, {store.place}"
    except LearnError as error:
        return Finding(status="missing", subject="signing keys", found=error.found, next_step=error.next_step)
    return Finding(status="ok", subject="signing keys", found=found)


def _checkpoints(settings: Settings, *, look: RegistryLook) -> list[Finding]:
    found, step = checkpoint_trouble(settings, look)
    failed = found.startswith("none")
    return [
        Finding(
            status="missing" if failed else "optional" if found else "ok",
            subject="checkpoints",
            found=found or f"to {settings.ledger_checkpoint_target}",
            next_step=step,
        )
    ]


def _monitor(settings: Settings, *, look: RegistryLook) -> list[Finding]:
    return [
        Finding(status="optional" if step else "ok", subject=subject, found=found, next_step=step)
        for subject, found, step in monitor_trouble(settings, look, clock=_now)
    ]


def _now() -> datetime:
    return datetime.now(UTC)
