"""Shapes of periods and adjustments on the wire."""

from django.utils import timezone
from rest_framework import serializers

from billing.models import BillingPeriod, PriorPeriodAdjustment
from carbon_site.serializers import IdField, MassField
from carbon_site.units import grams, watt_hours

State = BillingPeriod.State
STANDING = {  # where a period stands, in one word
    State.FROZEN: "calculating",
    State.AWAITING_PAYMENT: "awaiting_payment",
    State.ALLOCATED: "retired",
    State.WAITING_SUPPLY: "waiting_supply",
    State.RECEIPTED: "receipted",
    State.SETTLED: "nothing_to_retire",
}


class PeriodSerializer(serializers.ModelSerializer):
    """Null: it is not frozen yet."""

    id = IdField("per", read_only=True)
    standing = serializers.SerializerMethodField()
    closes_at = serializers.SerializerMethodField()
    energy_wh = serializers.SerializerMethodField()
    co2e_g = MassField()
    merkle_root = serializers.SerializerMethodField()
    factors = serializers.CharField(source="factors.version", read_only=True, allow_null=True, default=None)
    retire_mg = serializers.SerializerMethodField()

    class Meta:
        model = BillingPeriod
        fields = [
            "id", "month", "revision", "standing", "closes_at", "frozen_at", "energy_wh", "co2e_g", "factors", "events",
            "merkle_root", "coverage", "retire_basis", "retire_mg",
        ]  # fmt: skip
        read_only_fields = fields

    def get_standing(self, period: BillingPeriod) -> str:
        """`collecting` while its month goes on, `calculating` until it is frozen and settled, then what came of it."""
        if period.is_open:
            return "collecting" if timezone.now() < period.span.end else "calculating"
        return STANDING[State(period.state)]

    def get_closes_at(self, period: BillingPeriod) -> str:
        return period.closes_at.isoformat().replace("+00:00", "Z")

    def get_energy_wh(self, period: BillingPeriod) -> float | None:
        return None if period.energy_uwh is None else watt_hours(period.energy_uwh)

    def get_merkle_root(self, period: BillingPeriod) -> str | None:
        """The Merkle root (RFC 6962) of its ledger rows, in hexadecimal."""
        return None if period.root is None else bytes(period.root).hex()

    def get_retire_mg(self, period: BillingPeriod) -> str | None:
        """Milligrams, as a decimal string."""
        return None if period.retire_mg is None else str(period.retire_mg)


class AdjustmentSerializer(serializers.ModelSerializer):
    """What a closed month came to be worth more or less after its close, and the period that takes it in."""

    id = IdField("adj", read_only=True)
    period = IdField("per", source="period_id", read_only=True)
    energy_wh = serializers.SerializerMethodField()
    co2e_g = serializers.SerializerMethodField()

    class Meta:
        model = PriorPeriodAdjustment
        fields = ["id", "period", "month", "since", "until", "events", "energy_wh", "co2e_g"]
        read_only_fields = fields

    def get_energy_wh(self, adjustment: PriorPeriodAdjustment) -> float:
        return watt_hours(adjustment.energy_uwh)

    def get_co2e_g(self, adjustment: PriorPeriodAdjustment) -> dict[str, float]:
        """Central and mean; a difference has no interval of its own."""
        return {"central": grams(adjustment.central_ug), "mean": grams(adjustment.mean_ug)}
