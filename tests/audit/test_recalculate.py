"""`recalculate.py` finds whatever is changed in a pack, and says where; and it calculates as the program does."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import recalculate
from carbon_site import merkle
from emissions.calculate import combination_id
from emissions.factor_document import packaged
from emissions.methodology import Tokens, figures
from tests.audit.examples import closed, files_of, packed, said_of, usage
from tests.emissions.examples import EXAMPLES, ROWS, combination_of, names
from tests.receipts.examples import VECTORS

Files = dict[str, bytes]


@pytest.fixture
def pack(acme) -> bytes:
    with default_storage.open(packed(closed(acme, usage())).path) as file:
        return file.read()


def said_of_zip(folder: Path, content: bytes) -> tuple[int, str]:
    path = folder / "pack.zip"
    path.write_bytes(content)
    return said_of(path)


def with_byte(content: bytes, at: int, chosen: random.Random) -> bytes:
    """One byte is another one."""
    return content[:at] + bytes([content[at] ^ chosen.randint(1, 255)]) + content[at + 1 :]


def is_named(words: str, name: str, content: bytes, at: int) -> bool:
    """Whether a fault is said of the file, and in the ledger of the line, in which the byte stands."""
    faults = [line for line in words.splitlines() if line.startswith("       ")]
    place = f"{name} line {content[:at].count(10) + 1}" if name.startswith("ledger") else name
    return any(place in fault for fault in faults)


def changes_of_members(pack: bytes, folder: Path, count: int, seed: int) -> list[tuple[str, int]]:
    """Change a byte of a member, `count` times; what was not found, or not where it was."""
    chosen, files, missed = random.Random(seed), files_of(pack), []
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for turn in range(count):
        name = list(files)[turn % len(files)]
        at = chosen.randrange(len(files[name]))
        (folder / name).write_bytes(with_byte(files[name], at, chosen))
        status, words = said_of(folder)
        if status != 1 or not is_named(words, name, files[name], at):
            missed.append((name, at))
        (folder / name).write_bytes(files[name])
    return missed


def changes_of_the_zip(pack: bytes, folder: Path, count: int, seed: int) -> list[int]:
    """Change any byte of the zip, `count` times; what was not found, or not where it was."""
    chosen, missed = random.Random(seed), []
    for _ in range(count):
        at = chosen.randrange(len(pack))
        if not is_found(pack, at, *said_of_zip(folder, with_byte(pack, at, chosen))):
            missed.append(at)
    return missed


def is_found(pack: bytes, at: int, status: int, words: str) -> bool:
    """A byte around the files may be what keeps a zip from being read, or a file of it from being found."""
    name, content, place = place_of(pack, at)
    if name == "pack.zip":
        return status in (1, 2)
    return status == 1 and is_named(words, name, content, place)


def place_of(pack: bytes, at: int) -> tuple[str, bytes, int]:
    """The file in which a byte of the zip stands, its content, and where in it; else the zip itself."""
    for name, (start, content) in spans_of(pack).items():
        if start <= at < start + len(content):
            return name, content, at - start
    return "pack.zip", pack, at


@lru_cache(maxsize=1)
def spans_of(pack: bytes) -> dict[str, tuple[int, bytes]]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {
            info.filename: (info.header_offset + 30 + len(info.filename), archive.read(info))
            for info in archive.infolist()
        }


@pytest.mark.django_db
class TestOneByte:
    def test_of_any_file_is_found_and_its_place_is_named(self, pack, tmp_path):
        assert changes_of_members(pack, tmp_path, 100, seed=1) == []

    def test_of_the_zip_is_found(self, pack, tmp_path):
        assert changes_of_the_zip(pack, tmp_path, 100, seed=2) == []

    @pytest.mark.proof
    def test_is_found_500_times(self, pack, tmp_path):
        assert changes_of_members(pack, tmp_path, 250, seed=3) == []
        assert changes_of_the_zip(pack, tmp_path, 250, seed=4) == []

    def test_around_the_files_of_the_zip_is_found(self, pack, tmp_path):
        chosen, headers = random.Random(5), header_bytes(pack)

        for at in chosen.sample(headers, 60):
            status, words = said_of_zip(tmp_path, with_byte(pack, at, chosen))

            assert status in (1, 2), at
            assert "pack.zip" in words, at


def header_bytes(pack: bytes) -> list[int]:
    """Where the zip has bytes that are no file's."""
    return [at for at in range(len(pack)) if place_of(pack, at)[0] == "pack.zip"]


