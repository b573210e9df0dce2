import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from structlog.stdlib import ProcessorFormatter


@pytest.fixture
def staff(client: Client, django_user_model: Any) -> Client:
    """One of us, who has come in without a password: to hash one takes as long as ten tests."""
    client.force_login(django_user_model.objects.create_superuser("ada"))
    return client


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the log says, as an operator reads it."""
    (console,) = (each for each in logging.root.handlers if isinstance(each.formatter, ProcessorFormatter))
    assert isinstance(console, logging.StreamHandler)
    read, level = StringIO(), logging.root.level
    before = console.setStream(read)
    logging.root.setLevel(logging.INFO)
    yield read
    logging.root.setLevel(level)
    console.setStream(before)
