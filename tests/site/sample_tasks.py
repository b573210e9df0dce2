"""Tasks as an app's `tasks.py` has them, for the tests of the engine. What they saw and did is told to a list in Redis."""

import asyncio
import json
import os
import threading
import time
from datetime import datetime
from typing import Any

import redis
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from carbon_site.requests import current_request_id
from carbon_site.tasks import Task, shared_task
from carbon_site.transactions import transaction
from projects import tenancy
from projects.models import Project

TOLD = "told"


class Hiccup(Exception):
    """Gone when tried again."""


def tell(**facts: Any) -> None:
    """Also while Redis is being restarted."""
    patience = Retry(ExponentialBackoff(cap=1, base=0.05), 20)
    with redis.Redis.from_url(
        settings.REDIS_URL, retry=patience, retry_on_error=[redis.ConnectionError, OSError]
    ) as queue:
        queue.rpush(TOLD, json.dumps(facts))


def wall() -> str:
    """The organisation whose rows this connection sees, as a uuid; empty where it was told of none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('carbon.organization', true), '')")
        return str(cursor.fetchone()[0])


@shared_task(name="sample.note", bind=True)
def note(self: Task, organization_id: str, word: str = "") -> None:
    names = list(Project.unscoped.order_by("name").values_list("name", flat=True))
    tell(word=word, projects=names, id=self.request.id, request=current_request_id(), pid=os.getpid())


@shared_task(name="sample.tick", bind=True)
def tick(self: Task) -> None:
    tell(id=self.request.id, wall=wall(), thread=threading.current_thread().name)


@shared_task(name="sample.slow")
def slow(organization_id: str, seconds: float) -> None:
    tell(word="begun", pid=os.getpid())
    time.sleep(seconds)
    tell(word="ended", pid=os.getpid())


@shared_task(name="sample.hold")
def hold(organization_id: str, others: int) -> None:
    """Hold a connection until as many jobs hold one."""
    with connection.cursor() as cursor, redis.Redis.from_url(settings.REDIS_URL) as queue:
        cursor.execute("SELECT 1")
        queue.incr("holding")
        give_up = time.monotonic() + 40
        while int(queue.get("holding") or 0) < others and time.monotonic() < give_up:
            time.sleep(0.02)
        tell(word="held" if int(queue.get("holding") or 0) >= others else "alone")


@shared_task(name="sample.stumble", bind=True, default_retry_delay=0.01, max_retries=2)
def stumble(self: Task, organization_id: str, failures: int) -> None:
    tell(retries=self.request.retries)
    if self.request.retries < failures:
        self.retry(exc=Hiccup(f"key sk-proj-abcdefghijklmnop, attempt {self.request.retries}"))


@shared_task(name="sample.stumble_by_itself", bind=True, autoretry_for=(Hiccup,), default_retry_delay=0.01)
def stumble_by_itself(self: Task, organization_id: str, failures: int) -> None:
    tell(retries=self.request.retries)
    if self.request.retries < failures:
        raise Hiccup(f"attempt {self.request.retries}")


@shared_task(name="sample.break_statement")
@transaction
def break_statement(organization_id: str) -> None:
    """Fail in the database, in the middle of a transaction."""
    Project.objects.for_organization(organization_id).update(name="changed")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")


@shared_task(name="sample.on_the_loop")
async def on_the_loop(organization_id: str) -> None:
    await asyncio.sleep(0)
    tell(thread=threading.current_thread().name, running=asyncio.get_running_loop().is_running())


@shared_task(name="sample.never_ends")
async def never_ends(organization_id: str) -> None:
    await asyncio.Event().wait()


@shared_task(name="sample.ask_outside")
def ask_outside(organization_id: str) -> None:
    """As a poll does: asynchronous where the time goes, synchronous where the rows go."""

    async def ask() -> str:
        await asyncio.sleep(0.01)
        return await sync_to_async(wall)()

    tell(before=wall(), within=async_to_sync(ask)(), after=wall())


@shared_task(name="sample.ask_for_ever")
def ask_for_ever(organization_id: str) -> None:
    """A provider that never answers."""

    async def ask() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await sync_to_async(tell)(word="stopped")

    async_to_sync(ask)()


@shared_task(name="sample.archive")
def archive(organization_id: str, project_id: str, now: datetime | None = None) -> None:
    projects = Project.objects.for_organization(organization_id).filter(pk=project_id, archived_at=None)
    projects.update(archived_at=now or Now())


@shared_task(name="sample.archive_projects")
def archive_projects() -> None:
    """As a scheduled sweep does: it finds rows, and queues a step for each."""
    for organization_id, project_id in unarchived():
        archive.apply_async((organization_id, project_id), task_id=f"archive:{project_id}")


def unarchived(now: datetime | None = None) -> list[tuple[str, str]]:
    with tenancy.every_organization("sweep: projects to archive"):
        rows = Project.unscoped.active().filter(is_default=False).order_by("pk")
        return list(rows.values_list("organization_id", "pk"))