def forge(files: Files, change: Callable[[Files], None]) -> Files:
    """What somebody makes who changes the ledger or the manifest and then all that must agree with it, but has no key."""
    forged = dict(files)
    change(forged)
    lines = forged["ledger.jsonl"].splitlines()
    manifest = json.loads(forged["manifest.json"])
    manifest["ledger"] = {"merkleRoot": merkle.root_of(lines).hex(), "rows": str(len(lines))}
    forged["manifest.json"] = recalculate.canonical(manifest)
    forged["ledger.leaves"] = b"".join(merkle.leaf_hash(line).hex()[:8].encode() + b"\n" for line in lines)
    forged["SHA256SUMS"] = b"".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
        for name, content in forged.items()
        if name != "SHA256SUMS"
    )
    return forged


def said_of_files(files: Files, folder: Path) -> tuple[int, str]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return said_of(folder)


def replace_in(name: str, old: str, new: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode(), 1)

    return change


def change_row(number: int, **columns: Any) -> Callable[[Files], None]:
    """Change columns of a line of the ledger."""

    def change(files: Files) -> None:
        lines = files["ledger.jsonl"].splitlines()
        row = json.loads(lines[number - 1])
        for name, value in columns.items():
            row[recalculate.COLUMNS.index(name)] = value
        lines[number - 1] = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()
        files["ledger.jsonl"] = b"\n".join([*lines, b""])

    return change


def swap_lines(files: Files) -> None:
    first, second, *others = files["ledger.jsonl"].splitlines()
    files["ledger.jsonl"] = b"\n".join([second, first, *others, b""])


def change_manifest(files: Files, *path: str, to: Callable[[Any], Any]) -> None:
    manifest = json.loads(files["manifest.json"])
    inner = manifest
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to(inner[path[-1]])
    files["manifest.json"] = recalculate.canonical(manifest)


def one_more(*path: str) -> Callable[[Files], None]:
    return lambda files: change_manifest(files, *path, to=lambda word: str(int(word) + 1))


@pytest.mark.django_db
class TestForgery:
    def test_of_a_pack_that_nobody_touched_is_none(self, pack, tmp_path):
        assert said_of_files(forge(files_of(pack), lambda files: None), tmp_path)[0] == 0

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            (lambda files: change_row(2, output=10**6 + 1)(files), "ledger.jsonl line 2, central of output"),
            (lambda files: change_row(3, model="gpt-5-nano")(files), "ledger.jsonl line 3, combination"),
            (lambda files: change_row(3, provider="mistral")(files), "ledger.jsonl line 3, combination"),
            (lambda files: change_row(4, starts_at="2026-11-01T00:00:00Z")(files), "ledger.jsonl line 4, starts_at"),
            (swap_lines, "ledger.jsonl line 2, order"),
            (replace_in("ledger.jsonl", '"prj_', '"prj_x'), "receipt.json, ledger"),
            (one_more("figures", "lowUg"), "manifest.json, lowUg"),
            (one_more("figures", "highUg"), "manifest.json, highUg"),
            (one_more("figures", "centralUg"), "manifest.json, centralUg"),
            (one_more("figures", "energyUwh"), "manifest.json, energyUwh"),
            (one_more("retirement", "retireMg"), "manifest.json, retireMg"),
            (one_more("retirement", "carriedInMg"), "manifest.json, retireMg"),
            (replace_in("factor_set.json", '"value":"0.6"', '"value":"0.7"'), "factor_set.json, SHA-256"),
            (replace_in("receipt.json", '"meanUg":"', '"meanUg":"1'), "receipt.json, signature"),
            (replace_in("receipt.json", '"meanUg":"', '"meanUg":"1'), "receipt.json, emissions, meanUg"),
            (replace_in("receipt.json", '"lengthMg":"', '"lengthMg":"1'), "receipt.json, credits, retirements together"),
            (replace_in("receipt.json", '"rows":"', '"rows":"1'), "receipt.tlog-proof, root"),
            (replace_in("receipt.tlog-proof", "index 1", "index 0"), "receipt.tlog-proof"),
            (replace_in("README.txt", "month", "year"), None),
        ],
    )  # fmt: skip
    def test_is_found_though_hashes_were_made_to_fit(self, pack, tmp_path, change, place):
        status, words = said_of_files(forge(files_of(pack), change), tmp_path)

        assert status == (0 if place is None else 1), words
        assert place is None or place in words, words

    def test_that_leaves_out_the_receipt_is_found(self, pack, tmp_path):
        files = {name: text for name, text in files_of(pack).items() if name not in recalculate.EVIDENCE}

        status, words = said_of_files(forge(files, lambda _: None), tmp_path)

        assert (status, "receipt.json: is there" in words) == (1, True)

    def test_with_keys_of_its_own_is_found_by_whoever_has_the_issuer_s(self, pack, tmp_path):
        files = files_of(pack)
        other = recalculate.canonical(
            json.loads(files["keys.json"].replace(b'publicKeyMultibase":"z6Mk', b'publicKeyMultibase":"z6Mj'))
        )
        (tmp_path / "did").write_bytes(other)
        (tmp_path / "pack.zip").write_bytes(pack)

        assert said_of(tmp_path / "pack.zip", "--keys", str(tmp_path / "did"))[0] == 1


