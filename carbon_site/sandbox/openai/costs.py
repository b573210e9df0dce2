"""The cost report: US dollars a day, exact to ten places. The prices are about those of 2026, and nobody's."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from carbon_site.sandbox.openai import callers
from carbon_site.sandbox.openai.callers import CALLERS, Caller, dimensions, email, organization_id, token
from carbon_site.sandbox.openai.errors import invalid
from carbon_site.sandbox.openai.history import Account, Totals, View
from carbon_site.sandbox.openai.query import Askable, Query, Width
from carbon_site.sandbox.traffic import DAY

API_KEYS_SINCE = 1_764_979_200  # 2025-12-06: before it costs are not known by key
PLACES = 10  # an amount is a whole number of ten-billionths of a dollar
ASKABLE = Askable(
    dimensions=("project_id", "user_id", "line_item", "api_key_id", "api_source"),
    filters={"project_ids": "project_id", "api_key_ids": "api_key_id", "line_items": "line_item"},
    widths={"1d": Width(DAY, 7, 180)},
)


class Price(NamedTuple):
    """Ten-billionths of a dollar for one token."""

    input: int
    cached: int = 0
    output: int = 0


PRICES = {
    callers.GPT_5_2: Price(17_500, 1_750, 140_000),
    callers.GPT_4O: Price(25_000, 12_500, 100_000),
    callers.GPT_5_MINI: Price(2_500, 250, 20_000),
    callers.GPT_3_5: Price(5_000, 5_000, 15_000),
    callers.FINE_TUNE: Price(120_000, 120_000, 120_000),
    callers.EMBEDDING: Price(200),
}
PER_CALL = {
    "web_search_calls": ("web search tool calls", 100_000_000),
    "file_search_calls": ("file search tool calls", 25_000_000),
}
HALVES = {"batch": 1, "flex": 1, "default": 2, "priority": 4}  # of the list price


class Charge(NamedTuple):
    line_item: str
    amount: int  # ten-billionths of a dollar
    quantity: int
    unit: str | None = "tokens"


def charges(caller: Caller, used: Totals) -> Iterator[Charge]:
    """What a caller's usage costs, item by item. Moderations are free."""
    if caller.family in PER_CALL and used.requests:
        name, price_of_call = PER_CALL[caller.family]
        yield Charge(name, used.requests * price_of_call, used.requests, None)
    if caller.family not in ("completions", "embeddings"):
        return
    price, halves = PRICES[caller.model], HALVES["batch" if caller.batch else caller.service_tier]
    for item, quantity, rate in (
        ("input", used.uncached + used.written, price.input),
        ("cached input", used.cached, price.cached),
        ("output", used.output, price.output),
    ):
        if quantity:
            yield Charge(f"{caller.model}, {item}", quantity * rate * halves // 2, quantity)


def is_new_style(account: str) -> bool:
    """Every second account is answered with amounts as strings, and with its organization's id."""
    return int(token(account, "style", ""), 16) % 2 == 1


def refuse(query: Query) -> None:
    """Raises Refused for what only this report refuses."""
    grouped = set(query.group_by)
    if "api_key_id" in grouped and query.start < API_KEYS_SINCE:
        message = f"group_by=api_key_id is only supported for start_time >= {API_KEYS_SINCE}."
        raise invalid(message, "start_time")
    if "user_id" in grouped and ("project_id" in grouped or "project_id" in query.filters):
        raise invalid("user_id cannot be combined with project_id for this organization.", "group_by")


def rows(query: Query, view: View, start: int, end: int) -> list[dict[str, Any]]:
    """What one day holds: a row for each group that has cost anything. With a user comes an address."""
    refuse(query)
    told = [*query.group_by, *(["user_email"] if "user_id" in query.group_by else [])]
    groups: dict[tuple[Any, ...], list[Charge]] = defaultdict(list)
    for values, charge in _charged(query, view, start, end):
        groups[tuple(values[name] for name in told)].append(charge)
    blank = dict.fromkeys(ASKABLE.dimensions)
    return [
        _bill(charged, view.account, "line_item" in told) | blank | dict(zip(told, group, strict=True))
        for group, charged in groups.items()
    ]


def _charged(query: Query, view: View, start: int, end: int) -> Iterator[tuple[dict[str, Any], Charge]]:
    used = view.used(start, end)
    for caller, values, total in zip(CALLERS, dimensions(view.account.name), used, strict=True):
        address = email(view.account.name, caller.key.owner)
        for charge in charges(caller, total):
            known = values | {"line_item": charge.line_item, "user_email": address}
            if all(known[name] in allowed for name, allowed in query.filters.items()):
                yield known, charge


def _bill(charged: Sequence[Charge], account: Account, is_by_item: bool) -> dict[str, Any]:
    value = Decimal(sum(charge.amount for charge in charged)).scaleb(-PLACES)
    is_new = is_new_style(account.name)
    return {
        "object": "organization.costs.result",
        "amount": {"value": str(value) if is_new else float(value), "currency": "usd"},
        "quantity": sum(charge.quantity for charge in charged) if is_by_item else None,
        "quantity_unit": charged[0].unit if is_by_item else None,
    } | ({"organization_id": organization_id(account.name)} if is_new else {})
