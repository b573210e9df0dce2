"""The PostgreSQL and the Redis of a machine that has none: our own children, from the programs inside two wheels.

Their data stay in the state folder; they end with us, however we end. Knows no Django.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from carbon_site.embedded import postgres, redis_server
from carbon_site.embedded.children import Child, Unable, child
from carbon_site.embedded.folders import claim

__all__ = ["Child", "Services", "Unable", "child", "claim", "services"]


@dataclass(frozen=True)
class Services:
    """What runs, and the addresses: `database` is the app's, whose role the first migration makes; `owner`; `redis`."""

    children: list[Child]
    addresses: dict[str, str]


@contextmanager
def services(
    state: Path,
    *,
    database: bool = True,
    redis: bool = True,
    durable: bool = True,
    also: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Services]:
    """Start what is asked for in a claimed state folder, and note the addresses there, and those that run `also`. Raises Unable.

    What is not `durable` is faster, and lost with the machine: for tests.
    """
    running = Services([], dict(also))
    with ExitStack() as stack:
        if database:
            running.children.append(stack.enter_context(postgres.server(state, durable=durable)))
            running.addresses["database"] = postgres.address(state, "carbon_app")
            running.addresses["owner"] = postgres.address(state, "postgres")
        if redis:
            running.children.append(stack.enter_context(redis_server.server(state, durable=durable)))
            running.addresses["redis"] = redis_server.address(state)
        stack.enter_context(_noted(running.addresses, state / "services.json"))
        yield running


@contextmanager
def _noted(addresses: dict[str, str], path: Path) -> Iterator[None]:
    written = path.with_suffix(".new")
    written.unlink(missing_ok=True)
    written.touch(0o600)
    written.write_text(json.dumps(addresses))
    written.replace(path)  # whole or not at all
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
