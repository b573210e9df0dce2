"""Pytest plugin: the PostgreSQL and the Redis of the tests, started before Django reads its settings.

Workers of pytest-xdist have their own each: roles, lists of running queries and cut connections are a whole server's.
"""

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
    if early_config.known_args_namespace.numprocesses and "PYTEST_XDIST_WORKER" not in os.environ:
        return  # it hands out tests, and runs none
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    state = stack.enter_context(temporary_state())
    os.environ |= {"CARBON_ENV": "local", "CARBON_STATE_DIR": str(state)}
    stack.enter_context(claim(state))
    running = stack.enter_context(services(state, durable=False))
    os.environ |= {variable: running.addresses[name] for variable, name in ADDRESSES.items()}


def pytest_xdist_auto_num_workers() -> int:
    """A test waits for processes of its own much of the time, so two where there is one core; more than eight have no work."""
    return min(max(os.cpu_count() or 1, 2), 8)


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
