import hashlib
import json
import re
from importlib.resources import files

import jsonschema
import pytest

from receipts import document
from tests.receipts.examples import signed, texts, unsigned

SCHEMA = json.loads((files("receipts") / "schema" / "carbon-receipt-v1.json").read_text())
CONTEXT_FILE = files("receipts") / "schema" / "context-v1.json"
CONTEXT = json.loads(CONTEXT_FILE.read_text())["@context"]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What the contexts of Verifiable Credentials 2.0 define; to define one of them again is an error.
OF_THE_W3C = {
    "@context",
    "id",
    "type",
    "issuer",
    "validFrom",
    "credentialStatus",
    "credentialSubject",
    "proof",
    "statusPurpose",
    "statusListIndex",
    "statusListCredential",
    "cryptosuite",
    "created",
    "verificationMethod",
    "proofPurpose",
    "proofValue",
}
RESERVED = {"name", "description", "digestMultibase", "digestSRI", "mediaType"}
CLAIMS = re.compile(
    r"neutral|net.?zero|(climate|carbon|nature|planet).?positive|offset(s|ting)\b|carbon.?free|zero.?carbon|green|eco-"
    r"|sustainab|compensat|\bmeasured\b|certified|compliant",
    re.IGNORECASE,
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
        made = unsigned()["credentialSubject"]

        assert made["statement"].startswith("Estimated from token counts")
        assert made["credits"]["statement"].endswith("does not reduce the emissions stated above.")
