"""A zip that is the same on every machine: files in the order in which they are added, stored as they are, of one time.

Nothing is compressed, as each version of zlib compresses in its own way; so whoever checks it knows each byte of it.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

SUMS = "SHA256SUMS"


class Archive:
    """A zip that is being written, which ends with the SHA-256 of each file in it."""

    def __init__(self, file: IO[bytes], stamp: datetime) -> None:
        self._zip = ZipFile(file, "w", ZIP_STORED)
        self._stamp = stamp.astimezone(UTC)
        self._sums: list[str] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """A file, which is never in memory as a whole."""
        digest = hashlib.sha256()
        with self._zip.open(self._info(name), "w") as member:
            for chunk in chunks:
                digest.update(chunk)
                member.write(chunk)
        self._sums.append(f"{digest.hexdigest()}  {name}\n")

    def close(self) -> None:
        self._zip.writestr(self._info(SUMS), "".join(self._sums))
        self._zip.close()

    def _info(self, name: str) -> ZipInfo:
        info = ZipInfo(name, self._stamp.timetuple()[:6])
        info.create_system = 3  # Unix, whatever this machine is
        info.external_attr = 0o644 << 16
        return info
