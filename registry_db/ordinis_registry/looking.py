"""Look at a governance database without making, upgrading or changing anything in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ordinis_learn.errors import LearnError
from ordinis_learn.records import Alert, Heartbeat
from ordinis_learn.use_cases.diagnose_registry import RegistryLook
from ordinis_registry import ledger
from ordinis_registry.models import AlertRow, HeartbeatRow, LedgerRow

__all__ = ["look_at", "opened_to_look"]


def look_at(url: str) -> RegistryLook:
    """Return what a database says; trouble is part of the answer, not an error."""
    place = sa.make_url(url).render_as_string()
    file = _file_of(url)
    if file is not None and not file.exists():
        return RegistryLook(found=f"{file} will be made on first use")
    try:
        with opened_to_look(url) as session:
            if file is not None:
                answer = str(session.scalar(sa.text("PRAGMA quick_check")))
                if answer != "ok":
                    return _broken(file, answer)
            return _facts(session, place=str(file or place))
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip()
        if file is not None:
            return _broken(file, said)
        return RegistryLook(
            found=f"{place}: {said}",
            next_step="start the server of MLFLOW_REGISTRY_URI, or correct the address",
        )
    except ModuleNotFoundError as error:
        return RegistryLook(found=f"{place}: {error}", next_step="pip install 'ordinis-learn[postgres]'")


@contextmanager
def opened_to_look(url: str) -> Iterator[Session]:
    """Open a session that cannot write."""
    file = _file_of(url)
    if file is not None:
        engine = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True),
            poolclass=sa.NullPool,
        )
    else:
        engine = sa.create_engine(url, connect_args={"connect_timeout": 5}, poolclass=sa.NullPool)
    try:
        with Session(engine) as session:
            if file is None:
                session.execute(sa.text("SET TRANSACTION READ ONLY"))
            yield session
    finally:
        engine.dispose()


def _facts(session: Session, *, place: str) -> RegistryLook:
    tables = set(sa.inspect(session.connection()).get_table_names())
    needed = {row.__tablename__ for row in (AlertRow, HeartbeatRow, LedgerRow)}
    if not needed <= tables:
        said = (
            "will be upgraded on first use" if LedgerRow.__tablename__ in tables else "empty until first use"
        )
        return RegistryLook(found=f"{place}: {said}")
    open_alerts = sa.select(AlertRow.record).where(AlertRow.status != "closed").order_by(AlertRow.opened_at)
    beats = [Heartbeat.model_validate_json(text) for text in session.scalars(sa.select(HeartbeatRow.record))]
    try:
        failure = next(ledger.newest(session, ledger.EVERYTHING, action="checkpoint.failed"), None)
    except LearnError:
        failure = None  # a broken record is named by the comparison with the ledger
    return RegistryLook(
        found=f"{place}: ok",
        in_use=True,
        beats={beat.job: beat for beat in beats},
        alerts=tuple(Alert.model_validate_json(text) for text in session.scalars(open_alerts)),
        checkpoint_failure=failure,
    )


def _file_of(url: str) -> Path | None:
    parsed = sa.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _broken(file: Path, said: str) -> RegistryLook:
    return RegistryLook(found=f"{file}: {said}", next_step=f"move {file} away and restore it from a backup")
