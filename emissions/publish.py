"""Publishing a set of factors: validated, hashed, and from then on final."""

from datetime import datetime
from functools import lru_cache

from carbon_site.ids import new_id
from carbon_site.problems import Conflict
from emissions.factor_document import read
from emissions.factor_set import FactorSet
from emissions.models import CarbonFactors


class VersionTaken(Conflict):
    """Another set was published under this version."""


def publish(document: bytes, *, now: datetime, using: str = "default") -> CarbonFactors:
    """Publish a set; the same again is the one that is there. Raises FactorSetInvalid, VersionTaken."""
    factors = read(document)
    rows = CarbonFactors.objects.using(using)
    row, is_new = rows.get_or_create(
        version=factors.version,
        defaults={
            "pk": new_id("fac"),
            "sha256": factors.sha256,
            "document": factors.canonical.decode(),
            "published_at": now,
        },
    )
    if not is_new and row.sha256 != factors.sha256:
        raise VersionTaken(f"{factors.version} is {row.sha256}; a changed set needs a version of its own.")
    return row


def newest() -> CarbonFactors:
    """The set published last."""
    return CarbonFactors.objects.order_by("-published_at", "-pk")[:1].get()


def factor_set(row: CarbonFactors) -> FactorSet:
    """The set in a row, read once a process: its hash is that of the document, which is long."""
    return _read(row.sha256)


@lru_cache(maxsize=8)
def _read(sha256: str) -> FactorSet:
    return read(CarbonFactors.objects.get(sha256=sha256).document.encode())
