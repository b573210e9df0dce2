import json
import subprocess
import sys

import pytest

from carbon_site.logs import redact, redact_value

SECRETS = [
    "sk-admin-abcdefghijklmnopqrstuvwxyz",
    "sk-proj-abcdefghijklmnop",
    "sk-ant-admin01-abcdefghijklmnop",
    "sk-or-v1-abcdefghijklmnop",
    "cfk_abcdefghijklmnopqrstuvwxyz",
    "whsec_abcdefghijklmnop",
    "sk_live_abcdefghijklmnop",
    "rk_test_abcdefghijklmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl",
    "ada.lovelace@example.org",
]


@pytest.mark.parametrize("secret", SECRETS)
class TestRedaction:
    def test_takes_secrets_out_of_text(self, secret):
        assert secret not in redact(f"key={secret}, and more")

    def test_takes_secrets_out_of_what_is_nested(self, secret):
        assert secret not in str(redact_value({"a": [secret, {secret: (secret,)}], "b": ValueError(secret)}))

    def test_leaves_no_more_than_four_characters_of_a_secret_part(self, secret):
        assert secret[-12:] not in redact(secret)


class TestOtherText:
    @pytest.mark.parametrize(
        "text", ["prj_01h455vb4pex5vsknk084sn02q", "gpt-5.2-2025-12-11", "task-runner", "12:30"]
    )
    def test_stays_as_it_is(self, text):
        assert redact(text) == text

    def test_loses_the_password_of_an_address(self):
        assert redact("postgresql://app:hunter2@db/x") == "postgresql://app:[hidden]@db/x"


SCRIPT = """
import logging, structlog
from carbon_site.logs import logging_config
logging_config(level="INFO", form="json")
structlog.get_logger("own").info("said", key="cfk_abcdefghijklmnop", count=3)
logging.getLogger("library").warning("to %s", "ada@example.org")
try:
    raise ValueError("sk-admin-abcdefghijkl")
except ValueError:
    logging.getLogger("library").exception("failed")
"""


class TestLines:
    def test_are_json_without_secrets_whoever_logs(self):
        ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

        said, warned, failed = map(json.loads, ran.stderr.splitlines())

        assert (said["event"], said["count"], said["key"]) == ("said", 3, "cfk_[hidden]")
        assert (warned["event"], warned["level"]) == ("to [e-mail hidden]", "warning")
        assert "ValueError: sk-admin-[hidden]" in failed["exception"]
