"""The ledger of tokens, how it was read, and which months are closed."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from carbon_site.ids import PrefixedIdField
from connections.models import ProviderConnection
from projects.tenancy import OrganizationOwned, OrganizationQuerySet

TRAILING = timedelta(hours=6)  # read again each time: providers' buckets grow for a while


COUNTS = [
    "input_uncached",
    "cache_read",
    "cache_write",
    "cache_write_long",
    "output",
    "reasoning",
    "requests",
    "quantity",
]


class Heavy(OrganizationOwned):
    """Base of the tables that grow without end: no foreign key into or out of them, so that they can be split by month."""

    organization = models.ForeignKey(
        "projects.Organization",
        models.DO_NOTHING,
        related_name="+",
        editable=False,
        db_constraint=False,
        db_index=False,
    )
    starts_at = models.DateTimeField(editable=False)

    class Meta(OrganizationOwned.Meta):
        abstract = True


class TelemetryEventQuerySet(OrganizationQuerySet):
    def current(self) -> Self:
        return self.filter(superseded_at=None)

    def as_of(self, instant: datetime) -> Self:
        """The ledger as it stood then."""
        return self.filter(Q(superseded_at=None) | Q(superseded_at__gt=instant), observed_at__lte=instant)

    def within(self, start: datetime, end: datetime) -> Self:
        return self.filter(starts_at__gte=start, starts_at__lt=end)


class TelemetryEvent(Heavy):
    """What a provider said of one bucket of usage, in one revision. Only `superseded_at` is ever written again.

    Token classes are disjoint; null means that the provider does not say.
    """

    class Source(models.TextChoices):
        REPORTED = "reported"
        DECLARED = "declared"

    id = PrefixedIdField("evt")
    connection_id = PrefixedIdField("con", primary_key=False, null=True)
    project_id = PrefixedIdField("prj", primary_key=False)
    workload_id = PrefixedIdField("wkl", primary_key=False)
    provider = models.CharField(max_length=20, editable=False)
    source = models.CharField(max_length=8, choices=Source, default=Source.REPORTED, editable=False)
    identity = models.BinaryField(
        editable=False, help_text="SHA-256: the name of the bucket, whoever asks and whenever"
    )
    revision = models.PositiveIntegerField(editable=False)
    observed_at = models.DateTimeField(editable=False)
    superseded_at = models.DateTimeField(null=True, editable=False)
    family = models.CharField(max_length=40, editable=False)
    width = models.PositiveIntegerField(editable=False, help_text="seconds")
    model = models.CharField(max_length=300, null=True, editable=False)
    service_tier = models.CharField(max_length=300, null=True, editable=False)
    provider_project = models.CharField(max_length=300, null=True, editable=False)
    api_key = models.CharField(max_length=300, null=True, editable=False, help_text="the provider's id of it")
    region = models.CharField(max_length=300, null=True, editable=False)
    input_uncached = models.BigIntegerField(null=True, editable=False)
    cache_read = models.BigIntegerField(null=True, editable=False)
    cache_write = models.BigIntegerField(null=True, editable=False)
    cache_write_long = models.BigIntegerField(
        null=True, editable=False, help_text="the part of cache_write kept an hour or more"
    )
    output = models.BigIntegerField(null=True, editable=False)
    reasoning = models.BigIntegerField(null=True, editable=False, help_text="a part of output")
    requests = models.BigIntegerField(null=True, editable=False)
    quantity = models.BigIntegerField(null=True, editable=False)
    unit = models.CharField(max_length=20, null=True, editable=False)
    is_summed = models.BooleanField(
        default=False, editable=False, help_text="several rows of a page had this identity"
    )

    unscoped: ClassVar[Any] = TelemetryEventQuerySet.as_manager()

    class Meta(Heavy.Meta):
        constraints = [
            models.UniqueConstraint(
                name="one_current_revision",
                fields=["organization", "starts_at", "identity"],
                condition=Q(superseded_at=None),
            ),
            models.UniqueConstraint(
                name="revisions_are_numbered", fields=["organization", "starts_at", "identity", "revision"]
            ),
            models.CheckConstraint(
                name="counts_are_not_negative",
                condition=Q(*[Q(**{f"{name}__gte": 0}) | Q(**{name: None}) for name in COUNTS]),
            ),
            models.CheckConstraint(
                name="the_long_part_is_a_part_of_what_was_written",
                condition=Q(cache_write_long=None)
                | Q(cache_write__isnull=False, cache_write_long__lte=models.F("cache_write")),
            ),
            models.CheckConstraint(
                name="a_revision_is_superseded_later",
                condition=Q(superseded_at=None) | Q(superseded_at__gt=models.F("observed_at")),
            ),
        ]


class Ledger(OrganizationOwned):
    """The clock of an organisation's ledger: who writes it holds the lock, and every time is later than the one before."""

    organization = models.OneToOneField(
        "projects.Organization", models.PROTECT, primary_key=True, related_name="+", editable=False
    )
    observed_at = models.DateTimeField(editable=False)
    first_month = models.DateField(null=True, editable=False, help_text="of the earliest usage")


