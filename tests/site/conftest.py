from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.site.workers import queue


@pytest.fixture
def empty_queue() -> Iterator[None]:
    """What one test has queued is not there for the next."""
    address = settings.REDIS_URL
    yield
    with queue(address) as redis:
        redis.flushdb()
