"""Shapes of figures on the wire: energy in Wh, emissions in grams of CO2e, plain numbers."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from carbon_site.serializers import IdField, RangeSerializer, TextField
from carbon_site.units import grams, watt_hours
from emissions.estimate import Estimate
from emissions.models import CarbonFactors
from emissions.summary import GRANULARITIES, GROUPS, Question, Row

TOKENS = ("input_uncached", "cache_read", "cache_write", "output")  # classes that share none
MOST_GROUPS = 4
MOST_ESTIMATES = 1000
MOST_TOKENS = 10**15


class QuestionSerializer(RangeSerializer):
    """Which usage, over which time, in which steps, told apart by what."""

    granularity = serializers.ChoiceField(GRANULARITIES, default="total")
    group_by = serializers.CharField(
        required=False, help_text=f"Up to {MOST_GROUPS} of {', '.join(GROUPS)}, with commas between."
    )
    project = IdField("prj", required=False)
    workload = IdField("wkl", required=False)
    connection = IdField("con", required=False)
    provider = TextField(max_length=20, required=False)
    model = TextField(max_length=300, required=False)

    def validate_group_by(self, said: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in said.split(",")))
        if unknown := set(names) - GROUPS.keys():
            raise serializers.ValidationError(f"Unknown: {', '.join(sorted(unknown))}.", code="unknown")
        if len(names) > MOST_GROUPS:
            raise serializers.ValidationError(f"At most {MOST_GROUPS}.", code="too_many")
        return names

    @classmethod
    def question(cls, asked: Mapping[str, Any], organization_id: str) -> Question:
        said = cls.read(asked)
        times = {name: said.pop(name) for name in ("start", "end", "granularity")}
        return Question(organization_id, **times, group_by=said.pop("group_by", ()), filters=said)


class MassSerializer(serializers.Serializer):
    """Grams of CO2e. Central and mean add up; low and high are a 95 % interval of this very sum, and never add."""

    low = serializers.FloatField()
    central = serializers.FloatField()
    high = serializers.FloatField()
    mean = serializers.FloatField()


class UsageRowSerializer(serializers.Serializer):
    """Null: no provider states it."""

    starts_at = serializers.DateTimeField(allow_null=True, help_text="Of the step; null in a total.")
    input_uncached = serializers.IntegerField(allow_null=True)
    cache_read = serializers.IntegerField(allow_null=True)
    cache_write = serializers.IntegerField(allow_null=True)
    cache_write_long = serializers.IntegerField(
        allow_null=True, help_text="The part of `cache_write` kept an hour or more."
    )
    output = serializers.IntegerField(allow_null=True)
    requests = serializers.IntegerField(allow_null=True)
    cache_hit_ratio = serializers.FloatField(allow_null=True, help_text="Cached reads of all input.")
    project = serializers.CharField(required=False)
    workload = serializers.CharField(required=False)
    connection = serializers.CharField(required=False, allow_null=True)
    provider = serializers.CharField(required=False)
    model = serializers.CharField(required=False, allow_null=True)
    tier = serializers.CharField(required=False, allow_null=True)
    service_tier = serializers.CharField(required=False, allow_null=True)


class EmissionsRowSerializer(UsageRowSerializer):
    energy_wh = serializers.FloatField(help_text="Of the data centre: IT energy times PUE.")
    co2e_g = MassSerializer()
    cost = serializers.IntegerField(allow_null=True, help_text="Not reported yet: null.")
    avoided_by_cache_co2e_g = serializers.FloatField(allow_null=True, help_text="Not reported yet: null.")
    g_per_million_tokens = serializers.FloatField(
        allow_null=True, help_text="Central grams a million tokens of all classes."
    )


class UnmappedModelSerializer(serializers.Serializer):
    model = serializers.CharField(allow_null=True)
    tokens = serializers.IntegerField()
    share = serializers.FloatField(help_text="Of all tokens in the answer.")


class NotEstimatedSerializer(serializers.Serializer):
    family = serializers.CharField(help_text="The kind of usage: counted, and not estimated.")
    tokens = serializers.IntegerField()
    requests = serializers.IntegerField()


class CoverageSerializer(serializers.Serializer):
    """How much of the time was read, and what the figures do not know or leave out."""

    hours_expected = serializers.IntegerField()
    hours_observed = serializers.IntegerField()
    hours_missing = serializers.IntegerField()
    unmapped_models = UnmappedModelSerializer(many=True)
    not_estimated = NotEstimatedSerializer(many=True)


class UsageSummarySerializer(serializers.Serializer):
    results = UsageRowSerializer(many=True)
    coverage = CoverageSerializer()


class EmissionsSummarySerializer(serializers.Serializer):
    results = EmissionsRowSerializer(many=True)
    coverage = CoverageSerializer()
    factor_versions = serializers.ListField(child=serializers.CharField())


def usage_row(row: Row) -> dict[str, Any]:
    counts = row.counts
    said = [counts[name] or 0 for name in ("input_uncached", "cache_read", "cache_write")]
    ratio = None if counts["cache_read"] is None or not sum(said) else counts["cache_read"] / sum(said)
    return {"starts_at": _instant(row.starts_at), **row.group, **counts, "cache_hit_ratio": _rounded(ratio)}


def emissions_row(row: Row) -> dict[str, Any]:
    tokens = sum(row.counts[name] or 0 for name in TOKENS)
    low, high = row.bounds_ug
    return usage_row(row) | {
        "energy_wh": watt_hours(row.energy_uwh),
        "co2e_g": mass(low, row.central_ug, high, row.mean_ug),
        "cost": None,
        "avoided_by_cache_co2e_g": None,
        "g_per_million_tokens": _rounded(row.central_ug / tokens) if tokens else None,
    }


def mass(low: float, central: int, high: float, mean: int) -> dict[str, float]:
    return {"low": grams(low), "central": grams(central), "high": grams(high), "mean": grams(mean)}


def _instant(instant: Any) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 6)


class EstimateRequestSerializer(serializers.Serializer):
    """One row of usage: a model, and the tokens of each class; what is not said is not known and counts as none."""

    provider = serializers.CharField(
        max_length=40, default="openai", help_text="Where it runs; unknown ones count as anywhere."
    )
    model = TextField(max_length=300)
    input_uncached = serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True
    )
    cache_read = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True)
    cache_write = serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True
    )
    cache_write_long = serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True
    )
    output = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True)
    requests = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True)
    service_tier = TextField(max_length=300, required=False, allow_null=True)
    region = TextField(
        max_length=300, required=False, allow_null=True, help_text="A region, where the provider has several."
    )

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if (said.get("cache_write_long") or 0) > (said.get("cache_write") or 0):
            raise serializers.ValidationError(
                {"cache_write_long": "It is a part of `cache_write`."}, code="part"
            )
        return said


class EstimateBatchSerializer(serializers.Serializer):
    rows = EstimateRequestSerializer(many=True, allow_empty=False, max_length=MOST_ESTIMATES)  # type: ignore[call-arg]


class EstimateSerializer(serializers.Serializer):
    """Null figures: tokens of this kind of model are counted, and not estimated."""

    model = serializers.CharField()
    kind = serializers.CharField()
    tier = serializers.CharField(allow_null=True)
    is_mapped = serializers.BooleanField(
        help_text="False: no row knows the model, and the default tier was taken."
    )
    energy_wh = serializers.FloatField(allow_null=True)
    co2e_g = MassSerializer(allow_null=True)


class EstimatesSerializer(serializers.Serializer):
    results = EstimateSerializer(many=True)
    total = EstimateSerializer()
    factor_version = serializers.CharField()


def estimate_row(estimate: Estimate) -> dict[str, Any]:
    figures = estimate.figures
    return {
        "model": estimate.model,
        "kind": estimate.kind,
        "tier": estimate.tier or None,
        "is_mapped": estimate.is_mapped,
        "energy_wh": figures and watt_hours(figures.energy_uwh),
        "co2e_g": figures and mass(figures.low_ug, figures.central_ug, figures.high_ug, figures.mean_ug),
    }


class FactorsSerializer(serializers.ModelSerializer):
    """A published set: its version, the SHA-256 of its canonical JSON, and since when."""

    id = IdField("fac", read_only=True)

    class Meta:
        model = CarbonFactors
        fields = ["id", "version", "sha256", "published_at"]
        read_only_fields = fields


class ModelMappingSerializer(serializers.Serializer):
    """A row of the newest set: the first whose pattern matches a model's whole normalised name."""

    order = serializers.IntegerField()
    vendor = serializers.CharField()
    kind = serializers.CharField()
    pattern = serializers.CharField()
    tier = serializers.CharField(help_text="`size`: by the numbers in the name. Empty: not estimated.")
    evidence = serializers.IntegerField(help_text="1, declared and assured, to 6, unknown.")
    reason = serializers.CharField()
