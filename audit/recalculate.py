#!/usr/bin/env python3
"""Recalculate a carbon pack: every figure, root, bound and signature in it, with nothing but Python, and no network.

    python3 recalculate.py pack.zip      the pack as it was downloaded; the bytes around its files are looked at, too
    python3 recalculate.py FOLDER        the same, unpacked; without a name, the folder that this script is in
    python3 recalculate.py pack.zip --keys did.json --log-key key.txt     with keys that you fetched yourself

It ends with `N checks passed, 0 failed` and status 0; with what is wrong and where, and status 1; or with status 2 where
there is no pack to be read.

It is meant to be read from top to bottom: first the pack and how JSON is read, then the checks in the order in which they
are made, each after what it needs: the files, the factors, the ledger line by line, the sums, the bounds, what is retired,
the receipt, its signature, and its place in the log. Each check yields a place, what stands there, and what must stand there.
Masses are whole micrograms (ug) and milligrams (mg) of CO2e, energies whole microwatt-hours (uwh), counts are tokens.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
import unicodedata
import uuid
import zipfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cached_property, reduce
from itertools import zip_longest
from math import exp, expm1, log, sqrt
from pathlib import Path
from typing import Any, NamedTuple

Check = tuple[str, Any, Any]  # a place, what stands there, what must stand there
Checks = Iterator[Check]

SUMS = "SHA256SUMS"
FILES = (
    "README.txt", "manifest.json", "receipt.json", "receipt.tlog-proof", "keys.json", "log-key.txt", "factor_set.json",
    "recalculate.py", "ledger.jsonl", "ledger.leaves", SUMS,
)  # fmt: skip
EVIDENCE = (
    "receipt.json",
    "receipt.tlog-proof",
    "keys.json",
    "log-key.txt",
)  # only where something was retired
SHOWN = 5  # faults of one check; the others are counted


# The pack: a folder, or a zip whose files are stored as they are.


class NoPack(Exception):
    """There is nothing here that can be read as a pack."""


class Unreadable(Exception):
    """A file that a check needs is not there, or not what it should be. The message begins with its name."""


class Pack:
    """The files of a pack, read as streams: a ledger may be larger than the memory."""

    def __init__(self, path: Path, keys: str | None = None, log_key: str | None = None) -> None:
        self.path, self.given_keys, self.given_log_key = path, keys, log_key
        self.spans = zip_spans(path) if path.is_file() else None  # of each file in the zip: offset, size
        self.lines_seen = 0
        self.tree = Tree()
        self.sums: dict[str, list[int]] = {}  # by combination, of the figures that the ledger states
        self.uses: dict[Use, list[int | None]] = {}
        if not self.names:
            raise NoPack(f"{path}: there are no files of a pack in it")

    @cached_property
    def names(self) -> list[str]:
        there = (
            self.spans if self.spans is not None else {name for name in FILES if (self.path / name).is_file()}
        )
        return [name for name in FILES if name in there]

    @property
    def has_receipt(self) -> bool:
        return any(name in self.names for name in EVIDENCE)

    @property
    def due_names(self) -> list[str]:
        """The files that there must be."""
        return [name for name in FILES if name not in EVIDENCE or self.has_receipt]

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self.names:
            raise Unreadable(f"{name}: is not in the pack")
        with (self.path if self.spans else self.path / name).open("rb") as file:
            start, size = self.spans[name] if self.spans else (0, sys.maxsize)
            file.seek(start)
            while chunk := file.read(min(size, 1 << 16)):
                size -= len(chunk)
                yield chunk

    def read(self, name: str) -> bytes:
        return b"".join(self.chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Each with its line feed."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest

    def json(self, name: str) -> Any:
        try:
            return read_json(self.read(name))
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{name}: {error}") from error

    @cached_property
    def manifest(self) -> Any:
        return self.json("manifest.json")

    @cached_property
    def receipt(self) -> Any:
        return self.json("receipt.json")

    @cached_property
    def factors(self) -> FactorSet:
        return FactorSet(
            self.json("factor_set.json"), hashlib.sha256(self.read("factor_set.json")).hexdigest()
        )

    @cached_property
    def keys(self) -> Any:
        """The issuer's keys: those that were given, or else the pack's own."""
        return read_json(Path(self.given_keys).read_bytes()) if self.given_keys else self.json("keys.json")

    @cached_property
    def log_key(self) -> str:
        if self.given_log_key:
            return Path(self.given_log_key).read_text().strip()
        return self.read("log-key.txt").decode().strip()


def zip_spans(path: Path) -> dict[str, tuple[int, int]]:
    try:
        with zipfile.ZipFile(path) as pack:
            return {
                info.filename: (info.header_offset + 30 + len(info.orig_filename.encode()), info.file_size)
                for info in pack.infolist()
            }
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise NoPack(f"{path.name}: cannot be read as a zip: {error}") from error


# JSON: one form only, so that no two readers see different things.


def read_json(text: bytes) -> Any:
    """Without floats, and without a name that stands twice in an object. Raises ValueError."""
    return json.loads(text.decode(), object_pairs_hook=members, parse_float=no_float, parse_constant=no_float)


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def no_float(word: str) -> Any:
    raise ValueError(f"{word} is a float")


def canonical(value: Any) -> bytes:
    """RFC 8785, for values without floats whose names are ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


