"""The demonstration: an organisation whose usage was read, closed and receipted, and a member of staff. Safe to repeat.

What it shows once and cannot show again, the key and the password, it keeps in the state folder, for its owner alone.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model

from audit.models import AuditPack
from carbon_site import jobs
from carbon_site.ids import new_id
from carbon_site.periods import Period
from connections.models import ProviderConnection
from connections.services import connect
from projects import api_keys, organizations, services, tenancy
from projects.entitlements import DEMONSTRATION, FREE, Grant
from projects.models import ApiKey, Organization
from receipts.credits import Retired, known_before, load_batches
from receipts.models import CarbonReceipt

SLUG, STAFF = "demo", "staff"
TONNES = 1_000  # of each demonstration batch


class Unfinished(Exception):
    """A step did not succeed; the log says why. Running the demonstration again goes on from there."""


def kept() -> dict[str, str]:
    """What the demonstration made, as far as it ran: `api_key`, `staff_password`, `receipt` and `pack`."""
    try:
        found = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def make(now: datetime) -> Iterator[str]:
    """Make what is missing, as if the clock showed `now`, and tell of each step as it begins. Raises Unfinished."""
    yield "An organisation that may do everything"
    organization = organizations.create_organization(slug=SLUG, name="Demonstration")
    with tenancy.organization(organization.pk):
        grants = [Grant(name, None) for name in FREE]
        services.set_entitlements(organization.pk, plan=DEMONSTRATION, grants=grants)
        _keep(api_key=_key(organization, now), staff_password=_staff_password())
    if settings.ELSEWHERE["openai"] == settings.OPENAI_BASE_URL:
        return
    yield "Its usage, from the sandbox’s recorded traffic"
    _read(organization, now)
    yield "Credits that no registry knows, and the closed months with their receipts"
    _load_credits(now)
    _run("close", organization, now)
    yield "Their packs for auditors"
    _run("audit", organization, now)
    _keep(**_proofs(organization))


def history_begins(now: datetime) -> datetime:
    """The first day of the month before the last one that can be closed."""
    last = Period.containing(now - settings.CLOSE_PERIOD_AFTER).before()
    return last.before().start


def _key(organization: Organization, now: datetime) -> str:
    known = kept().get("api_key")
    keys = ApiKey.objects.for_organization(organization.pk).usable(now)
    if known and keys.filter(digest=ApiKey.digest_of(known)).exists():
        return known
    made = api_keys.create_api_key(
        organization_id=organization.pk,
        key_id=new_id("key"),
        name="of the demonstration",
        made_by="demo",
        role="admin",
        scope="write",
        now=now,
    )
    return str(made.secret)


def _staff_password() -> str:
    """The password of the local member of staff; a lost one is replaced."""
    users = get_user_model().objects
    password = kept().get("staff_password") or secrets.token_urlsafe(12)
    staff, _ = users.get_or_create(username=STAFF, defaults={"is_staff": True, "is_superuser": True})
    if not staff.check_password(password):
        staff.set_password(password)
        staff.save()
    return password


def _read(organization: Organization, now: datetime) -> None:
    """All there is, before a month of it is closed; the worker, who heard of the connection too, may be at it already."""
    _connect(organization, now)
    _run("poll", organization, now)
    while _is_being_read(organization, now):
        time.sleep(0.5)
        _run("poll", organization, now)


def _connect(organization: Organization, now: datetime) -> None:
    begins = history_begins(now)
    with tenancy.organization(organization.pk):
        if not ProviderConnection.objects.for_organization(organization.pk).active().exists():
            connect(
                organization_id=organization.pk,
                connection_id=new_id("con"),
                provider="openai",
                name="OpenAI (sandbox)",
                api_key=f"sk-admin-sandbox-demo-since-{begins:%Y-%m-%d}",
                read_from=begins,
                now=now,
            )


def _is_being_read(organization: Organization, now: datetime) -> bool:
    with tenancy.organization(organization.pk):
        connections = ProviderConnection.objects.for_organization(organization.pk)
        return bool(connections.being_read_first(now).exists())


def _load_credits(now: datetime) -> None:
    """A batch for each calendar year that the history touches, unless it was loaded before."""
    batches = [_batch(year) for year in range(history_begins(now).year, now.year + 1)]
    load_batches([each for each in batches if not known_before(each)], is_demonstration=True)


def _batch(year: int) -> Retired:
    return Retired(
        registry="Demonstration registry",
        project="DEMO",
        project_name="Demonstration project",
        country="",
        kind="removal",
        vintage=year,
        block=f"DEMO-{year}",
        serial_from=1,
        serial_to=TONNES,
        retired_on=date(year, 1, 1),
        beneficiary="Customers of this demonstration",
        evidence_url="",
        evidence_sha256=hashlib.sha256(b"There is no registry behind this.").hexdigest(),
    )


def _proofs(organization: Organization) -> dict[str, str]:
    """The public address of the newest receipt, and the address of its month's pack."""
    with tenancy.organization(organization.pk):
        packs = AuditPack.objects.for_organization(organization.pk)
        pack = packs.filter(period__receipts__isnull=False).latest("period__month")
        receipt = CarbonReceipt.objects.for_organization(organization.pk).get(period=pack.period_id)
    base = settings.PUBLIC_BASE_URL
    return {
        "receipt": f"{base}/verify/{receipt.token}",
        "pack": f"{base}/api/v1/audit-packs/{pack.pk}/download",
    }


def _run(job: str, organization: Organization, now: datetime) -> None:
    if not all(jobs.run(jobs.JOBS[job], now, only=organization.pk)):
        raise Unfinished(f"The job {job} did not succeed; the log above says why.")


def _keep(**made: str) -> None:
    written = _path().with_suffix(".new")
    written.unlink(missing_ok=True)
    written.touch(0o600)
    written.write_text(json.dumps(kept() | made))
    written.replace(_path())


def _path() -> Path:
    return Path(settings.STATE_DIR) / "demo.json"
