"""One transaction around MLflow's own methods and ours.

MLflow's SQL store opens a session in every method. While a governed change is under way, the store's
``ManagedSessionMaker`` hands out that change's session instead, so that MLflow's rows, the ledger and the
outbox are committed together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Final

from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf, loaded by name
from mlflow.protos.databricks_pb2 import (  # noqa: TID253
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.store.db.utils import _get_managed_session_maker  # noqa: TID253
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from ordinis_learn.errors import ConfigInvalid, LearnError, StoreUnavailable
from ordinis_registry import permits
from ordinis_registry.database import begin_writing, prepare_connections

__all__ = ["Transactions", "prepared_sessions", "refusal"]

# A lock that is held, a disk that is full, a server that restarts, a pool that is empty: the same request
# may succeed later, so it is answered with 503, which clients try again.
_PASSING: Final = (OperationalError, InterfaceError, PoolTimeout)

_SessionMaker = Callable[..., AbstractContextManager[Session]]


def refusal(error: LearnError, **facts: Any) -> MlflowException:
    """Return an error as MLflow's: 400 for bad input, else 403, which no client retries.

    The message begins with our code; ``facts`` travel in the JSON body beside it.
    """
    code = INVALID_PARAMETER_VALUE if isinstance(error, ConfigInvalid) else PERMISSION_DENIED
    return MlflowException(str(error), error_code=code, **facts)


@contextmanager
def _joined(session: Session) -> Iterator[Session]:
    yield session
    session.flush()


def _not_now(error: SQLAlchemyError) -> MlflowException:
    found = str(getattr(error, "orig", None) or error)
    unavailable = StoreUnavailable(
        "change the registry", found=found, next_step="nothing was changed; try again in a moment"
    )
    return MlflowException(str(unavailable), error_code=TEMPORARILY_UNAVAILABLE)


def prepared_sessions(store: Any) -> _SessionMaker:
    """Return MLflow's session maker, on SQLite without the three settings that it repeats in every session.

    :func:`~ordinis_registry.database.prepare_connections` makes them once per connection. A store that reads from a
    replica keeps MLflow's own maker, which knows the way.
    """
    maker: _SessionMaker = store.ManagedSessionMaker
    if store.engine.dialect.name == "sqlite" and getattr(store, "read_engine", None) is None:
        maker = _get_managed_session_maker(sessionmaker(bind=store.engine), db_type="")
    return maker


class Transactions:
    """Sessions of one store.

    Threads may share it: which transaction is under way is known per context.

    Parameters
    ----------
    engine : Engine
        The store's engine.
    plain : callable
        MLflow's own session maker, used while no governed change is under way.
    has_replica : bool
        Whether MLflow's session maker sends what only reads to a replica.
    """

    def __init__(self, engine: Engine, plain: _SessionMaker, *, has_replica: bool) -> None:
        self._engine = engine
        self._plain = plain
        self._has_replica = has_replica
        prepare_connections(engine)
        self._current: ContextVar[Session | None] = ContextVar(f"ordinis_session_{id(self)}", default=None)
        self._may_lag: ContextVar[bool] = ContextVar(f"ordinis_may_lag_{id(self)}", default=False)

    def join(self, read_only: bool = True) -> AbstractContextManager[Session]:  # noqa: FBT001, FBT002  MLflow's signature
        """Return the session of the change under way, or open one as MLflow would.

        To MLflow "read only" means that a replica may answer, so only what :meth:`reading` lets lag is called so there.
        """
        session = self._current.get()
        if session is not None:
            return _joined(session)
        return self._plain(read_only=read_only and (not self._has_replica or self._may_lag.get()))

    @contextmanager
    def reading(self, *, may_lag: bool) -> Iterator[None]:
        """Say whether a replica, where there is one, may answer what is read inside."""
        token = self._may_lag.set(may_lag)
        try:
            yield
        finally:
            self._may_lag.reset(token)

    @contextmanager
    def change(self) -> Iterator[Session]:
        """Open a governed change: commit at the end, roll back on any error.

        Raises
        ------
        MlflowException
            Our errors as :func:`refusal` says; errors of the database as MLflow would raise them.
        """
        with Session(self._engine) as session:
            token = self._current.set(session)
            try:
                begin_writing(session)
                yield session
                permits.withdraw(session)
                session.commit()
            except LearnError as error:
                if isinstance(error.__cause__, _PASSING):
                    raise _not_now(error.__cause__) from error
                raise refusal(error) from error
            except _PASSING as error:
                raise _not_now(error) from error
            except SQLAlchemyError as error:
                raise MlflowException(str(error), error_code=BAD_REQUEST) from error
            finally:
                self._current.reset(token)
