import hashlib
import json
import re
import unicodedata
from dataclasses import replace
from importlib.resources import files
from uuid import UUID, uuid1

import jsonschema  # type: ignore[import-untyped]
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
CONTEXT_FILE = files("receipts") / "schema" / "context-v1.json"
CONTEXT = json.loads(CONTEXT_FILE.read_text())["@context"]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What the contexts of Verifiable Credentials 2.0 define; to define one of them again is an error.
OF_THE_W3C = {
    *("@context", "id", "type", "issuer", "validFrom", "credentialStatus", "credentialSubject", "proof"),
    *(
        "statusPurpose",
        "statusListIndex",
        "statusListCredential",
        "cryptosuite",
        "created",
        "verificationMethod",
    ),
    *("proofPurpose", "proofValue"),
}
RESERVED = {"name", "description", "digestMultibase", "digestSRI", "mediaType"}
CLAIMS = re.compile(
    r"neutral|net.?zero|(climate|carbon|nature|planet).?positive|offset(s|ting)\b|carbon.?free|zero.?carbon|green|eco-"
    r"|sustainab|compensat|\bmeasured\b|certified|compliant",
    re.IGNORECASE,
)

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


def names(schema):
    """Every name of a member that the schema knows."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from names(value)


def texts(value):
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from texts(member)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)
    elif isinstance(value, str):
        yield value


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
        assert not [value for value in texts(made) if not isinstance(value, str)]

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


class TestSchema:
    def test_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    @pytest.mark.parametrize("made", [unsigned(), signed()])
    def test_describes_a_receipt_with_and_without_its_proof(self, made):
        VALIDATOR.validate(made)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (["surprise"], "text"),
            (["credentialSubject", "surprise"], "text"),
            (["credentialSubject", "emissions", "meanUg"], 7),
            (["credentialSubject", "statement"], "Measured."),
            (["credentialSubject", "credits", "statement"], "The service has no emissions."),
            (["credentialSubject", "credits", "retirements", 0, "creditType"], "avoidance"),
            (["id"], "rcp_01k9wq3m5ef2tbr5s3yd4w1x8a"),
            (["id"], "urn:uuid:019a0000-0000-7000-8000-000000000000"),
            (["issuer"], "https://localhost:8000"),
        ],
    )
    def test_refuses_anything_else(self, path, value):
        made = signed()
        parent = made
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = value

        assert not VALIDATOR.is_valid(made)


class TestContext:
    def test_defines_each_member_that_the_w3c_does_not(self):
        ours = set(CONTEXT) - {"@version", "@protected", "term", "xsd", "id", "type", document.TYPE}

        assert ours == set(names(SCHEMA)) - OF_THE_W3C

    def test_defines_nothing_that_the_w3c_does(self):
        assert not (OF_THE_W3C - {"id", "type"} | RESERVED) & set(CONTEXT)

    def test_never_changes(self):
        # Signed receipts name it. A new member needs a version 2 beside it.
        assert (
            hashlib.sha256(CONTEXT_FILE.read_bytes()).hexdigest()
            == "be76b1862eaf645d656006d36deac94c2215b9386245acb188f29a63c729b77f"
        )


class TestWords:
    @pytest.mark.parametrize("made", [unsigned(), SCHEMA, CONTEXT], ids=["receipt", "schema", "context"])
    def test_claim_nothing_that_credits_cannot_do(self, made):
        assert [text for text in texts(made) if CLAIMS.search(text)] == []

    def test_say_that_it_is_an_estimate_and_that_credits_stand_apart(self):
        made = subject()

        assert made["statement"].startswith("Estimated from token counts")
        assert made["credits"]["statement"].endswith("does not reduce the emissions stated above.")


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
