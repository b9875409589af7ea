"""MLflow's own system metrics beside a run: CPU, memory, disk, network, and GPUs where there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf of the plugin
from mlflow.system_metrics.system_metrics_monitor import (  # noqa: TID253  a leaf of the plugin
    SystemMetricsMonitor,
)

__all__ = ["watched"]


@contextmanager
def watched(run_id: str, *, tracking_uri: str) -> Iterator[None]:
    """Sample the machine until the block is left, at least once.

    Where a sample cannot be recorded it is lost: a training does not fail for it.
    """
    monitor: Any = SystemMetricsMonitor(run_id, tracking_uri=tracking_uri)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
    # A training may be shorter than the interval between two samples. The monitor's thread has ended: it is not safe beside one.
    with suppress(MlflowException):
        monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()
