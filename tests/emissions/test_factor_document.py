import hashlib
import json
from copy import deepcopy
from functools import reduce
from typing import Any

import pytest

from emissions.factor_document import PACKAGED, packaged, read
from emissions.node import FactorSetInvalid

DOCUMENT = json.loads(PACKAGED.read_text())
GONE = object()
METHOD, OUTPUT, US = (
    0,
    1,
    next(i for i, factor in enumerate(DOCUMENT["factors"]) if factor["id"] == "grid/US"),
)
MIX = next(i for i, factor in enumerate(DOCUMENT["factors"]) if "zones" in factor)
FAST = next(i for i, factor in enumerate(DOCUMENT["factors"]) if factor["id"] == "service/fast")
PUE = next(i for i, factor in enumerate(DOCUMENT["factors"]) if factor["kind"] == "pue")


def changed(*path: Any, to: Any) -> bytes:
    """The packaged document with one value changed, or gone."""
    document = deepcopy(DOCUMENT)
    parent = reduce(lambda value, name: value[name], path[:-1], document)
    if to is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = to
    return json.dumps(document).encode()


def last(part: str, **members: Any) -> list[Any]:
    """A part of the document with one more entry, like its last but for these members."""
    return [*DOCUMENT[part], DOCUMENT[part][-1] | members]


