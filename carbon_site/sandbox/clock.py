"""The time in the box: the real one, until somebody sets it."""

import time
from datetime import UTC, datetime
from typing import Any


class Clock:
    def __init__(self) -> None:
        self._ahead: float = 0  # seconds before the real time
        self._frozen_at: float | None = None

    def run_on(self) -> None:
        """Be the real time again."""
        self._ahead, self._frozen_at = 0, None

    def now(self) -> int:
        """Unix seconds."""
        return int(time.time() + self._ahead if self._frozen_at is None else self._frozen_at)

    def set(self, instant: datetime, *, frozen: bool) -> None:
        self._ahead = instant.timestamp() - time.time()
        self._frozen_at = instant.timestamp() if frozen else None

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
        if self._frozen_at is not None:
            self._frozen_at += seconds

    def face(self) -> dict[str, Any]:
        now = datetime.fromtimestamp(self.now(), UTC)
        return {"now": f"{now:%Y-%m-%dT%H:%M:%SZ}", "frozen": self._frozen_at is not None}