class RawPage(OrganizationOwned):
    """A page as the provider sent it, kept under its SHA-256. Read again in order, the pages make the same ledger."""

    connection = models.ForeignKey(ProviderConnection, models.PROTECT, related_name="+", editable=False)
    family = models.CharField(max_length=40, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    size = models.PositiveIntegerField(editable=False, help_text="bytes, unpacked")
    observed_at = models.DateTimeField(editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="a_page_is_kept_once_an_observation", fields=["organization", "observed_at"]
            ),
        ]

    @property
    def path(self) -> str:
        """Where it lies in the object storage."""
        return raw_path(self.organization_id, bytes(self.digest))


def raw_path(organization_id: str, digest: bytes) -> str:
    word = digest.hex()
    return f"raw/{organization_id}/{word[:2]}/{word}.json.gz"


class Span(NamedTuple):
    start: datetime
    end: datetime


class PollCursor(OrganizationOwned):
    """How far one family of a connection was read: up to the watermark, and within a span up to a page."""

    connection = models.ForeignKey(ProviderConnection, models.PROTECT, related_name="+", editable=False)
    family = models.CharField(max_length=40, editable=False)
    watermark = models.DateTimeField(editable=False)
    query_hash = models.CharField(
        max_length=64, blank=True, editable=False, help_text="of the query that `page` belongs to"
    )
    span_end = models.DateTimeField(null=True, editable=False, help_text="where that query ends")
    page = models.CharField(max_length=500, null=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [models.UniqueConstraint(name="one_cursor_a_family", fields=["connection", "family"])]


class PollRun(OrganizationOwned):
    """One reading of one family: its span, what came of it. An hour is observed when a span over it was read to its end."""

    connection = models.ForeignKey(ProviderConnection, models.PROTECT, related_name="+", editable=False)
    family = models.CharField(max_length=40, editable=False)
    span_start = models.DateTimeField(editable=False)
    span_end = models.DateTimeField(editable=False)
    started_at = models.DateTimeField(editable=False)
    finished_at = models.DateTimeField(
        null=True, editable=False, help_text="null: it did not come to its end"
    )
    pages = models.PositiveIntegerField(default=0, editable=False)
    rows = models.PositiveBigIntegerField(default=0, editable=False)
    changes = models.PositiveBigIntegerField(default=0, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        indexes = [models.Index(fields=["connection", "family", "span_end"], name="poll_run_by_span")]


class SealedMonth(OrganizationOwned):
    """This month of this organisation is closed: the ledger as of `observed_at` is its frozen list. Written by billing."""

    month = models.DateField(editable=False)
    observed_at = models.DateTimeField(editable=False)
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="a_month_is_sealed_once", fields=["organization", "month"]),
            models.CheckConstraint(name="sealed_month_is_a_first_day", condition=Q(month__day=1)),
        ]