# Check 1: the zip around the files. Nothing is compressed, so each byte of it is known.


def container(pack: Pack) -> Checks:
    directory, entries, zip_name = b"", 0, pack.path.name
    yield f"{zip_name}, names in its directory", list(pack.spans or ()), pack.due_names
    date, time = dos_time(pack.manifest["frozenAt"])
    with pack.path.open("rb") as file:
        for name in pack.names:
            offset, crc, size = file.tell(), 0, 0
            for chunk in pack.chunks(name):
                crc, size = binascii.crc32(chunk, crc), size + len(chunk)
            common = struct.pack("<4H3L2H", 0, 0, time, date, crc, size, size, len(name), 0)
            header = b"PK\3\4" + struct.pack("<H", 20) + common + name.encode()
            yield f"{zip_name}, header of {name} at byte {offset}", file.read(len(header)), header
            file.seek(size, 1)
            directory += b"PK\1\2" + struct.pack("<BBH", 20, 3, 20) + common
            directory += struct.pack("<3H2L", 0, 0, 0, 0o644 << 16, offset) + name.encode()
            entries += 1
        end = file.tell()
        found = file.read()
    directory_end = struct.pack("<4H2LH", 0, 0, entries, entries, len(directory), end, 0)
    yield f"{zip_name}, directory at byte {end}", found, directory + b"PK\5\6" + directory_end


def dos_time(instant: str) -> tuple[int, int]:
    year, month, day, hour, minute, second = map(int, re.split("[-T:Z]", instant)[:6])
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2


# Check 2: each file is the one that SHA256SUMS names.


def files(pack: Pack) -> Checks:
    stated = pack.read(SUMS).decode("ascii", "replace").split("\n")
    named = [name for name in pack.names if name != SUMS]
    must = [f"{digest(pack, name)}  {name}" for name in named]
    for number, (found, expected) in enumerate(zip_longest(stated, [*must, ""]), 1):
        place = f"{SUMS} line {number}" + (f", {named[number - 1]}" if number <= len(named) else "")
        yield place, found, expected
    for name in pack.due_names:
        yield f"{name}: is there", name in pack.names, True


def digest(pack: Pack, name: str) -> str:
    found = hashlib.sha256()
    for chunk in pack.chunks(name):
        found.update(chunk)
    return found.hexdigest()


def manifest(pack: Pack) -> Checks:
    yield "manifest.json, canonical form", pack.read("manifest.json"), canonical(pack.manifest)
    yield "manifest.json, format", pack.manifest["format"], "carbon-pack/1"


# Check 3: the factors, and what follows from them. A rate is a whole number scaled by 10^18.

SCALE = 10**18
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)  # "half up" of Decimal is away from zero
TERMS = ("output", "input_uncached", "cache_read", "cache_write", "cache_write_long", "kv")
SERVICES = ("standard", "batch", "flex", "priority", "fast")
BROKERS = ("openrouter",)  # whose models may run in anybody's data centre


class Rate(NamedTuple):
    """What one unit of a term's activity makes: ug CO2e, central and mean, and uwh."""

    central: int
    mean: int
    energy: int


class Uncertain(NamedTuple):
    """A factor by its name, with the standard deviation of its logarithm."""

    name: str
    ln_sd: float


class Combination:
    """All the factors that one line of the ledger meets, its rates, and what they are uncertain by."""

    def __init__(
        self,
        factors: FactorSet,
        tier: str,
        mode: str,
        model: dict[str, Any],
        service: str,
        hosting: dict[str, Any],
    ) -> None:
        self.id = combination_id(factors.sha256, tier, mode, model["order"], service, hosting["id"])
        by_id, energy = factors.by_id, energy_ids(tier, mode)
        method, embodied, pue = by_id["method"], by_id["embodied"], by_id[hosting["pue"]]
        with localcontext(EXACT):
            self.pue, grid = Decimal(pue["value"]), Decimal(by_id[hosting["grid"]]["value"])
            hardware, multiplier = Decimal(embodied["value"]), Decimal(by_id[f"service/{service}"]["value"])
            central = self.pue * grid + hardware
            of_electricity = self.pue * grid * rise(pue["ln_sd"], hosting["grid_ln_sd"])
            of_hardware = hardware * rise(embodied["ln_sd"])
            self.embodied_part = hardware / central  # of central figures
            self.embodied_share = float(of_hardware / (of_electricity + of_hardware))  # of mean ones
            self.rates = {}
            for term, factor in ((term, by_id[name]) for term, name in energy.items()):
                use = Decimal(factor["value"]) * multiplier / (1000 if term == "kv" else 1)
                lift = rise(method["ln_sd"], factor["ln_sd"], model["ln_sd"])
                mean = use * lift * (of_electricity + of_hardware)
                self.rates[term] = Rate(scaled(use * central), scaled(mean), scaled(use * self.pue * 1000))
        self.method, self.embodied = uncertain(method), uncertain(embodied)
        self.model = Uncertain(model["pattern"], float(model["ln_sd"]))
        self.at_pue, self.grid = uncertain(pue), Uncertain(hosting["id"], float(hosting["grid_ln_sd"]))
        self.terms = {term: uncertain(by_id[name]) for term, name in energy.items()}


