"""Reading connections: every hour, when one is made, and when somebody asks."""

from datetime import datetime

from django.utils import timezone

from carbon_site.sweeps import Sweep
from carbon_site.tasks import Task, shared_task
from connections.models import ProviderConnection
from connections.providers import ProviderUnavailable
from projects.jobs import UNDER_WAY, end_job, note_running
from projects.models import Job
from projects.tenancy import every_organization
from telemetry.poll import Unfinished, poll

NOT_READ = (
    "The connection was not read: it is paused, waits for the provider or a person, or is being read already."
)
PATIENCE = 30  # seconds, well within the time of a task; a first reading may take several
SYNC = "sync"  # the kind of job that a request for a reading starts


def due_connections(now: datetime) -> list[tuple[str, str]]:
    with every_organization("sweep: due connections"):
        return list(ProviderConnection.unscoped.due(now).values_list("organization_id", "pk"))


def asked_for(now: datetime) -> list[tuple[str, str]]:
    with every_organization("sweep: readings that were asked for"):
        return list(Job.unscoped.filter(kind=SYNC, state__in=UNDER_WAY).values_list("organization_id", "pk"))


@shared_task(name="telemetry.poll_connection", bind=True, max_retries=4)
def poll_connection(
    self: Task, organization_id: str, connection_id: str, *, now: datetime | None = None
) -> None:
    """Read one connection to this hour. `now` is given only by `job --now`, and is the ledger's time too."""
    try:
        poll(
            organization_id=organization_id,
            connection_id=connection_id,
            now=now or timezone.now(),
            observed_at=now,
            patience=None if now else PATIENCE,
        )
    except Unfinished:
        self.retry(countdown=0)
    except ProviderUnavailable as away:
        self.retry(exc=away, countdown=away.retry_after or 30 * 2**self.request.retries)


@shared_task(name="telemetry.sync", bind=True, max_retries=20)
def sync(self: Task, organization_id: str, job_id: str, *, now: datetime | None = None) -> None:
    """Read the connection of a job, once, and say in the job what came of it."""
    job = Job.objects.for_organization(organization_id).get(pk=job_id)
    note_running(job)
    try:
        reading = poll(
            organization_id=organization_id,
            connection_id=job.subject,
            now=now or timezone.now(),
            observed_at=now,
            patience=None if now else PATIENCE,
        )
    except Unfinished:
        self.retry(countdown=0)
    except ProviderUnavailable as away:
        end_job(job, now=timezone.now(), error=f"The provider cannot be read: {away}.")
    except Exception:
        end_job(job, now=timezone.now(), error="Something went wrong on our side; it was logged.")
        raise
    else:
        error = NOT_READ if reading is None else reading.refused
        end_job(
            job, now=timezone.now(), error=error, result=None if error or reading is None else reading.counts
        )


POLLS = Sweep("poll", due_connections, poll_connection)
SYNCS = Sweep("sync", asked_for, sync)


@shared_task(name="telemetry.poll_usage")
def poll_usage() -> None:
    """Hourly: one step for each connection that is due, and for each reading that was asked for and lost its nudge."""
    now = timezone.now()
    POLLS.enqueue(now)
    SYNCS.enqueue(now)
