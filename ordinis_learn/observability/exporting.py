"""Send spans where the standard ``OTEL_*`` variables say, from a command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.observability.tracing import is_on

__all__ = ["export_traces", "wants_traces"]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SERVICE: Final = "OTEL_SERVICE_NAME"


def wants_traces(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment asks for spans over OTLP.

    Examples
    --------
    >>> wants_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    True
    >>> wants_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"})
    False
    >>> wants_traces({})
    False
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    asked = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if asked:
        return asked == "otlp"
    return any(environ.get(name) for name in _ENDPOINTS)


def export_traces() -> bool:
    """Set up a tracer provider for this process where the environment asks for one; return whether it did.

    A provider that is there already is left alone: the application, or ``opentelemetry-instrument``, has set it up. What
    waits is sent when the process ends.

    Raises
    ------
    ConfigInvalid
        It is asked for, and the exporter is not installed.
    """
    if not wants_traces(os.environ) or is_on():
        return False
    try:
        from ordinis_learn.observability._otlp import set_up  # noqa: PLC0415  the SDK, an extra
    except ModuleNotFoundError as error:
        raise ConfigInvalid(
            "send traces where OTEL_EXPORTER_OTLP_ENDPOINT says",
            found=str(error),
            next_step="pip install 'ordinis-learn[traces]', or export OTEL_TRACES_EXPORTER=none",
        ) from error
    set_up(service=os.environ.get(_SERVICE) or "ordinis-learn")
    return True