def combination_id(*made_of: str | int) -> str:
    """The first 128 bits of the SHA-256 of the set's hash, tier, mode, model row, service class and hosting row."""
    text = json.dumps(made_of, separators=(",", ":"))
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))


def energy_ids(tier: str, mode: str) -> dict[str, str]:
    """The energy factor of each term. That of output is one in both modes."""
    terms = {term: f"energy/{tier}/{mode}/{term}" for term in TERMS if term != "kv" or mode == "event"}
    return terms | {"output": f"energy/{tier}/output"}


def rise(*ln_sd: str) -> Decimal:
    """How far the mean of a product of lognormals lies above its median."""
    return (sum((Decimal(sd) * Decimal(sd) for sd in ln_sd), Decimal(0)) / 2).exp()


def scaled(rate: Decimal) -> int:
    return int(rate.quantize(Decimal(1).scaleb(-18)).scaleb(18))


def uncertain(factor: dict[str, Any]) -> Uncertain:
    return Uncertain(factor["id"], float(factor["ln_sd"]))


class FactorSet:
    """A published set, and which of its rows a line of the ledger meets."""

    def __init__(self, document: Any, hash_of_file: str) -> None:
        self.document, self.sha256 = document, hash_of_file
        self.by_id = {factor["id"]: factor for factor in document["factors"]}
        self.hosting = {row["id"]: row for row in document["hosting"]}
        self.models = [(row, re.compile(row["pattern"])) for row in document["models"]]
        self.by_order = {row["order"]: row for row in document["models"]}
        self.known: dict[tuple[Any, ...], dict[str, Combination]] = {}

    def model(self, name: str) -> tuple[dict[str, Any], str]:
        """The first row whose pattern matches the whole normalised name, and its tier; empty: it is not estimated."""
        word = normalised(name)
        for row, pattern in self.models:
            if pattern.fullmatch(word):
                tier = self.tier_by_size(word) if row["tier"] == "size" else row["tier"]
                if tier is not None:
                    return row, tier
        raise LookupError(f"no row of the factor set knows the model {name}")

    def tier_by_size(self, word: str) -> str | None:
        """By billions of parameters: the mean of where active and total ones stand among the cuts, rounded up."""
        if found := TOTAL_AND_ACTIVE.search(word):
            total, active = found.groups()
        elif found := DENSE.search(word):
            total = active = found[1]
        else:
            return None
        rule = self.document["method"]["tier_rule"]
        cuts = bisect_left([Decimal(cut) for cut in rule["active_cuts_b"]], Decimal(active))
        cuts += bisect_left([Decimal(cut) for cut in rule["total_cuts_b"]], Decimal(total))
        return str(rule["tiers"][-(-cuts // 2)])

    def combinations(
        self, provider: str, model: str | None, service_tier: str | None, mode: str
    ) -> dict[str, Combination]:
        """Those that such a line may have, by id: one for each place where the provider may run its models."""
        key = (provider, model, service_tier, mode)
        if key not in self.known:
            row, tier = self.model(model or "")
            service = service_tier if service_tier in SERVICES else "standard"
            places = self.places(provider) if tier else []
            made = [Combination(self, tier, mode, row, str(service), place) for place in places]
            self.known[key] = {combination.id: combination for combination in made}
        return self.known[key]

    def places(self, provider: str) -> list[dict[str, Any]]:
        """A provider's own rows; those of anybody where none of its rows, or none for certain, is met."""
        rows = list(self.hosting.values())
        own = [row for row in rows if row["provider"] == provider]
        if provider in BROKERS:
            return rows
        if any(not row["signal"] for row in own):
            return own
        return own + [row for row in rows if row["provider"] == "*"]

    def of_key(self, said: dict[str, Any]) -> Combination:
        """The combination of the words in the manifest."""
        model, hosting = self.by_order[said["modelRow"]], self.hosting[said["hosting"]]
        return Combination(self, said["tier"], said["mode"], model, said["serviceClass"], hosting)


CLOUD_PREFIX = re.compile(r"(?:(?:us|eu|apac|global|au|jp)\.)?[a-z0-9]+\.(?=[a-z])")
TOTAL_AND_ACTIVE = re.compile(r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)b-a([0-9]+(?:\.[0-9]+)?)b(?![a-z0-9])")
DENSE = re.compile(r"(?<![a-z0-9.])([0-9]+(?:\.[0-9]+)?)b(?![a-z0-9])")


def normalised(name: str) -> str:
    """The name of a model without fine-tune, path, cloud prefix, variant and version suffix."""
    name = "".join(letter for letter in name if unicodedata.category(letter) != "Cc").strip().lower()
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name = name.rsplit("/", 1)[-1]
    if prefix := CLOUD_PREFIX.match(name):
        name = name[prefix.end() :]
    return re.split("[:@]", name, maxsplit=1)[0].replace("_", "-").replace(" ", "-")


def factor_set(pack: Pack) -> Checks:
    stated = pack.manifest["factorSet"]
    yield "factor_set.json, canonical form", pack.read("factor_set.json"), canonical(pack.factors.document)
    yield "factor_set.json, SHA-256", pack.factors.sha256, stated["sha256"]
    yield "factor_set.json, version", pack.factors.document["version"], stated["version"]


# Check 4: the ledger, line by line. Its lines are the leaves of a Merkle tree, RFC 6962.

COLUMNS = (
    "identity", "revision", "starts_at", "project", "workload", "provider", "model", "service_tier", "input_uncached",
    "cache_read", "cache_write", "cache_write_long", "output", "requests", "combination",
)  # fmt: skip
CLASSES = COLUMNS[8:14]
FIGURES = (*(f"central of {term}" for term in TERMS), *(f"mean of {term}" for term in TERMS), "energy")
HEX_256 = re.compile(r"[0-9a-f]{64}")
LOCATES = 8  # hexadecimal digits of a leaf's hash in ledger.leaves, enough to say which line was changed

Use = tuple[str, str, Any]  # provider, model, service tier


class Tree:
    """The root of a list, in one pass that holds one hash a level."""

    def __init__(self) -> None:
        self.peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        level = 0
        while self.peaks and self.peaks[-1][0] == level:
            leaf = node_hash(self.peaks.pop()[1], leaf)
            level += 1
        self.peaks.append((level, leaf))

    @property
    def root(self) -> bytes:
        hashes = [peak for _, peak in reversed(self.peaks)]
        return (
            reduce(lambda right, left: node_hash(left, right), hashes)
            if hashes
            else hashlib.sha256().digest()
        )


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def ledger(pack: Pack) -> Checks:
    leaves, before = pack.lines("ledger.leaves"), ("", "")
    for number, text in enumerate(pack.lines("ledger.jsonl"), 1):
        place, leaf = f"ledger.jsonl line {number}", leaf_hash(text[:-1])
        pack.lines_seen = number
        pack.tree.add(leaf)
        beginning = leaf.hex()[:LOCATES].encode() + b"\n"
        yield f"{place}, or ledger.leaves line {number}", next(leaves, b""), beginning
        try:
            row = read_json(text)
            yield f"{place}, form", text, canonical(row) + b"\n"
            yield f"{place}, length", len(row), len(COLUMNS) + len(FIGURES)
            said = {name: row[at] for at, name in enumerate(COLUMNS)}
            yield from entry(pack, place, said)
            last, before = before, (said["starts_at"], said["identity"])
            yield f"{place}, order: time and identity rise", last < before, True
            yield from figures(pack, place, said, row[len(COLUMNS) :])
        except CANNOT as error:
            yield place, f"{type(error).__name__}: {error}", "a line that can be checked"
    yield "ledger.leaves, end", next(leaves, b""), b""
    stated = pack.manifest["ledger"]
    yield "ledger.jsonl, rows", str(pack.lines_seen), stated["rows"]
    yield "ledger.jsonl, Merkle root", pack.tree.root.hex(), stated["merkleRoot"]


def entry(pack: Pack, place: str, said: dict[str, Any]) -> Checks:
    """What was used: within the month, and counts that can be."""
    period = pack.manifest["period"]
    yield f"{place}, starts_at: in the month", period["start"] <= said["starts_at"] < period["end"], True
    yield f"{place}, identity: a SHA-256", bool(HEX_256.fullmatch(said["identity"])), True
    counts = [said[name] for name in CLASSES]
    yield f"{place}, counts: whole or null", all(count is None or is_count(count) for count in counts), True
    long, written = said["cache_write_long"] or 0, said["cache_write"] or 0
    yield f"{place}, cache_write_long: a part of cache_write", long <= written, True
    use = (said["provider"], said["model"] or "unnamed", said["service_tier"])
    known = pack.uses.setdefault(use, [None] * len(CLASSES))
    for at, count in enumerate(counts):
        known[at] = known[at] if count is None else (known[at] or 0) + count


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def figures(pack: Pack, place: str, said: dict[str, Any], stated: list[Any]) -> Checks:
    """Its combination is one that it may have, and its figures are what the rates of that make. No combination, no figures."""
    if said["combination"] is None:
        yield f"{place}, figures of what is counted and not estimated", stated, [None] * len(FIGURES)
        return
    mode = "event" if said["requests"] is not None and said["requests"] >= 1 else "bucket"
    may = pack.factors.combinations(said["provider"], said["model"], said["service_tier"], mode)
    is_one = said["combination"] in may
    yield f"{place}, combination: one of its model, mode, service and provider", is_one, True
    if not is_one:
        return
    for at, figure in enumerate(figures_of(may[said["combination"]].rates, said)):
        yield f"{place}, {FIGURES[at]}", stated[at], figure
    sums = pack.sums.setdefault(said["combination"], [0] * len(FIGURES))
    for at, figure in enumerate(stated):
        sums[at] += figure


def figures_of(rates: dict[str, Rate], said: dict[str, Any]) -> list[int]:
    """Central and mean of each term, and the energy; each rounded once, half away from zero, the division last."""
    uncached, read, written = said["input_uncached"] or 0, said["cache_read"] or 0, said["cache_write"] or 0
    long, output = said["cache_write_long"] or 0, said["output"] or 0
    contexts = 2 * said["requests"] if "kv" in rates else 1
    activity = {
        "output": output,
        "input_uncached": uncached,
        "cache_read": read,
        "cache_write": written - long,
        "cache_write_long": long,
        "kv": output * (2 * (uncached + read + written) + output),  # to be divided by the contexts
    }
    central, mean, energy = [0] * len(TERMS), [0] * len(TERMS), 0
    for at, term in enumerate(TERMS):
        if term in rates:
            per = contexts if term == "kv" else 1
            central[at] = to_whole(activity[term] * rates[term].central, per * SCALE)
            mean[at] = to_whole(activity[term] * rates[term].mean, per * SCALE)
            energy += activity[term] * rates[term].energy * (contexts // per)
    return [*central, *mean, to_whole(energy, contexts * SCALE)]


def to_whole(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves away from zero."""
    return (2 * numerator + denominator) // (2 * denominator)


# Check 5: sums by combination and term, totals, and bounds.


def sums(pack: Pack) -> Checks:
    stated = pack.manifest["combinations"]
    yield "manifest.json, combinations of the ledger", [said["id"] for said in stated], sorted(pack.sums)
    for said in stated:
        place = f"manifest.json, combination {said['id']}"
        yield f"{place}, what it is made of", said["id"], pack.factors.of_key(said).id
        must = [str(figure) for figure in pack.sums.get(said["id"], [0] * len(FIGURES))]
        found = [*(said["centralUg"][term] for term in TERMS), *(said["meanUg"][term] for term in TERMS)]
        for at, figure in enumerate([*found, said["energyUwh"]]):
            yield f"{place}, {FIGURES[at]}", figure, must[at]


def totals(pack: Pack) -> Checks:
    stated, every = pack.manifest["figures"], list(pack.sums.values())
    for name, start, end in (("centralUg", 0, 6), ("meanUg", 6, 12), ("energyUwh", 12, 13)):
        yield f"manifest.json, {name}", stated[name], str(sum(sum(sums[start:end]) for sums in every))
    portions = [
        (pack.factors.of_key(said), {term: float(said["meanUg"][term]) for term in TERMS})
        for said in pack.manifest["combinations"]
    ]
    low, high = bounds(portions)
    yield "manifest.json, lowUg", int(stated["lowUg"]) in rounded(low), True
    yield "manifest.json, highUg", int(stated["highUg"]) in rounded(high), True


def bounds(portions: list[tuple[Combination, dict[str, float]]]) -> tuple[float, float]:
    """The 95 % interval of a sum, a lognormal with its mean and variance, from the mean of each term of each combination.

    Each term is two lines, electricity (uncertain by method, term, model, PUE, grid) and hardware (method, term, model,
    embodied). With E the mean of each line: variance = sum over i and j of E_i E_j (exp(sum of v that i and j share) - 1).
    The lines of a term stand in one proportion throughout a combination, so the sum may run over combinations instead.
    """
    mean = sum(sum(means.values()) for _, means in portions)
    if not mean:
        return 0.0, 0.0
    second_moment = 0.0
    for at, portion in enumerate(portions):
        second_moment += product(portion, portion)
        second_moment += sum(2 * product(portion, other) for other in portions[:at])
    ratio = max(1.0, second_moment / mean**2)
    median, reach = mean / sqrt(ratio), exp(1.96 * sqrt(log(ratio)))
    return median / reach, median * reach


def product(one: tuple[Combination, dict[str, float]], other: tuple[Combination, dict[str, float]]) -> float:
    """The mean of the product of two sums."""
    (a, means_a), (b, means_b) = one, other
    share_a, share_b = a.embodied_share, b.embodied_share
    coupling = (
        (1 - share_a) * (1 - share_b) * exp(shared(a.at_pue, b.at_pue) + shared(a.grid, b.grid))
        + (1 - share_a) * share_b
        + share_a * (1 - share_b)
        + share_a * share_b * exp(shared(a.embodied, b.embodied))
    ) * exp(shared(a.method, b.method) + shared(a.model, b.model))
    own = sum(
        expm1(shared(factor_a, factor_b)) * means_a[term_a] * means_b[term_b]
        for term_a, factor_a in a.terms.items()
        for term_b, factor_b in b.terms.items()
        if factor_a.name == factor_b.name
    )
    return coupling * (sum(means_a.values()) * sum(means_b.values()) + own)


def shared(a: Uncertain, b: Uncertain) -> float:
    return a.ln_sd * b.ln_sd if a.name == b.name else 0.0


def rounded(bound: float) -> set[int]:
    """To four significant digits; two where another machine's last binary digit would decide."""
    return {round(float(f"{bound * (1 + off):.4g}")) for off in (-1e-12, 0.0, 1e-12)}


# Check 6: what is retired. Micrograms become milligrams here, rounded up; what is below nothing is carried.


def retirement(pack: Pack) -> Checks:
    said, figures = pack.manifest["retirement"], pack.manifest["figures"]
    own = {"mean": figures["meanUg"], "central": figures["centralUg"], "high": figures["highUg"]}[
        said["basis"]
    ]
    later = sum(int(adjustment["meanUg"]) for adjustment in said["adjustments"])
    total = -(-(int(own) + later + int(said["carriedInMg"]) * 1000) // 1000)
    yield "manifest.json, retireMg", said["retireMg"], str(max(0, total))
    yield "manifest.json, carriedOutMg", said["carriedOutMg"], str(min(0, total))
    yield "receipt.json: is there where something is retired", pack.has_receipt, total > 0


# Check 7: the receipt says what the ledger and the manifest say.


def receipt(pack: Pack) -> Checks:
    yield "receipt.json, canonical form", pack.read("receipt.json"), canonical(pack.receipt)
    yield "receipt.json, profile", list(outside_of_profile(pack.receipt, "", "", 1)), []
    yield "receipt.json, type", pack.receipt["type"], ["VerifiableCredential", "CarbonReceipt"]
    subject, manifest = pack.receipt["credentialSubject"], pack.manifest
    for name in ("start", "end"):
        yield f"receipt.json, period, {name}", subject["period"][name], manifest["period"][name]
    yield "receipt.json, factorSet", subject["factorSet"], manifest["factorSet"]
    yield "receipt.json, ledger", subject["ledger"], manifest["ledger"]
    for name in ("lowUg", "centralUg", "highUg", "meanUg"):
        yield f"receipt.json, emissions, {name}", subject["emissions"][name], manifest["figures"][name]
    energy = subject["energy"]["facilityUwh"]
    yield "receipt.json, energy, facilityUwh", energy, manifest["figures"]["energyUwh"]
    yield from shares(pack, subject)
    yield from activity(pack, subject["activity"])
    yield from credits_of(subject["credits"], manifest["retirement"])


def shares(pack: Pack, subject: dict[str, Any]) -> Checks:
    """The energy of the machines alone, and the parts of electricity and hardware."""
    with localcontext(EXACT):
        machines = hardware = Decimal(0)
        for said in pack.manifest["combinations"]:
            combination = pack.factors.of_key(said)
            machines += int(said["energyUwh"]) / combination.pue
            hardware += sum(int(said["centralUg"][term]) for term in TERMS) * combination.embodied_part
        it_uwh, embodied = (str(int(part.to_integral_value())) for part in (machines, hardware))
    emissions, central = subject["emissions"], pack.manifest["figures"]["centralUg"]
    electricity = str(int(central) - int(embodied))
    yield "receipt.json, energy, itUwh", subject["energy"]["itUwh"], it_uwh
    yield "receipt.json, emissions, embodiedCentralUg", emissions["embodiedCentralUg"], embodied
    yield "receipt.json, emissions, electricityCentralUg", emissions["electricityCentralUg"], electricity


def activity(pack: Pack, said: dict[str, Any]) -> Checks:
    """Tokens by provider, model and service tier; the receipt also knows regions and units, which a line does not say."""
    coverage = pack.manifest["coverage"]
    yield "receipt.json, hoursExpected", said["coverage"]["hoursExpected"], str(coverage["expected"])
    yield "receipt.json, hoursObserved", said["coverage"]["hoursObserved"], str(coverage["observed"])
    found: dict[Use, list[int | None]] = {}
    for use in said["models"]:
        key = (use["provider"], use["model"], use.get("serviceTier"))
        known = found.setdefault(key, [None] * len(CLASSES))
        for at, name in enumerate(CLASSES):
            known[at] = known[at] if camel(name) not in use else (known[at] or 0) + int(use[camel(name)])
    for key in found.keys() | pack.uses.keys():
        yield f"receipt.json, activity, use of {key[0]} {key[1]}", found.get(key), pack.uses.get(key)
    for at, name in enumerate(CLASSES):
        counts = [use[at] for use in pack.uses.values() if use[at] is not None]
        total = str(sum(int(count or 0) for count in counts)) if counts else None
        yield f"receipt.json, activity, total, {camel(name)}", said["total"].get(camel(name)), total


def camel(name: str) -> str:
    return re.sub("_(.)", lambda found: found[1].upper(), name)


def credits_of(said: dict[str, Any], manifest: dict[str, Any]) -> Checks:
    """As much is retired as must be, in slices that lie in their batches; adjustments and what is carried are the manifest's."""
    yield "receipt.json, credits, basis", said["basis"], manifest["basis"]
    yield "receipt.json, credits, requiredMg", said["requiredMg"], manifest["retireMg"]
    yield "receipt.json, credits, retiredMg", said["retiredMg"], manifest["retireMg"]
    for name in ("carriedInMg", "carriedOutMg"):
        yield f"receipt.json, credits, {name}", said.get(name, "0"), str(-int(manifest[name]))
    slices = said["retirements"]
    length = sum(int(each["lengthMg"]) for each in slices)
    yield "receipt.json, credits, retirements together", str(length), said["retiredMg"]
    for at, each in enumerate(slices):
        inside = int(each["offsetMg"]) + int(each["lengthMg"]) <= int(each["batchMg"])
        yield f"receipt.json, credits, retirement {at}: within its batch", inside, True
    must = [(each["month"], int(each["meanUg"])) for each in manifest["adjustments"] if each["meanUg"] != "0"]
    sign = {"increase": 1, "decrease": -1}
    found = [
        (each["period"]["start"][:7], sign[each["change"]] * int(each["meanUg"]))
        for each in said.get("adjustments", [])
    ]
    yield "receipt.json, credits, adjustments", found, must


def outside_of_profile(value: Any, place: str, name: str, depth: int) -> Iterator[str]:
    """Where a document is not of the narrow JSON that is signed: whole numbers of a unit are texts, and texts are plain."""
    if depth > 8:
        yield f"{place} is too deep"
    elif isinstance(value, dict):
        for member, inner in value.items():
            if not re.fullmatch("[A-Za-z@][A-Za-z0-9]*", member):
                yield f"{place}.{member} is not a name"
            yield from outside_of_profile(inner, f"{place}.{member}", member, depth + 1)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from outside_of_profile(inner, f"{place}[{at}]", name, depth + 1)
    elif name.endswith(("Mg", "Ug", "Uwh")):
        if not isinstance(value, str) or not re.fullmatch("0|[1-9][0-9]{0,18}", value):
            yield f"{place} is not a whole number as a text"
    elif isinstance(value, str):
        is_composed = unicodedata.is_normalized("NFC", value)
        if not is_composed or re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
            yield f"{place} is not a plain text"
    elif not isinstance(value, bool) and not (is_count(value) and value < 2**53):
        yield f"{place} is not a value"


# Check 8: the receipt's signature. W3C Data Integrity, eddsa-jcs-2022; Ed25519 as in RFC 8032.

PROOF = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "proofPurpose": "assertionMethod"}
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def signature(pack: Pack) -> Checks:
    proof = pack.receipt["proof"]
    for name, value in PROOF.items():
        yield f"receipt.json, proof, {name}", proof[name], value
    may = {*PROOF, "@context", "created", "verificationMethod", "proofValue"}
    yield "receipt.json, proof, members", sorted(proof), sorted(may)
    yield "receipt.json, proof, @context", proof["@context"], pack.receipt["@context"]
    key = next(
        (each for each in pack.keys["verificationMethod"] if each["id"] == proof["verificationMethod"]), None
    )
    if key is None:
        yield "keys.json, verificationMethod", "no such key", proof["verificationMethod"]
        return
    issuer = proof["verificationMethod"].partition("#")[0]
    yield "receipt.json, issuer", pack.receipt["issuer"], issuer
    yield "keys.json, id", pack.keys["id"], issuer
    yield "keys.json, controller", key["controller"], issuer
    yield "keys.json, type", key["type"], "Multikey"
    yield "keys.json, assertionMethod", key["id"] in pack.keys["assertionMethod"], True
    public = from_multibase(key["publicKeyMultibase"])
    yield "keys.json, kind of key", public[:2], b"\xed\x01"
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    document = {name: value for name, value in pack.receipt.items() if name != "proof"}
    message = b"".join(hashlib.sha256(canonical(part)).digest() for part in (options, document))
    signed = verifies(public[2:], from_multibase(proof["proofValue"]), message)
    yield f"receipt.json, signature by {key['id']} ({key['publicKeyMultibase']})", signed, True


def from_multibase(text: str) -> bytes:
    if text[:1] != "z" or len(text) > 100:
        raise ValueError(f"{text} is not base58 after a z")
    number = 0
    for letter in text[1:]:
        number = 58 * number + BASE58.index(letter)
    zeros = len(text) - 1 - len(text[1:].lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X / Z, y = Y / Z, x y = T / Z


def add(a: Point, b: Point) -> Point:
    one = (a[1] - a[0]) * (b[1] - b[0]) % P
    two = (a[1] + a[0]) * (b[1] + b[0]) % P
    three, four = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = add(result, point)
        point, factor = add(point, point), factor >> 1
    return result


def encode_point(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode_point(raw: bytes) -> Point:
    """Raises ValueError where it is not a point."""
    number = int.from_bytes(raw, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if len(raw) != 32 or y >= P or (x * x - square) % P or (not x and sign):
        raise ValueError("this is not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(public: bytes, signed: bytes, message: bytes) -> bool:
    """Ed25519: S x base = R + H(R, public, message) x public."""
    s = int.from_bytes(signed[32:], "little")
    if len(signed) != 64 or s >= ORDER:
        return False
    try:
        x, y, _, t = decode_point(public)
    except ValueError:
        return False
    k = int.from_bytes(hashlib.sha512(signed[:32] + public + message).digest(), "little") % ORDER
    return encode_point(add(times(s, BASE), times(k, (P - x, y, 1, P - t)))) == signed[:32]


# Check 9: the log has the receipt. C2SP: signed note, tlog-checkpoint, tlog-proof; the tree is RFC 6962.


def logged(pack: Pack) -> Checks:
    head, _, note = pack.read("receipt.tlog-proof").decode().partition("\n\n")
    title, index_line, *path = head.split("\n")
    yield "receipt.tlog-proof, form", title, "c2sp.org/tlog-proof@v1"
    index = int(index_line.partition("index ")[2])
    yield "receipt.tlog-proof, index", index_line, f"index {index}"
    body, _, signatures = note.rpartition("\n\n")
    log, size, root, *_ = body.split("\n")
    slices = [
        {name: each[name] for name in ("batchSha256", "offsetMg", "lengthMg")}
        for each in pack.receipt["credentialSubject"]["credits"]["retirements"]
    ]
    leaf = canonical({"type": "receipt", "sha256": sha256(pack.receipt), "allocations": slices})
    found = root_by(path, index, int(size), leaf_hash(leaf))
    yield f"receipt.tlog-proof, root of the log {log} at {size}", found, from_base64(root)

    name, key_id, encoded = pack.log_key.split("+", 2)
    raw = from_base64(encoded)
    made_of = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    yield "log-key.txt, key id", key_id, made_of.hex()
    yield "log-key.txt, kind of key", raw[:1], b"\1"
    yield "receipt.tlog-proof, origin", log, name
    prefix = f"— {name} "
    ours = [line[len(prefix) :] for line in signatures.split("\n") if line.startswith(prefix)]
    yield "receipt.tlog-proof, signatures of the log", len(ours), 1
    signed = from_base64(ours[0])
    yield "receipt.tlog-proof, key of the signature", signed[:4].hex(), key_id
    is_signed = verifies(raw[1:], signed[4:], f"{body}\n".encode())
    yield f"receipt.tlog-proof, signature by {pack.log_key}", is_signed, True


def root_by(path: list[str], index: int, size: int, leaf: bytes) -> bytes:
    """The root that a leaf and the hashes beside its way up make, RFC 9162 2.1.3.2. Raises ValueError."""
    at, last, found = index, size - 1, leaf
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a log of {size}")
    for sibling in map(from_base64, path):
        if not last:
            raise ValueError("the proof is too long")
        if at % 2 or at == last:
            found = node_hash(sibling, found)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = node_hash(found, sibling)
        at, last = at // 2, last // 2
    if last:
        raise ValueError("the proof is too short")
    return found


def from_base64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError(f"{text} is not base64 as it is written")
    return raw


# All checks, in their order, each with the files that it needs.

Group = tuple[str, str, Callable[[Pack], Checks]]
ALWAYS: list[Group] = [
    ("files", SUMS, files),
    ("manifest", "manifest.json", manifest),
    ("factor set", "factor_set.json", factor_set),
    ("ledger", "ledger.jsonl, ledger.leaves, manifest.json", ledger),
    ("sums", "manifest.json, factor_set.json", sums),
    ("totals and bounds", "manifest.json, factor_set.json", totals),
    ("retirement", "manifest.json", retirement),
]
WITH_RECEIPT: list[Group] = [
    ("receipt", "receipt.json, manifest.json", receipt),
    ("signature", "receipt.json, keys.json", signature),
    ("log", "receipt.tlog-proof, log-key.txt, receipt.json", logged),
]
CANNOT = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    re.error,
    struct.error,
)


def groups(pack: Pack) -> list[Group]:
    around: list[Group] = [("zip", pack.path.name, container)] if pack.spans is not None else []
    return [*around, *ALWAYS, *(WITH_RECEIPT if pack.has_receipt else [])]


def examine(checks: Checks, needs: str) -> tuple[int, int, list[str]]:
    """How many checks passed and failed, and the first faults. What cannot be checked is one that failed."""
    passed, failed, faults = 0, 0, []
    try:
        for place, found, must in checks:
            if found == must:
                passed += 1
            else:
                failed += 1
                if failed <= SHOWN:
                    faults.append(
                        place if must is True else f"{place}: is {shown(found)}, must be {shown(must)}"
                    )
    except Unreadable as error:
        failed += 1
        faults.append(str(error))
    except CANNOT as error:
        failed += 1
        faults.append(f"{needs}: cannot be checked: {type(error).__name__}: {error}")
    return passed, failed, faults


def shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def recalculate(pack: Pack, say: Callable[[str], Any]) -> int:
    """Make all checks, and say what came of each group. Answers with how many failed."""
    all_passed = all_failed = 0
    for title, needs, group in groups(pack):
        passed, failed, faults = examine(group(pack), needs)
        all_passed, all_failed = all_passed + passed, all_failed + failed
        say(f"{'FAIL' if failed else 'ok  '} {title}: {passed} passed, {failed} failed")
        for fault in faults:
            say(f"       {fault}")
        if failed > len(faults):
            say(f"       and {failed - len(faults)} more")
    if not pack.has_receipt:
        say("     There is no receipt in this pack, as nothing was retired: nobody has signed its figures.")
    say(f"{all_passed} checks passed, {all_failed} failed")
    return all_failed


def main(arguments: Iterable[str], out: Callable[[str], Any]) -> int:
    parser = argparse.ArgumentParser(description="Recalculate a carbon pack.")
    parser.add_argument("pack", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--keys", help="the issuer's did.json, fetched by yourself")
    parser.add_argument("--log-key", help="the log's verifier key, fetched by yourself")
    asked = parser.parse_args(list(arguments))
    try:
        pack = Pack(asked.pack, asked.keys, asked.log_key)
        return 1 if recalculate(pack, lambda line: out(f"{line}\n")) else 0
    except (NoPack, OSError) as error:
        out(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout.write))
