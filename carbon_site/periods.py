"""Spans of time: half-open and in UTC. An accounting period is a calendar month of UTC, named by its first day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Period:
    """All instants from `start` up to, but not including, `end`. Raises ValueError unless both are in UTC and in order."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for instant in (self.start, self.end):
            if instant.utcoffset() != timedelta(0):
                raise ValueError(f"{instant.isoformat()} is not in UTC")
        if self.start >= self.end:
            raise ValueError(f"{self} does not end after its start")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def __str__(self) -> str:
        return f"[{self.start.isoformat()}, {self.end.isoformat()})"

    @classmethod
    def month(cls, year: int, month: int) -> Self:
        years, months = divmod(month, 12)
        return cls(datetime(year, month, 1, tzinfo=UTC), datetime(year + years, months + 1, 1, tzinfo=UTC))

    @classmethod
    def containing(cls, instant: datetime) -> Self:
        """The month in which an instant lies."""
        there = instant.astimezone(UTC)
        return cls.month(there.year, there.month)

    @property
    def first_day(self) -> date:
        """The name of a month."""
        return self.start.date()

    def before(self) -> Self:
        """The month before the one in which this starts."""
        return self.containing(self.containing(self.start).start - timedelta(days=1))

    def after(self) -> Self:
        """The month after the one in which this starts."""
        return self.containing(self.containing(self.start).end)

    def months(self) -> Iterator[Self]:
        """The whole months that this touches, the earliest first."""
        month = self.containing(self.start)
        while month.start < self.end:
            yield month
            month = month.after()
