"""Consume from and publish to a message broker, at least once and durable before acknowledged.

Brokers are opened by :func:`ordinis_learn.wiring.open_bus`, by the scheme of an address.
"""

from ordinis_learn.bus.consumption import Backoff, record_from_bus
from ordinis_learn.bus.memory import InMemoryBus
from ordinis_learn.bus.port import Bus, Handle, Subscription
from ordinis_learn.bus.relay import relay_outbox

__all__ = [
    "Backoff",
    "Bus",
    "Handle",
    "InMemoryBus",
    "Subscription",
    "record_from_bus",
    "relay_outbox",
]
