"""What the page of a receipt shows: the values of the signed document, in the words and units of people."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Said = Mapping[str, Any]
MICRO, MILLI = 6, 3
CLASSES = {
    "inputUncached": "input",
    "cacheRead": "cache read",
    "cacheWrite": "cache write",
    "output": "output",
}


def page(document: Said, *, customer: str, shown: int) -> dict[str, Any]:
    """For the template; of its retirements the first `shown`, and how many more there are."""
    said = document["credentialSubject"]
    stated, start, end = said["credits"], *map(_moment, (said["period"]["start"], said["period"]["end"]))
    retirements = stated["retirements"]
    return {
        "number": said["receiptNumber"],
        "issuer": document["issuer"],
        "issued_at": f"{_moment(document['validFrom']):%Y-%m-%d %H:%M:%S}",
        "start": f"{start:%Y-%m-%d}",
        "end": f"{end - timedelta(days=1):%Y-%m-%d}",
        "customer": customer,
        "retired": amount(stated["retiredMg"], MILLI),
        "emissions": {
            name: amount(said["emissions"][f"{name}Ug"], MICRO) for name in ("low", "central", "high", "mean")
        },
        "interval": said["emissions"]["interval"],
        "statement": said["statement"],
        "energy": {name: amount(said["energy"][f"{name}Uwh"], MICRO) for name in ("facility", "it")},
        "tokens": list(_tokens(said["activity"]["total"])),
        "coverage": said["activity"]["coverage"],
        "factor_set": said["factorSet"],
        "ledger": said["ledger"],
        "retirements": [_retirement(each) for each in retirements[:shown]],
        "more": len(retirements[shown:]),
        "is_demonstration": any(each.get("demonstration") for each in retirements),
        "key_id": document["proof"]["verificationMethod"],
        "separate": stated["statement"],
    }


def amount(count: str, places: int) -> str:
    """A whole number of a small unit in one that is 10^places as large, exactly: 7000500 mg are 7,000.5 g."""
    whole, _, part = f"{Decimal(count).scaleb(-places):,f}".partition(".")
    return f"{whole}.{part}".rstrip("0").rstrip(".")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _tokens(total: Said) -> Iterator[tuple[str, str]]:
    """Each class that a provider states: what is not known is not shown as 0."""
    for member, name in CLASSES.items():
        if member in total:
            yield name, f"{int(total[member]):,}"


def _retirement(said: Said) -> dict[str, str]:
    begin, length = int(said["offsetMg"]), int(said["lengthMg"])
    return {
        "grams": amount(said["lengthMg"], MILLI),
        "registry": said["registry"],
        "project_id": said["projectId"],
        "project_name": said["projectName"],
        "country": said.get("country", ""),
        "kind": said["creditType"],
        "vintage": said["vintage"],
        "first": said["serials"]["first"],
        "last": said["serials"]["last"],
        "begin": amount(str(begin), MILLI),
        "end": amount(str(begin + length), MILLI),
        "batch": amount(said["batchMg"], MILLI),
        "retired_on": said["retiredOn"],
    }
