"""What outlives the process, in one JSON file: since when each account has a history, what was revised, who signs."""

import json
import os
from pathlib import Path
from typing import Any


class State:
    """A section of plain values for each part of the world. Without a file it lasts as long as the process."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._sections: dict[str, dict[str, Any]] = {}
        if file and file.exists():
            self._sections = json.loads(file.read_text())

    def section(self, name: str) -> dict[str, Any]:
        return self._sections.setdefault(name, {})

    def save(self) -> None:
        """Write all of it or nothing; it holds a private key, so for the owner only."""
        if self._file is None:
            return
        draft = self._file.with_suffix(".draft")
        with open(draft, "w", opener=_private) as file:
            json.dump(self._sections, file, indent=1)
        draft.replace(self._file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
