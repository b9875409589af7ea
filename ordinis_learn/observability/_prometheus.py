"""Prometheus' text format, and a server of it; the only module that knows ``prometheus_client``."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from ordinis_learn.observability.families import FAMILIES
from ordinis_learn.observability.scrape import Scraper

__all__ = ["Exposition", "is_bearer", "is_loopback", "metrics_app", "metrics_server"]

_KINDS: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
_WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Exposition:
    """A scraper in the words of Prometheus; each rendering is one scrape.

    Parameters
    ----------
    scraper : Scraper
        What is exposed.
    """

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        # describe() keeps registering from scraping: the first scrape is the first question.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names are claimed in a registry of our own."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Scrape, and yield one family after the other."""
        for name, series in self._scraper.scrape().items():
            family = FAMILIES[name]
            metric: Any = _KINDS[family.kind](name, family.help, labels=family.labels)
            for labels in sorted(series):
                metric.add_metric(labels, series[labels])
            yield metric

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return a scrape and its content type, in the newest format that ``accept`` names (the text format else)."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


def metrics_app(exposition: Exposition, *, token: str | None) -> _WSGI:
    """Return a WSGI application that answers ``GET /metrics``; with a token, only to who sends it as a bearer."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in {"/metrics", "/"}:
            return _plain(start_response, "404 Not Found", "metrics are at /metrics\n")
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _plain(start_response, "405 Method Not Allowed", "GET /metrics\n")
        if token is not None and not is_bearer(environ.get("HTTP_AUTHORIZATION", ""), token=token):
            return _plain(start_response, "401 Unauthorized", "send Authorization: Bearer and the token\n")
        body, content_type = exposition.render(environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    return app


def is_bearer(header: str, *, token: str) -> bool:
    """Tell whether an Authorization header carries the token, in a time that says nothing about it."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def is_loopback(host: str) -> bool:
    """Tell whether an address can only be reached from this machine; a name that means several must mean that by all."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)


def metrics_server(exposition: Exposition, *, host: str, port: int, token: str | None = None) -> WSGIServer:
    """Return a server that is bound and not yet serving; port 0 takes a free one (``server.server_port``)."""
    app = metrics_app(exposition, token=token)
    return make_server(host, port, app, handler_class=_Quiet)


class _Quiet(WSGIRequestHandler):
    """Says nothing of each request: a scrape every fifteen seconds is no news."""

    timeout = 10  # seconds that a client may keep the one connection that is served at a time
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        del format, args


def _plain(start_response: Callable[..., Any], status: str, text: str) -> list[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    if status.startswith("401"):
        headers.append(("WWW-Authenticate", "Bearer"))
    start_response(status, headers)
    return [text.encode()]
