"""`/emissions/summary` as a good hand would write it for one question, with FastAPI and asyncpg: what ours is measured against.

It counts address and key, finds the key by its hash, sets the wall, and makes the same sums, coverage and bounds; the answer is
the same to the last letter. It knows no Django.
"""

import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

import asyncpg
from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from redis.asyncio import Redis

from tests.bench import hand_written_figures as figures

CONNECTIONS = 8
WINDOW = 60  # seconds
MOST_FAILURES, MOST_OF_AN_ADDRESS, KEYS_WORTH = 20, 10**9, 3

KEY = """
SELECT key.id, key.organization_id, plan."limit", key.last_used_at
FROM projects_apikey AS key
LEFT JOIN projects_entitlement AS plan
       ON plan.organization_id = key.organization_id AND plan.name = 'requests_a_minute'
      AND (plan.until IS NULL OR plan.until > $2)
WHERE key.digest = $1 AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > $2)
"""
WALL = (
    "SELECT set_config('carbon.every_organization', $1, false), set_config('carbon.organization', $2, false)"
)
USED = "UPDATE projects_apikey SET last_used_at = $2 WHERE id = $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = {"min_size": CONNECTIONS, "max_size": CONNECTIONS}
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], **size) as app.state.database,
        Redis.from_url(os.environ["REDIS_URL"]) as app.state.counters,
    ):
        yield


async def livez() -> str:
    return "alive"


async def summary(
    request: Request,
    start: Annotated[date, Query(alias="from")],
    end: Annotated[date, Query(alias="to")],
    granularity: Literal["day", "total"],
    group_by: Literal["model"],
    authorization: Annotated[str, Header()],
) -> Response:
    now, counters = datetime.now(UTC), request.app.state.counters
    await admit_address(counters, request.scope["client"][0])
    async with request.app.state.database.acquire() as connection:
        key = await find(connection, authorization.removeprefix("Bearer "), now)
        left = await admit_key(counters, key)
        span = (midnight(start), midnight(end))
        answer = await figures.answer(connection, key["organization_id"], *span, granularity, now)
    reset = str(WINDOW - int(time.time()) % WINDOW)
    headers = {
        "RateLimit-Limit": str(key["limit"]),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": reset,
    }
    return JSONResponse(answer, headers=headers)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def admit_address(counters: Redis, address: str) -> None:
    minute = int(time.time()) // WINDOW
    async with counters.pipeline(transaction=False) as pipe:
        pipe.incr(name := f"bench:address:{address}:{minute}")
        pipe.get(f"bench:failed:{address}:{minute}")
        pipe.expire(name, 2 * WINDOW)
        requests, failures, _ = await pipe.execute()
    if requests > MOST_OF_AN_ADDRESS or int(failures or 0) >= MOST_FAILURES:
        raise HTTPException(429)


async def admit_key(counters: Redis, key: asyncpg.Record) -> int:
    """How many requests are left to it in this minute."""
    minute, limit = int(time.time()) // WINDOW, key["limit"]
    names = [f"bench:credential:{name}:{minute}" for name in (key["id"], key["organization_id"])]
    async with counters.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.incr(name)
        for name in names:
            pipe.expire(name, 2 * WINDOW)
        of_key, of_all, *_ = await pipe.execute()
    left = min(limit - of_key, KEYS_WORTH * limit - of_all)
    if left < 0:
        raise HTTPException(429)
    return left


async def find(connection: asyncpg.Connection, token: str, now: datetime) -> asyncpg.Record:
    """The key and what its plan allows; from then on the connection, until it goes back, sees its organisation."""
    await connection.execute(WALL, "on", "")
    key = await connection.fetchrow(KEY, hashlib.sha256(token.encode()).digest(), now)
    if key is None:
        raise HTTPException(401)
    await connection.execute(WALL, "", str(key["organization_id"]))
    if key["last_used_at"] is None or key["last_used_at"] < now - timedelta(minutes=1):
        await connection.execute(USED, key["id"], now)
    return key


app = FastAPI(lifespan=lifespan)
app.add_api_route("/livez", livez)
app.add_api_route("/api/v1/emissions/summary", summary)
