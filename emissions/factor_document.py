"""Reading a set of factors from its document: what it must be, and where it is not.

Every number in it that is not a count is a decimal written as a text, so that no reader of JSON makes a float of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import rfc8785

from carbon_site.units import EXACT
from emissions.factor_set import ANY_PROVIDER, BY_SIZE, SERVICE_CLASSES, FactorSet, energy_id
from emissions.factors import Factor, HostingRow, ModelRow
from emissions.methodology import TERMS
from emissions.model_names import SizeRule
from emissions.node import LARGEST, SMALLEST, FactorSetInvalid, Node

PACKAGED = files("emissions") / "data" / "factor_set_2026.11.json"

FACTOR_KINDS = ("method", "energy", "pue", "grid", "embodied", "service")
MODEL_KINDS = ("text", "embedding", "moderation", "image", "video", "audio")
SIGNALS = ("inference_geo", "residency", "region")
WIDEST = "5"  # of an ln_sd; whoever is less sure than that knows nothing
VALUES = {"method": ("1", "1"), "pue": ("1", "5")}  # the formula has no place for a method other than 1
SPREADS = {"service": ("0", "0")}  # nor for an uncertain service; a grid is uncertain by its hosting row


@cache
def packaged() -> FactorSet:
    """The set that comes with the program."""
    return read(PACKAGED.read_bytes())


def read(document: bytes) -> FactorSet:
    """The factor set in a JSON document. Raises FactorSetInvalid, which names the place and the reason."""
    try:
        root = Node(json.loads(document, object_pairs_hook=_object))
        canonical = rfc8785.dumps(root.value)
    except (ValueError, RecursionError) as error:
        raise FactorSetInvalid(f"The document is not JSON that can be hashed: {error}.") from error
    _check_numbers(root)
    _check_method(root["method"])
    rule = _size_rule(root["method"]["tier_rule"])
    factors = _factors(root["factors"])
    _check_complete(root["factors"], factors, rule.tiers)
    return FactorSet(
        version=root["version"].word(),
        canonical=canonical,
        sha256=hashlib.sha256(canonical).hexdigest(),
        size_rule=rule,
        factors=factors,
        hosting=_hosting(root["hosting"], factors),
        models=_models(root["models"], rule.tiers),
    )


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, unless it says something twice: another reader may believe the other one."""
    found = dict(members)
    if len(found) < len(members):
        raise FactorSetInvalid(f"An object of {', '.join(found)} has one of them twice.")
    return found


def _check_numbers(root: Node) -> None:
    for node in root.below():
        if isinstance(node.value, float):
            node.refuse('is a float; a decimal is written as a text, such as "0.6"')


def _check_method(method: Node) -> None:
    for name in ("text", "bound", "match"):
        method[name].word()
    for step in method["normalise"].entries():
        step.word()


def _check_unique(nodes: Node, *names: str) -> None:
    """No two entries have the same values of these members."""
    seen = set()
    for node in nodes.entries():
        values = rfc8785.dumps([node[name].value for name in names])
        if values in seen:
            node.refuse(f"has the same {' and '.join(names)} as an entry before")
        seen.add(values)


def _size_rule(rule: Node) -> SizeRule:
    tiers = [tier.word() for tier in rule["tiers"].entries()]
    active, total = (
        [cut.decimal() for cut in rule[name].entries()] for name in ("active_cuts_b", "total_cuts_b")
    )
    if any(len(cuts) != len(tiers) - 1 or cuts != sorted(set(cuts)) for cuts in (active, total)):
        rule.refuse(f"needs {len(tiers) - 1} rising cuts of each kind for its {len(tiers)} tiers")
    return SizeRule(active, total, tiers)


def _factors(nodes: Node) -> dict[str, Factor]:
    factors = {node["id"].word(): _factor(node) for node in nodes.entries()}
    _check_unique(nodes, "id")
    for node in nodes.entries():
        if node["kind"].value == "grid":
            _check_effective(node, factors)
    return factors


def _factor(node: Node) -> Factor:
    kind = node["kind"].one_of(FACTOR_KINDS)
    node["unit"].word()
    node["source"].word()
    return Factor(
        id=node["id"].word(),
        kind=kind,
        value=node["value"].decimal(*VALUES.get(kind, (SMALLEST, LARGEST))),
        ln_sd=Decimal(0) if kind == "grid" else node["ln_sd"].decimal(*SPREADS.get(kind, ("0", WIDEST))),
        published=node.value,
    )


