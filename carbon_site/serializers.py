"""Fields that every serializer shares: ids as prefixed words, text that is clean."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from carbon_site.ids import ALPHABET, LENGTH, MalformedId, decode
from carbon_site.units import grams

STATISTICS = ("low", "central", "high", "mean")
UNENCODED_PLUS = re.compile(r"T[\d:.]+ \d\d:?\d\d$")


class IdField(serializers.CharField):
    """A prefixed word such as `prj_01k9wq3m5ef2tbr5s3yd4w1x8a`."""

    default_error_messages = {"invalid": "Not an id of the form {prefix}_…"}

    def __init__(self, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        word = super().to_internal_value(data)
        try:
            decode(word, self.prefix)
        except MalformedId:
            self.fail("invalid", prefix=self.prefix)
        return word


class Schema(AutoSchema):
    """How the schema describes an endpoint: an id in its address is a prefixed word, where the database has a uuid."""

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._resolve_path_parameters(variables)
        for parameter in found:
            if parameter["name"] == "id":
                parameter.pop("description", None)
                parameter["schema"] = id_schema(self.view.model._meta.pk.prefix)
        return found


def id_schema(prefix: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{prefix}_[0-7][{ALPHABET}]{{{LENGTH - 1}}}$"}


class IdFieldSchema(OpenApiSerializerFieldExtension):
    """How the schema describes an id."""

    target_class = IdField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, str]:
        return id_schema(self.target.prefix)


class ListSchema(OpenApiSerializerFieldExtension):
    """How the schema describes a list in a body: also by how long it may be."""

    target_class = serializers.ListSerializer

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        rows = self.target
        schema: dict[str, Any] = auto_schema._map_serializer_field(rows, direction, bypass_extensions=True)
        if direction == "request":
            bounds = {"minItems": 0 if rows.allow_empty else 1, "maxItems": rows.max_length}
            schema |= {name: bound for name, bound in bounds.items() if bound}
        return schema


@extend_schema_field({"type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"})
class TextField(serializers.CharField):
    """One line of text: composed (NFC), trimmed, without control characters, at most `max_length` characters."""

    default_error_messages = {"control": "Control characters are not allowed."}

    def to_internal_value(self, data: Any) -> str:
        text = unicodedata.normalize("NFC", super().to_internal_value(data))
        if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
            self.fail("control")
        return text


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(serializers.Field):
    """An instant in RFC 3339 with its offset, or a bare date, which is its midnight in UTC."""

    default_error_messages = {
        "invalid": "Not an instant such as 2026-11-03T00:00:00Z, nor a date such as 2026-11-03.",
        "naive": "It has no offset: end it with Z.",
        "plus": "A + in an address means a space: write the offset's + as %2B.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        if UNENCODED_PLUS.search(data):
            self.fail("plus")
        try:
            said = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if said.tzinfo is None:
            if len(data) != len("2026-11-03"):
                self.fail("naive")
            return said.replace(tzinfo=UTC)
        try:
            return said.astimezone(UTC)
        except OverflowError:
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class RangeSerializer(serializers.Serializer):
    """Which time: `from` and `to` (exclusive), or a `range` that stands for both; the last 30 days if nothing is said."""

    RANGES = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}

    range = serializers.ChoiceField([*RANGES, "mtd", "last_month"], required=False)
    timezone = serializers.ChoiceField(["UTC"], default="UTC", help_text="Days and months are those of UTC.")

    def get_fields(self) -> dict[str, serializers.Field]:
        return super().get_fields() | {
            "from": InstantField(required=False, help_text="Inclusive."),
            "to": InstantField(required=False, help_text="Exclusive; now if not said."),
        }

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        """Adds `start` and `end`."""
        if "range" in said and ("from" in said or "to" in said):
            raise serializers.ValidationError("Say either `range`, or `from` and `to`.", code="both")
        now = timezone.now()
        end = said.pop("to", now)
        start = said.pop("from", None) or end - timedelta(days=self.RANGES["30d"])
        if "range" in said:
            start, end = self._span(said.pop("range"), now)
        if start >= end:
            raise serializers.ValidationError({"to": "It must be later than `from`."}, code="order")
        del said["timezone"]
        return said | {"start": start, "end": end}

    def _span(self, word: str, now: datetime) -> tuple[datetime, datetime]:
        """Whole days up to and with today, or a calendar month."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        month = midnight.replace(day=1)
        if word == "mtd":
            return month, now
        if word == "last_month":
            return (month - timedelta(days=1)).replace(day=1), month
        return midnight - timedelta(days=self.RANGES[word] - 1), now


class JobSerializer(serializers.Serializer):
    """Long work that a request started, as every route that starts some answers."""

    id = IdField("job", read_only=True)
    kind = serializers.CharField(read_only=True)
    subject = serializers.CharField(read_only=True, help_text="The id of what is worked on.")
    state = serializers.ChoiceField(["queued", "running", "done", "failed"], read_only=True)
    done = serializers.IntegerField(read_only=True)
    total = serializers.IntegerField(read_only=True, allow_null=True, help_text="Null: not known yet.")
    result = serializers.JSONField(read_only=True)
    error = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)


@extend_schema_field(
    {
        "type": ["object", "null"],
        "properties": {word: {"type": "number"} for word in STATISTICS},
        "required": list(STATISTICS),
    }
)
class MassField(serializers.Field):
    """The four `*_ug` columns of a row; on the wire grams of CO2e as plain numbers, or null where there is no figure."""

    def __init__(self, **options: Any) -> None:
        super().__init__(source="*", read_only=True, **options)

    def to_representation(self, row: Any) -> dict[str, float] | None:
        figures = {word: getattr(row, f"{word}_ug") for word in STATISTICS}
        return None if None in figures.values() else {word: grams(figure) for word, figure in figures.items()}
