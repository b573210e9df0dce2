"""A sweep: the rows that are due for something, and the step that does it to one of them.

The scheduled task queues the steps (`enqueue`); `manage.py job` takes the same steps in the foreground, with one `now`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Row = tuple[str, str]  # the organisation's id, and the row's


class Step(Protocol):
    """A task of one row. It may run twice, and does nothing where there is nothing left to do."""

    def __call__(self, organization_id: str, row_id: str, *, now: datetime) -> Any:
        """Take the step as if the clock showed `now`. A queued step is given no `now`, and looks at the clock."""

    def apply_async(self, args: Row, *, task_id: str) -> Any: ...


@dataclass(frozen=True)
class Sweep:
    """`due(now)` lists the rows. `verb` names their steps, so that no row is queued twice."""

    verb: str
    due: Callable[[datetime], Iterable[Row]]
    step: Step

    def rows(self, now: datetime) -> list[Row]:
        """All that is due, before the first step: a listing may see every organisation, and a step must not."""
        return list(self.due(now))

    def enqueue(self, now: datetime) -> None:
        for organization_id, row_id in self.rows(now):
            self.step.apply_async((organization_id, row_id), task_id=f"{self.verb}:{row_id}")
