"""Who uses the service, with what keys, for which projects and workloads, and what their plan allows."""

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from carbon_site.ids import PrefixedIdField
from projects.tenancy import OrganizationOwned, OrganizationQuerySet


class Role(models.TextChoices):
    ADMIN = "admin"
    MEMBER = "member"
    AUDITOR = "auditor"


class Organization(models.Model):
    """A customer. Everything else is some organisation's."""

    class RetireBasis(models.TextChoices):
        MEAN = "mean"
        CENTRAL = "central"
        HIGH = "high"

    id = PrefixedIdField("org")
    slug = models.SlugField(max_length=60, unique=True, editable=False)
    name = models.CharField(max_length=120)
    directory_id = models.CharField(
        max_length=120, null=True, unique=True, editable=False,
        help_text="the identity provider's id of this organisation, or of the person if it is a personal one",
    )  # fmt: skip
    public_name = models.CharField(max_length=120, blank=True, help_text="printed on receipts if not empty")
    timezone = models.CharField(
        max_length=64, default="UTC", help_text="reports default to it; periods are UTC months"
    )
    fiscal_year_start = models.PositiveSmallIntegerField(default=1, help_text="month, 1 to 12")
    retire_basis = models.CharField(max_length=8, choices=RetireBasis, default=RetireBasis.MEAN)
    quality_policy = models.CharField(max_length=40, default="house", help_text="which credits are retired")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="fiscal_year_starts_in_a_month", condition=Q(fiscal_year_start__range=(1, 12))
            ),
            models.CheckConstraint(
                name="retire_basis_is_known", condition=Q(retire_basis__in=["mean", "central", "high"])
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def organization_id(self) -> str:
        return self.pk


class Membership(OrganizationOwned):
    """A person in an organisation, as the identity provider last said."""

    user = models.CharField(
        max_length=120, editable=False, help_text="the identity provider's id of the person"
    )
    role = models.CharField(max_length=8, choices=Role, editable=False)
    seen_at = models.DateTimeField(editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="a_person_is_a_member_once", fields=["organization", "user"]),
            models.CheckConstraint(name="membership_role_is_known", condition=Q(role__in=Role.values)),
        ]


class ArchivableQuerySet(OrganizationQuerySet):
    def active(self) -> Self:
        return self.filter(archived_at=None)


class Project(OrganizationOwned):
    """What an organisation keeps apart: a product, a team, a customer of theirs."""

    id = PrefixedIdField("prj")
    name = models.CharField(max_length=120)
    is_default = models.BooleanField(
        default=False, editable=False, help_text="takes what no other project claims"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    unscoped: ClassVar[Any] = ArchivableQuerySet.as_manager()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="active_projects_have_their_own_name",
                fields=["organization", "name"],
                condition=Q(archived_at=None),
            ),
            models.UniqueConstraint(
                name="one_default_project_each", fields=["organization"], condition=Q(is_default=True)
            ),
            models.CheckConstraint(
                name="the_default_project_stays", condition=Q(is_default=False) | Q(archived_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name


LAST = 2**31 - 1  # the turn of a catch-all


class Workload(OrganizationOwned):
    """A part of a project's usage, told apart by rules. What no rule claims goes to the project's catch-all."""

    id = PrefixedIdField("wkl")
    project = models.ForeignKey(Project, models.PROTECT, related_name="workloads", editable=False)
    name = models.CharField(max_length=120)
    rules = models.JSONField(default=list, help_text="any of them claims usage; each says what must match")
    priority = models.PositiveIntegerField(default=100, help_text="lower is asked first")
    is_catch_all = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    unscoped: ClassVar[Any] = ArchivableQuerySet.as_manager()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="active_workloads_have_their_own_name",
                fields=["project", "name"],
                condition=Q(archived_at=None),
            ),
            models.UniqueConstraint(
                name="one_catch_all_each", fields=["project"], condition=Q(is_catch_all=True)
            ),
            models.CheckConstraint(
                name="a_workload_has_rules_or_catches_all",
                condition=Q(is_catch_all=True, rules=[], priority=LAST, archived_at=None)
                | Q(is_catch_all=False, priority__lt=LAST) & ~Q(rules=[]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(OrganizationQuerySet):
    def usable(self, now: datetime) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class ApiKey(OrganizationOwned):
    """A credential of a program. The key itself is shown once and kept only as its hash."""

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"

    id = PrefixedIdField("key")
    name = models.CharField(max_length=120)
    digest = models.BinaryField(max_length=32, unique=True, editable=False, help_text="SHA-256 of the key")
    hint = models.CharField(max_length=4, editable=False, help_text="the key's last four characters")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.READ, help_text="write includes read")
    made_by = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="to the minute")

    unscoped: ClassVar[Any] = ApiKeyQuerySet.as_manager()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.CheckConstraint(name="key_role_is_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(name="key_scope_is_known", condition=Q(scope__in=["read", "write"])),
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"

    @staticmethod
    def digest_of(key: str) -> bytes:
        return hashlib.sha256(key.encode()).digest()


class Entitlement(OrganizationOwned):
    """What the organisation's plan allows of one thing. Written by billing; where there is none, the free plan holds."""

    name = models.CharField(max_length=40, editable=False)
    limit = models.BigIntegerField(null=True, editable=False, help_text="null: as much as you like")
    until = models.DateTimeField(null=True, editable=False)
    plan = models.CharField(max_length=40, editable=False)
    next_plan = models.CharField(
        max_length=40, null=True, editable=False, help_text="the cheapest that allows more"
    )

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(name="one_entitlement_of_a_name", fields=["organization", "name"]),
            models.CheckConstraint(name="a_limit_is_not_negative", condition=Q(limit=None) | Q(limit__gte=0)),
        ]


class Job(OrganizationOwned):
    """Long work that was started through the API: where it stands, and what came of it."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = PrefixedIdField("job")
    kind = models.CharField(max_length=40, editable=False)
    subject = models.CharField(
        max_length=120, blank=True, editable=False, help_text="the id of what is worked on"
    )
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED, editable=False)
    done = models.PositiveBigIntegerField(default=0, editable=False)
    total = models.PositiveBigIntegerField(null=True, editable=False, help_text="null: not known yet")
    result = models.JSONField(null=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="one_job_at_a_time_on_a_subject",
                fields=["organization", "kind", "subject"],
                condition=Q(state__in=["queued", "running"]),
            ),
            models.CheckConstraint(
                name="job_is_finished_exactly_when_it_says_so",
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | Q(state__in=["done", "failed"], finished_at__isnull=False),
            ),
        ]


class IdempotentAnswer(OrganizationOwned):
    """A creating request that carried an Idempotency-Key: claimed before the work, then answered the same for a day."""

    credential = models.CharField(max_length=150, editable=False)
    key = models.CharField(max_length=200, editable=False)
    route = models.CharField(max_length=300, editable=False)
    body_digest = models.BinaryField(max_length=32, editable=False)
    object_id = models.CharField(
        max_length=40, editable=False, help_text="the id that the new object has or will have"
    )
    claimed_at = models.DateTimeField(editable=False)
    status = models.PositiveSmallIntegerField(null=True, editable=False)
    answer = models.JSONField(null=True, editable=False)
    is_secret = models.BooleanField(
        default=False, editable=False, help_text="the answer showed a secret and was not kept"
    )

    class Meta(OrganizationOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                name="one_answer_to_an_idempotency_key", fields=["organization", "credential", "key"]
            ),
        ]
        indexes = [models.Index(fields=["claimed_at"], name="idempotent_answer_by_age")]

    @property
    def is_answered(self) -> bool:
        return self.status is not None