def _check_effective(node: Node, factors: Mapping[str, Factor]) -> None:
    """What is calculated with is what was published, raised by the parts that it leaves out; a mix is that of its zones."""
    with localcontext(EXACT):
        if "zones" in node:
            made = sum(_shares(node["zones"], factors), Decimal(0))
        else:
            raised = node["upstream"].decimal("1") * (1 + node["td_loss"].decimal("0", "1"))
            made = node["published"].decimal() * raised
    if made != node["value"].decimal():
        node["value"].refuse(f"is not {made.normalize():f}, which the parts of this factor make")


def _shares(zones: Node, factors: Mapping[str, Factor]) -> list[Decimal]:
    pairs = [[member.word() for member in zone.entries()] for zone in zones.entries()]
    if any(len(pair) != 2 for pair in pairs):
        zones.refuse("are not pairs of a zone and its share")
    for zone, _ in pairs:
        _check_known(zones, f"grid/{zone}", "grid", factors)
    shares = [zone.entries()[1].decimal("0", "1") for zone in zones.entries()]
    if sum(shares) != 1:
        zones.refuse("have shares that do not make 1")
    return [share * factors[f"grid/{zone}"].value for (zone, _), share in zip(pairs, shares, strict=True)]


def _check_complete(nodes: Node, factors: Mapping[str, Factor], tiers: Iterable[str]) -> None:
    _check_known(nodes, "method", "method", factors)
    _check_known(nodes, "embodied", "embodied", factors)
    for name in SERVICE_CLASSES:
        _check_known(nodes, f"service/{name}", "service", factors)
    for tier in tiers:
        for mode, terms in TERMS.items():
            for term in terms:
                _check_known(nodes, energy_id(tier, mode, term), "energy", factors)


def _check_known(node: Node, name: str, kind: str, factors: Mapping[str, Factor]) -> None:
    if name not in factors or factors[name].kind != kind:
        node.refuse(f"needs a factor “{name}” of kind {kind}, and there is none")


def _hosting(nodes: Node, factors: Mapping[str, Factor]) -> dict[str, HostingRow]:
    rows = {node["id"].word(): _hosting_row(node, factors) for node in nodes.entries()}
    _check_unique(nodes, "id")
    _check_unique(nodes, "provider", "signal")
    if not any(row.provider == ANY_PROVIDER and not row.signal for row in rows.values()):
        nodes.refuse(f"has no row of provider “{ANY_PROVIDER}” without a signal")
    return rows


def _hosting_row(node: Node, factors: Mapping[str, Factor]) -> HostingRow:
    for kind in ("grid", "pue"):
        _check_known(node[kind], node[kind].word(), kind, factors)
    signal = node["signal"].members()
    for name, said in signal.items():
        if name not in SIGNALS:
            said.refuse(f"is none of the signals {', '.join(SIGNALS)}")
    return HostingRow(
        id=node["id"].word(),
        provider=node["provider"].word(),
        signal={name: said.word() for name, said in signal.items()},
        grid=node["grid"].word(),
        grid_ln_sd=node["grid_ln_sd"].decimal("0", WIDEST),
        pue=node["pue"].word(),
        note=node["note"].text(),
    )


def _models(nodes: Node, tiers: Sequence[str]) -> dict[int, ModelRow]:
    rows = [_model_row(node, tiers) for node in nodes.entries()]
    _check_unique(nodes, "pattern")
    if any(later.order <= earlier.order for earlier, later in pairwise(rows)):
        nodes.refuse("is not in the order of its rows")
    if rows[-1].pattern != ".*" or rows[-1].tier not in tiers:
        nodes.refuse("does not end with a row for all other names, of pattern “.*” and with a tier")
    return {row.order: row for row in rows}


def _model_row(node: Node, tiers: Sequence[str]) -> ModelRow:
    kind = node["kind"].one_of(MODEL_KINDS)
    return ModelRow(
        order=node["order"].whole(0, 2**31 - 1),
        vendor=node["vendor"].word(),
        kind=kind,
        pattern=node["pattern"].pattern(),
        tier=node["tier"].one_of([*tiers, BY_SIZE] if kind == "text" else [""]),
        evidence=node["evidence"].whole(1, 6),
        ln_sd=node["ln_sd"].decimal("0", WIDEST),
        reason=node["reason"].word(),
    )
