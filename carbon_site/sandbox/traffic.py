"""A history out of one recorded hour.

Each hour of whoever calls is the recorded hour, thinned: every so many recorded requests, at the second at which they
were recorded. How many follows the hours of the working week; where to begin is drawn from who calls and the hour. So
nothing is stored, any hour can be drawn again, and each request in it was a real one.
"""

import csv
import gzip
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"
HOUR, DAY = 3600, 86_400
BLOCK = 512  # tokens: what a prompt cache keeps or drops
KEPT_LONG = 16_384  # a prompt of so many tokens is worth 12 hours in the cache, a shorter one 30 minutes
WEEKEND = 5  # Monday is 0
MAINTENANCE = (6, range(3, 5))  # Sundays from 03:00 to 05:00 nobody calls
QUIET_WEEKEND = 0.2

RHYTHMS: dict[str, Sequence[float]] = {  # share of the busiest hour, by hour of the day in UTC
    "office": [
        0,
        0,
        0,
        0,
        0,
        0.05,
        0.2,
        0.5,
        0.8,
        1,
        1,
        0.9,
        0.7,
        0.8,
        1,
        1,
        0.9,
        0.7,
        0.4,
        0.3,
        0.2,
        0.1,
        0.05,
        0,
    ],
    "night": [1, 1, 0.8, 0.5, 0.2] + [0] * 18 + [0.6],
    "steady": [1] * 24,
}


class Recorded(NamedTuple):
    """One recorded request. The classes of input are parts of `input`; all but `second` are tokens."""

    second: int
    input: int
    cached: int
    written_30m: int
    written_12h: int
    output: int


@cache
def recording(name: str) -> list[Recorded]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt") as file:
        return [_recorded(*map(int, row)) for row in list(csv.reader(file))[1:]]


def _recorded(second: int, tokens_in: int, cached: int, tokens_out: int) -> Recorded:
    written = (tokens_in - cached) // BLOCK * BLOCK
    is_long = tokens_in >= KEPT_LONG
    kept = (0, written) if is_long else (written, 0)
    return Recorded(second, tokens_in, cached, *kept, tokens_out)


def share(rhythm: str, hour: int) -> float:
    """How busy the hour that begins at `hour` (Unix seconds) is, against the busiest of the week."""
    weekday, time = (hour // DAY + 3) % 7, hour % DAY // HOUR
    if weekday == MAINTENANCE[0] and time in MAINTENANCE[1]:
        return 0
    return RHYTHMS[rhythm][time] * (QUIET_WEEKEND if weekday >= WEEKEND and rhythm == "office" else 1)


def draw(name: str, who: str, hour: int, rate: float, late: int = 0) -> list[Recorded]:
    """The requests of one hour in the order of arrival: about `rate` of recording `name`, give or take a quarter.

    `late` more have become known since, or (below zero) so many fewer count.
    """
    recorded = recording(name)
    noise = int.from_bytes(blake2b(f"{who}/{hour}".encode(), digest_size=8).digest())
    wanted = round(rate * (750 + noise % 501) / 1000)
    every = len(recorded) // wanted if wanted else len(recorded)
    requests = recorded[noise // 501 % every :: every] if wanted else []
    if late > 0:
        first = noise // 501 % (len(recorded) - late)
        return sorted(requests + recorded[first : first + late])
    return requests[:late] if late else requests
