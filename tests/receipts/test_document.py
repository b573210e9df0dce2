import hashlib
import json
import unicodedata
from dataclasses import replace
from importlib.resources import files
from uuid import UUID, uuid1

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipts import canonical, document, status_list
from receipts.receipt import DoesNotAddUp, ModelUse, Replaced
from tests.receipts.examples import (
    BATCH,
    ISSUED,
    KEY,
    NAME,
    RECEIPT,
    RETIREMENT,
    SALT,
    SITE,
    SUBJECT,
    signed,
    unsigned,
)

SCHEMA = json.loads((files("receipts") / "schema" / "carbon-receipt-v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).map(
    lambda text: unicodedata.normalize("NFC", text)
)
COUNTS = st.none() | st.integers(0, 2**63 - 1)
MODEL_USES = st.builds(
    ModelUse,
    provider=WORDS,
    model=WORDS,
    service_tier=st.none() | WORDS,
    input_uncached=COUNTS,
    output=COUNTS,
    requests=COUNTS,
)


def subject(**changes):
    return unsigned(subject=replace(SUBJECT, **changes))["credentialSubject"]


class TestUnsigned:
    def test_is_a_credential_of_the_site(self):
        made = unsigned()

        assert made["id"] == "urn:uuid:6fa0a2a1-3c1d-4a4e-9a5b-0e6a5b0d8c11"
        assert made["issuer"] == "did:web:localhost%3A8000"
        assert made["validFrom"] == "2026-11-03T00:40:00Z"
        assert made["@context"][1] == "http://localhost:8000/ns/carbon-receipt/v1"

    def test_has_its_place_in_a_status_list(self):
        assert unsigned()["credentialStatus"] == status_list.entry("http://localhost:8000/status/1", 94_567)

    def test_writes_each_number_as_a_text(self):
        made = subject()

        assert made["emissions"]["meanUg"] == "6997681000"
        assert made["credits"]["retirements"][0]["offsetMg"] == "1000000"
        numbers: list[str] = []
        json.loads(json.dumps(made), parse_int=numbers.append, parse_float=numbers.append)
        assert numbers == []

    def test_leaves_out_what_is_not_known(self):
        made = subject(credits=None)

        assert "credits" not in made
        assert "cacheWrite" not in made["activity"]["total"]
        assert "publicName" not in made["customer"]

    def test_names_the_receipt_whose_place_it_takes(self):
        old = Replaced(id=UUID("0b9a7c0e-3f5d-4f6e-8a51-96f10fd3f4f5"), sha256="ab" * 32)

        made = unsigned(supersedes=old)

        assert made["supersedes"] == {
            "id": "urn:uuid:0b9a7c0e-3f5d-4f6e-8a51-96f10fd3f4f5",
            "sha256": "ab" * 32,
        }
        VALIDATOR.validate(made)

    def test_refuses_an_id_that_tells_something(self):
        with pytest.raises(ValueError, match="random"):
            document.unsigned(replace(RECEIPT, id=uuid1()), SITE)

    @settings(deadline=None, max_examples=50)
    @given(st.lists(MODEL_USES, max_size=20).map(tuple))
    def test_is_in_the_profile_and_in_the_schema_for_any_use(self, models):
        made = unsigned(subject=replace(SUBJECT, activity=replace(SUBJECT.activity, models=models)))

        canonical.check(made)
        VALIDATOR.validate(made)

    def test_has_no_place_for_a_float(self):
        with pytest.raises(TypeError):
            unsigned(subject=replace(SUBJECT, energy=replace(SUBJECT.energy, it_uwh=1.5)))


class TestSums:
    def test_refuse_parts_that_are_not_the_central_figure(self):
        with pytest.raises(DoesNotAddUp, match="electricity"):
            replace(SUBJECT.emissions, embodied_central_ug=1)

    def test_refuse_a_central_figure_outside_of_its_bounds(self):
        with pytest.raises(DoesNotAddUp, match="between"):
            replace(SUBJECT.emissions, low_ug=SUBJECT.emissions.central_ug + 1)

    def test_refuse_slices_that_are_not_what_was_retired(self):
        with pytest.raises(DoesNotAddUp, match="slices"):
            replace(SUBJECT.credits, retired_mg=6_999_999)

    def test_refuse_one_milligram_used_twice(self):
        after = replace(RETIREMENT, offset_mg=RETIREMENT.offset_mg + RETIREMENT.length_mg - 1)

        with pytest.raises(DoesNotAddUp, match="overlap"):
            replace(SUBJECT.credits, retired_mg=14_000_000, retirements=(after, RETIREMENT))

    def test_refuse_a_slice_that_does_not_lie_in_its_batch(self):
        last = replace(RETIREMENT, batch_mg=RETIREMENT.offset_mg + RETIREMENT.length_mg - 1)

        with pytest.raises(DoesNotAddUp, match="does not lie in"):
            replace(SUBJECT.credits, retirements=(last,))

    def test_allow_slices_side_by_side(self):
        after = replace(RETIREMENT, offset_mg=RETIREMENT.offset_mg + RETIREMENT.length_mg)

        assert replace(SUBJECT.credits, retired_mg=14_000_000, retirements=(after, RETIREMENT))


class TestCommitment:
    def test_is_the_hash_of_salt_and_name(self):
        assert document.commitment(SALT, "Acme") == hashlib.sha256(bytes(range(32)) + b"Acme").hexdigest()

    def test_is_the_same_for_both_spellings_of_a_letter(self):
        assert document.commitment(SALT, "Zu\u0308rich") == document.commitment(SALT, "Zürich")

    def test_needs_a_whole_salt(self):
        with pytest.raises(ValueError, match="32 bytes"):
            document.commitment(b"short", NAME)


class TestLeaf:
    def test_holds_the_hash_of_the_signed_receipt_and_its_slices(self):
        leaf = json.loads(document.leaf(signed()))

        assert leaf == {
            "type": "receipt",
            "sha256": canonical.sha256(signed()),
            "allocations": [{"batchSha256": BATCH, "offsetMg": "1000000", "lengthMg": "7000000"}],
        }

    def test_of_a_receipt_without_credits_has_no_slices(self):
        made = document.credential.sign(unsigned(subject=replace(SUBJECT, credits=None)), KEY, ISSUED)

        assert json.loads(document.leaf(made))["allocations"] == []
