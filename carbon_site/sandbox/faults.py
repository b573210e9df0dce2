"""What goes wrong, when somebody wants it to. A switch stays on until its `times` are used up or it is cleared."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from carbon_site.sandbox.wire import bad_switch

KINDS = {
    "throttled": "429 with Retry-After: retry_after seconds",
    "throttled_silent": "429 without Retry-After",
    "quota": "429 insufficient_quota, without Retry-After",
    "revoked": "the key no longer exists",
    "unscoped": "the key lacks a scope",
    "broken": "500",
    "slow": "answers after so many seconds",
    "truncated": "the JSON is cut in half",
    "growing": "so many buckets, the last closed hours, are not whole yet, and grow with each read",
    "duplicate": "the next page is this page once more, under another cursor",
    "same_cursor": "the next page's cursor is the one just used",
    "no_cursor": "there are more pages, but no cursor to them",
}
EVERYWHERE = {"slow", "truncated"}  # whoever is asked; the others are in the words of each part of the world


@dataclass
class Fault:
    """One switch that is on."""

    account: str | None = None  # None: whoever asks
    path: str = ""  # only requests whose path ends so
    after: int = 0  # so many requests pass first
    times: int | None = None  # so many are hit; None: until it is cleared
    retry_after: int = 20
    seconds: float = 2
    buckets: int = 1
    seen: int = field(default=0, init=False)

    @property
    def hits(self) -> int:
        return max(0, self.seen - self.after)

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.hits >= self.times

    def strikes(self) -> bool:
        """Count one more request: is it hit?"""
        if self.is_spent:
            return False
        self.seen += 1
        return self.hits > 0


class Switches:
    """Every fault that is on, by part of the world and kind; at most one of each for an account, and one for all."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str, str | None], Fault] = {}

    def set(self, part: str, kind: str, options: dict[str, Any]) -> None:
        try:
            fault = Fault(**options)
        except TypeError as error:
            raise bad_switch(str(error)) from error
        self._faults[part, kind, fault.account] = fault

    def clear(self, account: str | None = None) -> None:
        """All of them, or those of one account."""
        for key in [key for key in self._faults if account in (None, key[2])]:
            del self._faults[key]

    def standing(self, part: str, kind: str, account: str | None, path: str) -> Iterator[Fault]:
        """The switches that concern this request; an account's own goes first."""
        for whose in dict.fromkeys((account, None)):
            fault = self._faults.get((part, kind, whose))
            if fault and path.endswith(fault.path):
                yield fault

    def hit(self, part: str, kind: str, account: str | None, path: str) -> Fault | None:
        """The fault that this request meets, if any. It counts as a hit."""
        standing = self.standing(part, kind, account, path)
        return next((fault for fault in standing if fault.strikes()), None)

    def face(self) -> list[dict[str, Any]]:
        return [
            {"part": part, "kind": kind} | asdict(fault)
            for (part, kind, _), fault in self._faults.items()
            if not fault.is_spent
        ]
