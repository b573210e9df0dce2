"""Background tasks: Celery's surface over an ARQ queue. `.delay` and `.apply_async` wait for this transaction's commit.

A task takes plain values, may run twice, and finds its work in the database: a lost job is only late. A task that takes
arguments takes the organisation's id first; the worker shows it the rows of that organisation.
"""

import asyncio
import inspect
import json
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from selectors import PollSelector
from typing import Any, NamedTuple, NoReturn, overload
from uuid import uuid4

import structlog
from arq import Retry
from arq.connections import ArqRedis
from django.conf import settings
from django.utils import timezone
from redis import RedisError
from redis.asyncio import ConnectionPool

from carbon_site.requests import current_request_id
from carbon_site.transactions import after_commit

QUEUE = "carbon"
WIRE: dict[str, Any] = {  # JSON: reading the queue can never run code. repr is for ARQ's own exceptions
    "job_serializer": lambda job: json.dumps(job, default=repr).encode(),
    "job_deserializer": json.loads,
}
PATIENCE = 5  # seconds that a caller waits for the queue to take a job
registry: dict[str, "Task"] = {}
log = structlog.get_logger(__name__)


class MaxRetriesExceededError(Exception):
    """A task asked to be retried, named no error, and has no retries left."""


class Request(NamedTuple):
    """The attempt that is running."""

    id: str | None = None
    retries: int = 0
    called_directly: bool = True


class AsyncResult(NamedTuple):
    """What `.delay` answers with. Nothing is kept of a result: one that someone waits for is a row."""

    id: str


current: ContextVar[Request] = ContextVar("current")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function with a name under which it can be queued. The options, their defaults and their meaning are Celery's."""

    run: Callable[..., Any]
    name: str
    bind: bool = False
    max_retries: int = 3
    default_retry_delay: float = 180
    autoretry_for: Sequence[type[Exception]] = ()
    dont_autoretry_for: Sequence[type[Exception]] = ()
    retry_backoff: bool | int = False
    retry_backoff_max: int = 600
    retry_jitter: bool = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run here and now. What would be retried in a worker is raised."""
        with self.attempt(Request()):
            return self.run(*self.bound, *args, **kwargs)

    @property
    def bound(self) -> "tuple[()] | tuple[Task]":
        return (self,) if self.bind else ()

    @property
    def request(self) -> Request:
        return current.get(Request())

    @contextmanager
    def attempt(self, request: Request) -> Iterator[None]:
        """Within the block `self.request` is this one, and errors of `autoretry_for` ask for a retry."""
        never: tuple[type[Exception], ...] = (Retry, *self.dont_autoretry_for)
        token = current.set(request)
        try:
            yield
        except never:
            raise
        except tuple(self.autoretry_for) as error:
            self.retry(exc=error, countdown=self._backoff())
        finally:
            current.reset(token)

    def retry(self, *, exc: Exception | None = None, countdown: float | None = None) -> NoReturn:
        """End this attempt and make another in `countdown` seconds (default: `default_retry_delay`).

        Raises `exc` where no retries are left, or where the task was called directly.
        """
        if self.request.called_directly or self.request.retries >= self.max_retries:
            raise exc or MaxRetriesExceededError(f"{self.name} is out of retries")
        raise Retry(defer=self.default_retry_delay if countdown is None else countdown) from exc

    def _backoff(self) -> float:
        if not self.retry_backoff:
            return self.default_retry_delay
        longest = min(self.retry_backoff_max, self.retry_backoff * 2**self.request.retries)
        return random.uniform(0, longest) if self.retry_jitter else longest

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult:
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        expires: float | datetime | None = None,
        queue: str = QUEUE,
        task_id: str | None = None,
    ) -> AsyncResult:
        """Queue a call, once this transaction has committed. A call whose id is queued or running already is not queued again.

        `countdown` and `expires` are seconds; after `expires` the call is neither begun nor retried (default: a day after
        it was due). Raises TypeError or ValueError where the function would refuse the arguments, or JSON cannot hold them.
        """
        args, kwargs = tuple(args or ()), dict(kwargs or {})
        inspect.signature(self.run).bind(*self.bound, *args, **kwargs)
        call = json.loads(json.dumps([args, kwargs, current_request_id()], allow_nan=False))
        result = AsyncResult(task_id or uuid4().hex)
        options = {
            "_job_id": result.id,
            "_queue_name": queue,
            "_defer_by": max(0, _seconds(eta if countdown is None else countdown) or 0),
            "_expires": _seconds(expires),
        }
        after_commit(lambda: self._send(call, options))
        return result

    def _send(self, call: list[Any], options: dict[str, Any]) -> None:
        """A call that cannot be sent is logged: its row is there, and the sweep comes."""
        if options["_expires"] is not None and options["_expires"] <= 0:
            return
        try:
            loop, redis = connect(settings.REDIS_URL)
            job = redis.enqueue_job(self.name, *call, **options)
            asyncio.run_coroutine_threadsafe(job, loop).result(PATIENCE)
        except (RedisError, OSError) as error:  # OSError: also the TimeoutError of PATIENCE
            log.warning("task.not_sent", task=self.name, task_id=options["_job_id"], error=repr(error))


@overload
def shared_task(func: Callable[..., Any], /) -> Task: ...
@overload
def shared_task(**options: Any) -> Callable[[Callable[..., Any]], Task]: ...
def shared_task(
    func: Callable[..., Any] | None = None, /, **options: Any
) -> Task | Callable[[Callable[..., Any]], Task]:
    """Make a task of a function, under `name` or else the function's own. Raises ValueError if the name is taken."""

    def register(func: Callable[..., Any]) -> Task:
        task = Task(run=func, **{"name": f"{func.__module__}.{func.__name__}"} | options)
        if task.name in registry:
            raise ValueError(f"two tasks are named {task.name}")
        registry[task.name] = task
        return task

    return register if func is None else register(func)


@cache
def connect(url: str) -> tuple[asyncio.AbstractEventLoop, ArqRedis]:
    """One loop in one thread and one pool of connections, for the life of the process."""
    # Not epoll: a forked child would share it, and take our sockets out of it.
    loop = asyncio.SelectorEventLoop(PollSelector())
    threading.Thread(target=loop.run_forever, name="enqueue", daemon=True).start()
    pool = ConnectionPool.from_url(url, socket_connect_timeout=1, socket_timeout=PATIENCE)
    return loop, ArqRedis(pool, **WIRE)


os.register_at_fork(after_in_child=connect.cache_clear)  # a thread does not survive a fork


def _seconds(when: float | datetime | None) -> float | None:
    """From now on."""
    return (when - timezone.now()).total_seconds() if isinstance(when, datetime) else when
