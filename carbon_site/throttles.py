"""How often one may ask: counted in Redis by the minute, per address, key and organisation.

Redis may be away: then everybody is let through, the log says so, and `/readyz` is degraded.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from carbon_site.problems import Problem

WINDOW = 60
log = structlog.get_logger(__name__)


class TooManyRequests(Problem):
    """Too many requests; wait and try again."""

    status = 429

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(seconds_left())}


@dataclass(frozen=True)
class Allowance:
    """What is left of the tightest limit, for the `RateLimit-*` headers."""

    limit: int
    remaining: int

    @property
    def headers(self) -> dict[str, str]:
        names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
        return dict(zip(names, map(str, (self.limit, self.remaining, seconds_left())), strict=True))


@cache
def counters() -> redis.Redis:
    """One pool of connections for the life of the process; a Redis that is away costs a request little."""
    return redis.Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_timeout=0.25, socket_connect_timeout=0.25
    )


def address(request: Request | HttpRequest) -> str:
    """The client's address: what our own outermost proxy saw, or the socket's where no proxy is trusted."""
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    trusted: int = settings.TRUSTED_PROXIES
    return hops[-trusted] if 0 < trusted <= len(hops) else str(request.META.get("REMOTE_ADDR", "unknown"))


def admit_address(request: Request | HttpRequest) -> None:
    """Count a request of this address, before it is known who asks. Raises TooManyRequests."""
    where = address(request)
    counts = _count(f"address:{where}", peek=f"failed:{where}")
    if counts is None:
        return
    requests, failures = counts
    if failures >= settings.ADDRESS_FAILED_CREDENTIALS_PER_MINUTE:
        raise TooManyRequests("Too many wrong credentials came from this address.")
    if requests > settings.ADDRESS_REQUESTS_PER_MINUTE:
        raise TooManyRequests("Too many requests came from this address.")


def note_failed_credential(request: Request | HttpRequest) -> None:
    _count(f"failed:{address(request)}")


def admit(buckets: Mapping[str, int | None]) -> Allowance | None:
    """Count a request under one name after the other, and answer with the tightest limit. Raises TooManyRequests.

    What one refuses the next does not count: a key that asks too often takes nothing from its organisation's other keys.
    """
    tightest: Allowance | None = None
    for name, limit in buckets.items():
        counts = None if limit is None else _count(f"credential:{name}")
        if limit is None or counts is None:
            continue
        if counts[0] > limit:
            raise TooManyRequests(f"Your plan allows {limit} requests a minute.")
        if tightest is None or limit - counts[0] < tightest.remaining:
            tightest = Allowance(limit, limit - counts[0])
    return tightest


def seconds_left() -> int:
    return WINDOW - int(time.time()) % WINDOW


def _count(*names: str, peek: str | None = None) -> list[int] | None:
    """Add one under each name, and read one more; None where Redis is away."""
    minute = int(time.time()) // WINDOW
    try:
        with counters().pipeline(transaction=False) as pipe:
            for name in names:
                pipe.incr(f"throttle:{name}:{minute}")
            if peek is not None:
                pipe.get(f"throttle:{peek}:{minute}")
            for name in names:
                pipe.expire(f"throttle:{name}:{minute}", 2 * WINDOW)
            answers = pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("throttle.redis_away", error=str(error))
        return None
    return [int(answer or 0) for answer in answers[: len(names) + (peek is not None)]]