class TestWhatIsNoPack:
    def test_cannot_be_read(self, tmp_path):
        assert said_of_zip(tmp_path, b"not a zip")[0] == 2

    @pytest.mark.parametrize("name", ["", "nowhere"])
    def test_is_not_there(self, tmp_path, name):
        assert said_of(tmp_path / name)[0] == 2


@cache
def factor_set() -> recalculate.FactorSet:
    return recalculate.FactorSet(json.loads(packaged().canonical), packaged().sha256)


def combination(row: dict[str, Any]) -> recalculate.Combination:
    """The script's own, of a row of the worked numbers."""
    mode = "event" if row["requests"] else "bucket"
    provider = row["signal"].get("upstream", row["provider"])
    may = factor_set().combinations(provider, row["model"], row["service_tier"], mode)
    return may[str(combination_id(packaged().sha256, combination_of(row)))]


class TestFormula:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["model"]))
    def test_meets_the_worked_numbers(self, row):
        made, expected = combination(row), combination_of(row)

        assert {term: tuple(rate) for term, rate in made.rates.items()} == {
            term: tuple(rate) for term, rate in expected.rates.items()
        }

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_meets_low_and_high(self, name):
        portions = []
        for row in EXAMPLES[name]["rows"]:
            made = figures(combination_of(row).rates, Tokens(**row["tokens"]), row["requests"])
            portions.append((combination(row), dict.fromkeys(recalculate.TERMS, 0.0) | made.expected_ug))

        low, high = recalculate.bounds(portions)

        total = EXAMPLES[name]["total"]
        assert (float(f"{low:.4g}"), float(f"{high:.4g}")) == (total["low_ug"], total["high_ug"])

    @pytest.mark.parametrize(("name", "kind", "tier", "evidence"), names())
    def test_knows_models_by_their_names(self, name, kind, tier, evidence):
        row, found = factor_set().model(name)

        assert (row["kind"], found, row["evidence"]) == (kind, tier, evidence)

    @given(
        row=st.sampled_from(ROWS),
        counts=st.lists(st.none() | st.integers(0, 10**12), min_size=5, max_size=5),
        share=st.fractions(0, 1),
        requests=st.integers(1, 10**9),
    )
    @settings(max_examples=60, deadline=None)
    def test_rounds_as_the_program_does(self, row, counts, share, requests):
        uncached, read, written, _, output = counts
        long = None if written is None else int(written * share)
        tokens = Tokens(uncached, read, written, long, output)
        requests = requests if row["requests"] else None

        found = recalculate.figures_of(combination(row).rates, tokens._asdict() | {"requests": requests})

        made = figures(combination_of(row).rates, tokens, requests)
        of_terms = [
            kind.get(term, 0) for kind in (made.central_ug, made.mean_ug) for term in recalculate.TERMS
        ]
        assert found == [*of_terms, made.energy_uwh]


class TestEd25519:
    def test_meets_the_vectors_of_rfc_8032(self):
        vectors = json.loads((VECTORS / "rfc8032_section7_1_tests_1_to_3.json").read_text())

        for vector in vectors:
            public, message, signed = (
                bytes.fromhex(vector[name]) for name in ("publicKey", "message", "signature")
            )
            assert recalculate.verifies(public, signed, message)
            assert not recalculate.verifies(public, signed, message + b"x")
            assert not recalculate.verifies(public, signed[:32] + raised(signed[32:]), message)


def raised(s: bytes) -> bytes:
    """The same S plus the order of the curve, which a verifier that is not strict takes."""
    return (int.from_bytes(s, "little") + recalculate.ORDER).to_bytes(32, "little")