class TestPackaged:
    def test_is_set_2026_11(self):
        made = packaged()

        assert (made.version, len(made.factors), len(made.hosting), len(made.models)) == (
            "2026.11",
            257,
            96,
            77,
        )

    def test_is_named_by_the_hash_of_its_canonical_form(self):
        # What RFC 8785 makes of a document of plain keys and without floats.
        canonical = json.dumps(DOCUMENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

        assert packaged().canonical == canonical
        assert packaged().sha256 == hashlib.sha256(canonical).hexdigest()

    def test_says_of_each_factor_where_it_comes_from(self):
        assert all(factor.published["source"] for factor in packaged().factors.values())


class TestRead:
    def test_takes_any_layout_for_the_same_set(self):
        upside_down = json.dumps(dict(reversed(DOCUMENT.items())), indent=3).encode()

        assert read(upside_down).sha256 == packaged().sha256

    def test_takes_a_change_for_another_set(self):
        assert read(changed("models", 0, "reason", to="other")).sha256 != packaged().sha256

    def test_takes_its_own_canonical_form(self):
        assert read(packaged().canonical).canonical == packaged().canonical


class TestRefusal:
    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            (("version",), GONE, "The document has no version."),
            (("version",), " ", "version is empty."),
            (("version",), 2026, "version is not a text."),
            (("method", "text"), GONE, "method has no text."),
            (("method", "normalise"), [], "method.normalise is not a list with something in it."),
            (("method", "tier_rule", "active_cuts_b", 1), "4.5", "method.tier_rule needs 4 rising cuts"),
            (("method", "tier_rule", "tiers"), ["nano", "small"], "method.tier_rule needs 1 rising cuts"),
            (("factors",), {}, "factors is not a list with something in it."),
            (("factors", OUTPUT), "x", "factors[1] is not an object."),
            (("factors", OUTPUT, "kind"), "wind", "factors[1].kind is “wind”, and must be one of: method, energy,"),
            (("factors", OUTPUT, "value"), 0.03, "factors[1].value is a float"),
            (("factors", OUTPUT, "value"), 3, "factors[1].value is not a decimal number"),
            (("factors", OUTPUT, "value"), "3e-2", "factors[1].value is not a decimal number"),
            (("factors", OUTPUT, "value"), "-0.03", "factors[1].value is not a decimal number"),
            (("factors", OUTPUT, "value"), "0.0", "factors[1].value is not from 0.000000000001 to 1000000."),
            (("factors", OUTPUT, "ln_sd"), "5.1", "factors[1].ln_sd is not from 0 to 5."),
            (("factors", OUTPUT, "source"), "", "factors[1].source is empty."),
            (("factors", OUTPUT, "id"), "method", "factors[1] has the same id as an entry before."),
            (("factors", OUTPUT), GONE, "needs a factor “energy/nano/output” of kind energy"),
            (("factors", METHOD), GONE, "factors needs a factor “method” of kind method, and there is none."),
            (("factors", METHOD, "value"), "1.1", "factors[0].value is not from 1 to 1."),
            (("factors", PUE, "value"), "0.9", ".value is not from 1 to 5."),
            (("factors", FAST, "ln_sd"), "0.1", ".ln_sd is not from 0 to 0."),
            (("factors", US, "value"), "400.8", ".value is not 400.82614, which the parts of this factor make."),
            (("factors", US, "upstream"), "0.9", ".upstream is not from 1 to 1000000."),
            (("factors", MIX, "zones", 0, 1), "0.7", ".zones have shares that do not make 1."),
            (("factors", MIX, "zones", 0, 0), "XX", ".zones needs a factor “grid/XX” of kind grid"),
            (("factors", MIX, "zones", 0), ["US"], ".zones are not pairs of a zone and its share."),
            (("hosting", 0, "grid"), "grid/XX", "hosting[0].grid needs a factor “grid/XX” of kind grid"),
            (("hosting", 0, "pue"), "grid/US", "hosting[0].pue needs a factor “grid/US” of kind pue"),
            (("hosting", 0, "signal"), {"zone": "us"}, "hosting[0].signal.zone is none of the signals"),
            (("hosting", 0, "signal"), {}, "hosting[1] has the same provider and signal as an entry before."),
            (("hosting", -1, "provider"), "acme", "hosting has no row of provider “*” without a signal."),
            (("hosting",), last("hosting", signal={"region": "x"}), "hosting[96] has the same id as an entry before."),
            (("models", 0, "kind"), "txet", "models[0].kind is “txet”, and must be one of: text,"),
            (("models", 0, "tier"), "large", "models[0].tier is “large”, and must be one of: nothing."),
            (("models", 5, "tier"), "huge", "models[5].tier is “huge”, and must be one of: nano, small,"),
            (("models", 5, "tier"), "", "models[5].tier is “”, and must be one of: nano, small,"),
            (("models", 5, "pattern"), "gpt-(", "models[5].pattern is not a regular expression: missing )"),
            (("models", 5, "pattern"), "gpt-oss-120b", "models[6] has the same pattern as an entry before."),
            (("models", 5, "order"), 50, "models is not in the order of its rows."),
            (("models", 5, "order"), True, "models[5].order is not a whole number from 0 to 2147483647."),
            (("models", 5, "evidence"), 7, "models[5].evidence is not a whole number from 1 to 6."),
            (("models", -1, "pattern"), "x.*", "models does not end with a row for all other names"),
            (("models", -1, "tier"), "size", "models does not end with a row for all other names"),
        ],
    )  # fmt: skip
    def test_names_the_place_and_the_reason(self, path, value, reason):
        with pytest.raises(FactorSetInvalid) as refused:
            read(changed(*path, to=value))

        assert reason in str(refused.value)

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (b"", "not JSON that can be hashed"),
            (b"\xff", "not JSON that can be hashed"),
            (b"[" * 100_000, "not JSON that can be hashed"),
            (b'{"version": "\\ud800"}', "not JSON that can be hashed"),
            (b'{"version": 9007199254740993}', "not JSON that can be hashed"),
            (b'{"version": NaN}', "not JSON that can be hashed"),
            (b"[]", "The document is not an object."),
            (b'{"version": "1", "version": "2"}', "An object of version has one of them twice."),
        ],
    )
    def test_covers_what_is_no_document_at_all(self, document, reason):
        with pytest.raises(FactorSetInvalid, match=reason):
            read(document)

    def test_is_a_problem_that_a_caller_can_read(self):
        assert (FactorSetInvalid.slug(), FactorSetInvalid.status) == ("factor-set-invalid", 422)
