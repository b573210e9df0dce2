"""Pytest plugin: the PostgreSQL and the Redis of the tests, started before Django reads its settings."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from carbon_site.embedded import claim, services

ADDRESSES = {"DATABASE_URL": "database", "DATABASE_OWNER_URL": "owner", "REDIS_URL": "redis"}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:  # it inherits the addresses
        return
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    state = stack.enter_context(temporary_state())
    os.environ |= {"CARBON_ENV": "local", "CARBON_STATE_DIR": str(state)}
    if ADDRESSES.keys() <= os.environ.keys():
        return
    stack.enter_context(claim(state))
    running = stack.enter_context(services(state, durable=False))
    os.environ |= {variable: running.addresses[name] for variable, name in ADDRESSES.items()}


@contextmanager
def temporary_state() -> Iterator[Path]:
    """A folder for state, gone afterwards with what had to live elsewhere."""
    with tempfile.TemporaryDirectory(prefix="carbon-") as folder:
        state = Path(folder)
        state.chmod(0o711)
        try:
            yield state
        finally:
            for link in state.rglob("elsewhere"):
                shutil.rmtree(link.resolve(), ignore_errors=True)
