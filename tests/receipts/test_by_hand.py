import json
import subprocess
from datetime import timedelta
from importlib.resources import as_file, files

import pytest

from receipts import canonical, credential, published
from receipts.keys import LocalKey
from tests.machine import needs
from tests.receipts.examples import ISSUED, KEY, OTHER_KEY, changed, signed, text, unsigned


@needs("jq", "openssl")
class TestByHand:
    def check(self, folder, made: bytes, key: LocalKey = KEY) -> subprocess.CompletedProcess:
        (folder / "receipt.json").write_bytes(made)
        (folder / "key.pem").write_text(published.pem(key.public))
        with as_file(files("receipts") / "static/receipts/check_by_hand.sh") as script:
            command = ["sh", str(script), str(folder / "receipt.json"), str(folder / "key.pem")]
            return subprocess.run(command, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize(
        "made", [text(), json.dumps(signed(), indent=2).encode()], ids=["canonical", "indented"]
    )
    def test_finds_a_receipt_valid(self, tmp_path, made):
        ran = self.check(tmp_path, made)

        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout == "Signature Verified Successfully\n"

    @pytest.mark.parametrize(
        ("made", "key"),
        [
            (changed(validFrom="2026-11-04T00:00:00Z"), KEY),
            (changed(proof=signed()["proof"] | {"created": "2026-11-04T00:00:00Z"}), KEY),
            (text(), OTHER_KEY),
            (json.dumps(unsigned()).encode(), KEY),
        ],
        ids=["document", "proof", "key", "no proof"],
    )
    def test_refuses_anything_else(self, tmp_path, made, key):
        assert self.check(tmp_path, made, key).returncode != 0

    def test_reads_a_signature_that_begins_with_a_zero(self, tmp_path):
        made = credential.sign(unsigned(), KEY, ISSUED + timedelta(seconds=560))

        assert made["proof"]["proofValue"].startswith("z1")
        assert self.check(tmp_path, canonical.encode(made)).returncode == 0
