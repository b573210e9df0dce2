"""A closed October with usage of many kinds in it, its pack, and what `recalculate.py` says of a pack."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audit import recalculate
from audit.models import AuditPack
from audit.packs import build, order
from billing import close
from billing.models import BillingPeriod
from carbon_site.periods import Period
from projects import tenancy
from receipts.credits import load_batches
from receipts.settle import settle
from tests import make
from tests.receipts.test_credits import retired

OCTOBER = Period.month(2026, 10)
SETTLED = OCTOBER.end + timedelta(hours=48)
IN_OCTOBER = datetime(2026, 10, 7, 9, tzinfo=UTC)
SCRIPT = Path(recalculate.__file__)


def usage() -> list:
    """Events and buckets, null and long classes, a batch, a size in a name, nobody's model, a fine-tune, and no model at all."""
    kinds: list[dict[str, Any]] = [
        {"model": "gpt-4o", "input_uncached": 10**6, "cache_read": 5, "output": 10**6, "requests": 30},
        {"model": "gpt-4o", "service_tier": "batch", "input_uncached": 7_777, "output": None, "requests": 3},
        {"model": "gpt-5-nano", "input_uncached": None, "cache_write": 900, "cache_write_long": 400, "output": 12_345},
        {"model": "meta-llama/Llama-3.3-70B-Instruct", "input_uncached": 55_555, "output": 4_321, "requests": 7},
        {"model": "qwen3-235b-a22b", "output": 1, "requests": 0},
        {"model": "ft:gpt-4o-mini:acme::Wörter", "cache_read": 123_456_789, "output": 98_765, "requests": 11},
        {"model": "a-model-of-nobody", "output": 1000},
        {"model": None, "output": 77, "requests": 1},
        {"model": "gpt-5", "region": "eu", "output": 4_444, "requests": 2},
        {"family": "embeddings", "model": "text-embedding-3-small", "input_uncached": 9, "requests": 1},
        {"family": "images", "model": "gpt-image-1", "requests": 2, "quantity": 3, "unit": "images"},
    ]  # fmt: skip
    return [
        make.usage_row(starts_at=IN_OCTOBER + timedelta(hours=7 * at), **kind)
        for at in range(3)
        for kind in kinds
    ]


def closed(organization, rows: list | None = None) -> BillingPeriod:
    """An October that is frozen and settled, with a receipt if there is something to retire."""
    with tenancy.organization(organization.pk):
        if rows is not None:
            make.record(make.connection(make.default_project(organization), account="org-of-october"), *rows)
        load_batches([retired(1, 1, block=organization.slug)])
        close.close(organization_id=organization.pk, now=SETTLED)
        period = BillingPeriod.unscoped.get(month=OCTOBER.first_day)
        return settle(organization_id=organization.pk, period_id=period.pk, now=SETTLED)


def packed(period: BillingPeriod) -> AuditPack:
    with tenancy.organization(period.organization_id):
        pack, _ = order(organization_id=period.organization_id, period_id=period.pk)
        return build(organization_id=period.organization_id, pack_id=pack.pk, now=SETTLED)


def files_of(pack: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def said_of(path: Path, *options: str) -> tuple[int, str]:
    """The status and the words of the script, of a zip or a folder."""
    words: list[str] = []
    status = recalculate.main([str(path), *options], words.append)
    return status, "".join(words)
