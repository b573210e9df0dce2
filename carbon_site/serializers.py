"""Fields that every serializer shares: ids as prefixed words, text that is clean."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from carbon_site.ids import MalformedId, decode
from carbon_site.logs import holds_key
from carbon_site.units import grams

STATISTICS = ("low", "central", "high", "mean")
EARLIEST, LATEST = 1970, 3000  # years of which anybody may ask
UNENCODED_PLUS = re.compile(r"T[\d:.]+ \d\d:?\d\d$")


class IdField(serializers.CharField):
    """A prefixed word such as `prj_01k9wq3m5ef2tbr5s3yd4w1x8a`."""

    def __init__(self, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        super().__init__(error_messages={"invalid": f"Not an id of the form {prefix}_…"}, **options)

    def to_internal_value(self, data: Any) -> str:
        word = super().to_internal_value(data)
        try:
            decode(word, self.prefix)
        except MalformedId:
            self.fail("invalid")
        return word


def refuse_keys(text: str) -> None:
    """A key that was pasted into the wrong field would be stored and shown."""
    if holds_key(text):
        raise serializers.ValidationError(
            "A key or token stands in it; only `api_key` of a connection takes one.", code="key"
        )


@extend_schema_field({"type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"})
class TextField(serializers.CharField):
    """One line of text: composed (NFC), trimmed, without control characters and keys, at most `max_length` characters."""

    default_error_messages = {"control": "Control characters are not allowed."}
    default_validators = [refuse_keys]

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
        if not EARLIEST <= said.year < LATEST:
            self.fail("invalid")
        if said.tzinfo is None:
            if len(data) != len("2026-11-03"):
                self.fail("naive")
            return said.replace(tzinfo=UTC)
        return said.astimezone(UTC)

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class QuerySerializer(serializers.Serializer):
    """What an address asks for. A name that is not known is refused: a mistyped filter would answer for everything."""

    PAGING = frozenset({"cursor", "limit"})

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked, or a 400 that names each parameter that does not fit."""
        return dict(_reader(cls).run_validation(asked))

    def to_internal_value(self, data: Any) -> Any:
        if unknown := sorted(set(data) - set(self.fields) - self.PAGING):
            raise serializers.ValidationError(dict.fromkeys(unknown, "No such parameter."), code="unknown")
        return super().to_internal_value(data)


@cache
def _reader(kind: type[QuerySerializer]) -> QuerySerializer:
    """One for all requests, as it keeps nothing of any: a serializer of each request's own would copy all fields first."""
    return kind()


class RangeSerializer(QuerySerializer):
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
    result = serializers.JSONField(read_only=True, allow_null=True)
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
