"""What an account really used, from the drawn requests alone: no buckets, no pages, no faults."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from carbon_site.sandbox.openai.callers import CALLERS
from carbon_site.sandbox.openai.costs import PLACES, charges
from carbon_site.sandbox.openai.history import Account, Totals, drawn, total
from carbon_site.sandbox.openai.usage import FAMILIES
from carbon_site.sandbox.traffic import HOUR


def truth(account: Account, start: int, end: int) -> dict[str, Any]:
    """Sums over the requests within [start, end), by family and model, and what they cost."""
    usage: dict[str, dict[str, Totals]] = defaultdict(lambda: defaultdict(Totals))
    amount = 0
    for index, caller in enumerate(CALLERS):
        models = usage[caller.family]
        for hour in range(max(start - start % HOUR, account.first_hour), end, HOUR):
            requests = drawn(account.name, index, hour, account.late_at(hour))
            used = total(caller, [each for each in requests if start <= hour + each.second < end])
            models[caller.model] = models[caller.model].plus(used)
            amount += sum(charge.amount for charge in charges(caller, used))
    return {
        "account": account.name,
        "start": start,
        "end": end,
        "usage": {family: _answer(family, models) for family, models in usage.items()},
        "costs_usd": str(Decimal(amount).scaleb(-PLACES)),
    }


def _answer(family: str, models: dict[str, Totals]) -> dict[str, Any]:
    whole = Totals(*map(sum, zip(*models.values(), strict=True)))
    return {
        "total": _told(family, whole),
        "models": {model: _told(family, used) for model, used in models.items()},
    }


def _told(family: str, used: Totals) -> dict[str, int]:
    """The counters of a row, and the retention of cache writes as far as it is known, which a row may leave out."""
    split = {
        "input_cache_write_30m_tokens": used.written_30m,
        "input_cache_write_12h_tokens": used.written_12h,
    }
    return {**FAMILIES[family].counters(used), **(split if used.detailed and family == "completions" else {})}
