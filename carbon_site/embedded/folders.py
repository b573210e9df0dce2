"""The state folder: who may use it, and where the servers' files are that a closed or a long path would not serve.

up.lock          held by who runs here; that it exists says that the folder is ours
services.json    the addresses, while they run
pg16/, redis/    the data
sockets/         open to nobody but us, as the database trusts whoever reaches it
elsewhere        a link to a folder below /var/tmp, where one is needed
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carbon_site.embedded.children import Unable

LOCK = "up.lock"
OURS = {LOCK, "secret-store.key", "receipt-signing.key", "log-signing.key"}
LASTING = "/var/tmp"  # noqa: S108 - open to every user and, unlike /tmp, kept over a reboot; the folder's name is random
SOCKET_FOLDER = re.compile(
    rb"[\w/.-]{1,89}"
)  # needs no quoting in an address; macOS allows no more than 89 bytes


@contextmanager
def claim(state: Path) -> Iterator[None]:
    """Make the state folder, and be the only one to use it. Raises Unable where it is not ours, or is in use."""
    try:
        if state.exists() and (found := {entry.name for entry in state.iterdir()}) and not found & OURS:
            raise Unable(f"{state} holds files that are not ours. Set CARBON_STATE_DIR to a new folder.")
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = (state / LOCK).open("a")
    except OSError as error:
        raise Unable(
            f"{state} cannot be used ({error.strerror}). Set CARBON_STATE_DIR to another folder."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unable(f"Another `up` runs on {state}. Stop it first, or set CARBON_STATE_DIR.") from None
        yield


def servers_home(state: Path) -> Path:
    """Where the servers' own files go: the state folder, unless their user cannot get there (root's private home)."""
    return state.resolve() if server_user() is None or is_open(state.resolve()) else _elsewhere(state)


def socket_folder(state: Path) -> Path:
    path = servers_home(state) / "sockets"
    return path if SOCKET_FOLDER.fullmatch(os.fsencode(path)) else _elsewhere(state) / "sockets"


def server_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def is_open(path: Path) -> bool:
    """Can any user get there?"""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _elsewhere(state: Path) -> Path:
    link = state / "elsewhere"
    if not link.is_symlink():
        link.symlink_to(tempfile.mkdtemp(prefix="carbon-", dir=LASTING))
        link.chmod(0o711)
    if not link.exists():
        raise Unable(
            f"{link} leads to {link.readlink()}, which is gone, perhaps with a database. Remove the link to begin anew."
        )
    return link.resolve()
