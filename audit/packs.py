"""Packs of closed months: ordered once, built once, kept for ever."""

import hashlib
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO

from django.core.files import File
from django.core.files.storage import default_storage

from audit.contents import write
from audit.models import BUILT, AuditPack, stored_path
from billing.models import BillingPeriod
from billing.services import State, lock_period
from carbon_site.ids import new_id
from carbon_site.problems import Conflict, NotFound
from carbon_site.transactions import transaction

CLOSED = (State.ALLOCATED, State.RECEIPTED, State.SETTLED)  # nothing about them is still to come


class PeriodNotClosed(Conflict):
    """The period is not closed yet, so there is nothing to be packed."""


class PackNotReady(Conflict):
    """The pack is still being built."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "60"}


@transaction
def order(*, organization_id: str, period_id: str, pack_id: str | None = None) -> tuple[AuditPack, bool]:
    """The pack of a period, and whether it is new. Ordering it twice orders it once. Raises NotFound, PeriodNotClosed."""
    try:
        period = lock_period(organization_id=organization_id, period_id=period_id)
    except BillingPeriod.DoesNotExist:
        raise NotFound(f"There is no {period_id}.") from None
    if period.state not in CLOSED:
        raise PeriodNotClosed(f"{period} is {State(period.state).label.lower()}.", state=period.state)
    packs = AuditPack.objects.for_organization(organization_id)
    return packs.get_or_create(
        period=period, defaults={"pk": pack_id or new_id("aud"), "organization_id": organization_id}
    )


@transaction
def build(*, organization_id: str, pack_id: str, now: datetime) -> AuditPack:
    """Write the pack's file and keep it. Building a pack that is there changes nothing; a crash leaves at most a file."""
    packs = AuditPack.objects.for_organization(organization_id).select_for_update(of=("self",), no_key=True)
    pack = packs.select_related("period", "period__factors").get(pk=pack_id)
    if pack.is_ready:
        return pack
    with TemporaryFile() as file:
        write(pack.period, file)
        pack.sha256, pack.size, pack.built_at = _digest(file), file.tell(), now
        _keep(pack, file)
    pack.save(update_fields=BUILT)
    return pack


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is open for reading too


def _keep(pack: AuditPack, file: IO[bytes]) -> None:
    """Under its hash. What lies there already was left by a builder that was killed, perhaps half way."""
    path = stored_path(pack.organization_id, str(pack.sha256))
    default_storage.delete(path)
    file.seek(0)
    default_storage.save(path, File(file))
