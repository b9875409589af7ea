"""What ``mlflow server --app-name ordinis`` runs: MLflow's own server, and our metrics at ``/ordinis/metrics``.

The server has no sign-in of its own, and metrics tell which models trade and how they do. So the page answers whoever sends
``LEARN_METRICS_TOKEN`` as a bearer, and nobody where that is not set.
"""

from __future__ import annotations

import os
from typing import Any, Final

__all__ = ["METRICS_PATH", "create_app"]

METRICS_PATH: Final = "/ordinis/metrics"
_STATIC_PREFIX: Final = "_MLFLOW_STATIC_PREFIX"
"""Set by ``mlflow server --static-prefix``, as in ``mlflow.server.handlers``."""


def create_app() -> Any:
    """Return MLflow's FastAPI application with one route before all others.

    MLflow mounts its Flask application at ``/`` last of all: a route that is appended is never reached.
    """
    from mlflow.server.fastapi_app import create_fastapi_app
    from starlette.routing import Route  # noqa: PLC0415

    app = create_fastapi_app()
    path = os.environ.get(_STATIC_PREFIX, "").rstrip("/") + METRICS_PATH
    app.router.routes.insert(0, Route(path, _endpoint(), methods=["GET"]))
    return app


def _endpoint() -> Any:
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import PlainTextResponse, Response  # noqa: PLC0415

    from ordinis_learn.observability._prometheus import Exposition, is_bearer  # noqa: PLC0415
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.wiring import open_scraper  # noqa: PLC0415

    settings = load_settings()
    token = settings.learn_metrics_token
    exposition = Exposition(open_scraper(settings))

    def metrics(request: Request) -> Response:
        """Answer one scrape; a plain function, so that it runs beside the event loop."""
        if token is None:
            text = "E_CFG_INVALID: metrics of this server need a token. Next: export LEARN_METRICS_TOKEN and restart it\n"
            return PlainTextResponse(text, status_code=403)
        if not is_bearer(request.headers.get("Authorization", ""), token=token.get_secret_value()):
            text = "send Authorization: Bearer and the token\n"
            return PlainTextResponse(text, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        body, content_type = exposition.render(request.headers.get("Accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    return metrics
