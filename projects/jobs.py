"""Long work that was started by a request: a row that says where it stands, until it has ended."""

from datetime import datetime
from typing import Any

from django.conf import settings

from carbon_site.ids import new_id
from carbon_site.transactions import transaction
from projects.entitlements import lock_organization
from projects.models import Job

UNDER_WAY = [Job.State.QUEUED, Job.State.RUNNING]


@transaction
def begin_job(*, organization_id: str, kind: str, subject: str, now: datetime) -> Job:
    """A job on a subject; the one that is under way, if there is one. Those that ended long ago are let go."""
    lock_organization(organization_id)
    jobs = Job.objects.for_organization(organization_id)
    jobs.filter(finished_at__lt=now - settings.JOBS_KEPT).delete()
    under_way = jobs.filter(kind=kind, subject=subject, state__in=UNDER_WAY).first()
    return under_way or jobs.create(
        pk=new_id("job"), organization_id=organization_id, kind=kind, subject=subject
    )


def note_running(job: Job) -> None:
    """Does nothing to a job that has ended."""
    Job.objects.for_organization(job.organization_id).filter(pk=job.pk, state__in=UNDER_WAY).update(
        state=Job.State.RUNNING
    )


def end_job(job: Job, *, now: datetime, error: str = "", result: Any = None) -> None:
    """Once and for all: done, or failed with its error."""
    state = Job.State.FAILED if error else Job.State.DONE
    Job.objects.for_organization(job.organization_id).filter(pk=job.pk, state__in=UNDER_WAY).update(
        state=state, finished_at=now, error=error[:500], result=result
    )
