"""What each caller of an account used, hour by hour: drawn, never stored, and remembered while there is room."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from carbon_site.sandbox.openai.callers import CALLERS, Caller
from carbon_site.sandbox.state import State
from carbon_site.sandbox.traffic import DAY, HOUR, Recorded, draw, share

DAYS_BEFORE = 60  # of history, on the day an account is first seen
SINCE = re.compile(
    r".*-since-([0-9]{4}-[0-9]{2}-[0-9]{2})"
)  # an account whose name says where its history begins
HOURS_KEPT = 8192  # in memory, some 5 kB each


class Totals(NamedTuple):
    """Sums over requests; the last two and the first count requests, the others tokens."""

    requests: int = 0
    input: int = 0
    cached: int = 0
    written: int = 0
    written_30m: int = 0
    written_12h: int = 0
    output: int = 0
    detailed: int = 0  # requests of which more is told than is required
    split: int = 0  # of those, requests of which is told for how long a cache write is kept

    def plus(self, other: "Totals") -> "Totals":
        return Totals(*map(sum, zip(self, other, strict=True)))

    @property
    def uncached(self) -> int:
        return self.input - self.cached - self.written


@dataclass(frozen=True, slots=True)
class Account:
    """An organization at OpenAI, as the sandbox has it."""

    name: str
    first_hour: int  # Unix seconds; before it nothing was used
    late: Mapping[str, int]  # by hour: requests of the first caller that a revision added

    def late_at(self, hour: int) -> int:
        return self.late.get(str(hour), 0)


class Accounts:
    """Every account that was ever seen. Its first hour is kept, so its history does not move."""

    def __init__(self, state: State) -> None:
        self._state, self._known = state, state.section("openai")

    def at(self, name: str, now: int) -> Account:
        """The account of this name; seen for the first time it gets its history."""
        if name not in self._known:
            self._known[name] = {"first_hour": _first_hour(name, now), "late": {}}
            self._state.save()
        return Account(name, **self._known[name])

    def revise(self, account: Account, hour: int, requests: int) -> None:
        self._known[account.name]["late"][str(hour)] = account.late_at(hour) + requests
        self._state.save()


def _first_hour(name: str, now: int) -> int:
    if since := SINCE.fullmatch(name):
        with suppress(ValueError):
            return int(datetime.fromisoformat(since[1]).replace(tzinfo=UTC).timestamp())
    return now - now % HOUR - DAYS_BEFORE * DAY


def drawn(name: str, caller: int, hour: int, late: int) -> list[Recorded]:
    """The requests of one caller in one hour."""
    who = CALLERS[caller]
    rate = who.busiest * share(who.rhythm, hour)
    return draw(who.recording, f"{name}/{caller}", hour, rate, late if caller == 0 else 0)


def total(caller: Caller, requests: Sequence[Recorded]) -> Totals:
    """Their sum, as far as the rows of this caller tell it."""
    if not requests:
        return Totals()
    _, tokens_in, cached, short, long, output = map(sum, zip(*requests, strict=True))
    if caller.is_bare:
        return Totals(len(requests), tokens_in, output=output)
    if not caller.writes_cache:
        short = long = 0
    known = Totals(len(requests), tokens_in, cached, short + long, output=output, detailed=len(requests))
    if not caller.splits_writes:
        return known
    return known._replace(written_30m=short, written_12h=long, split=len(requests))


@lru_cache(maxsize=HOURS_KEPT)
def whole_hour(name: str, hour: int, late: int) -> tuple[Totals, ...]:
    """For each caller, once the hour is over."""
    return tuple(total(caller, drawn(name, index, hour, late)) for index, caller in enumerate(CALLERS))


@dataclass(frozen=True, slots=True)
class View:
    """What somebody who asks at `now` is shown: no more than has happened, and less where an hour still grows."""

    account: Account
    now: int
    growing: Mapping[int, float]  # by hour: the share of its requests that has arrived, if not all

    def used(self, start: int, end: int) -> list[Totals]:
        """For each caller its usage within [start, end)."""
        used = [Totals()] * len(CALLERS)
        for part in self._hours(max(start, self.account.first_hour), min(end, self.now)):
            used = [sum_.plus(more) if more.requests else sum_ for sum_, more in zip(used, part, strict=True)]
        return used

    def _hours(self, start: int, end: int) -> Iterator[tuple[Totals, ...]]:
        for hour in range(start - start % HOUR, end, HOUR):
            if start <= hour and hour + HOUR <= end and hour not in self.growing:
                yield whole_hour(self.account.name, hour, self.account.late_at(hour))
            else:
                yield tuple(self._part(index, hour, start, end) for index in range(len(CALLERS)))

    def _part(self, caller: int, hour: int, start: int, end: int) -> Totals:
        requests = drawn(self.account.name, caller, hour, self.account.late_at(hour))
        arrived = requests[: int(len(requests) * self.growing.get(hour, 1))]
        return total(CALLERS[caller], [each for each in arrived if start <= hour + each.second < end])
