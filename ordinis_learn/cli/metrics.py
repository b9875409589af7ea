"""``ordinis-learn metrics``."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command

if TYPE_CHECKING:
    from ordinis_learn.observability._prometheus import Exposition
    from ordinis_learn.settings import Settings


@click.group("metrics", epilog="Example: ordinis-learn metrics print")
def command() -> None:
    """Show what a monitoring system should know, or serve it over HTTP."""


@command.add_command
@learn_command("print", example="ordinis-learn metrics print")
@click.pass_context
def print_(ctx: click.Context) -> None:
    """Read every source once and write Prometheus' text format.

    A source that cannot be read is named by learn_scrape_error, and the exit status is 1; the others are shown.
    """
    _, exposition = _open(ctx)
    text = exposition.render()[0].decode()
    click.echo(text, nl=False)
    if any(line.startswith("learn_scrape_error{") and line.endswith(" 1.0") for line in text.splitlines()):
        ctx.exit(1)


@command.add_command
@learn_command("serve", example="ordinis-learn metrics serve --port 9464")
@click.option("--host", help="The address to listen on (LEARN_METRICS_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one (LEARN_METRICS_PORT).")
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Answer GET /metrics until SIGTERM or SIGINT; each request reads what is new.

    Beyond this machine it takes a token (LEARN_METRICS_TOKEN), which scrapers send as a bearer.
    """
    settings, exposition = _open(ctx)
    with _bound(settings, exposition, host=host, port=port) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown() waits for the loop, which this thread is in.
            signal.signal(number, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
        click.echo(f"metrics at http://{server.server_address[0]}:{server.server_port}/metrics")
        server.serve_forever()


def _open(ctx: click.Context) -> tuple[Settings, Exposition]:
    from ordinis_learn.observability._prometheus import Exposition  # noqa: PLC0415  prometheus_client
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.wiring import open_scraper  # noqa: PLC0415  seconds of imports

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    return settings, Exposition(open_scraper(settings))


def _bound(settings: Settings, exposition: Exposition, *, host: str | None, port: int | None) -> Any:
    from ordinis_learn.errors import ConfigInvalid, StoreUnavailable  # noqa: PLC0415
    from ordinis_learn.observability._prometheus import is_loopback, metrics_server  # noqa: PLC0415

    host = host or settings.learn_metrics_host
    port = settings.learn_metrics_port if port is None else port
    token = settings.learn_metrics_token
    if token is None and not is_loopback(host):
        raise ConfigInvalid(
            f"serve metrics on {host}",
            found="whoever reaches that address could read them, and no token is set",
            next_step="export LEARN_METRICS_TOKEN (16 characters or more), or use --host 127.0.0.1",
        )
    secret = None if token is None else token.get_secret_value()
    try:
        return metrics_server(exposition, host=host, port=port, token=secret)
    except OSError as error:
        raise StoreUnavailable(
            f"listen on {host}:{port}",
            found=str(error.strerror or error),
            next_step="ordinis-learn metrics serve --port 0 takes a free port",
        ) from error
