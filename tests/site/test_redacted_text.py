"""What is taken out of text, what stays in it, and that no line of a log goes another way."""

import json
import logging
import subprocess
import sys
from urllib.parse import quote

import pytest
import structlog

from carbon_site.logs import redact, redact_value
from tests.site.secrets import SECRETS, spilt

log = structlog.get_logger(__name__)


@pytest.mark.parametrize("secret", SECRETS)
class TestText:
    @pytest.mark.parametrize(
        "around",
        [
            "key={}, and more",
            "('{}',)",
            "_{}",
            "q=%3D{}%26",
            "\\n{}\\n",
            "密钥{}。",
            "https://x.example/?key={}&a=b",
        ],
    )
    def test_loses_its_secrets_whatever_stands_around_them(self, secret, around):
        assert not spilt(redact(around.format(secret)))

    def test_loses_its_secrets_also_where_they_are_escaped(self, secret):
        for escaped in (
            quote(secret, safe=""),
            json.dumps(f"\n{secret}\n"),
            repr(ValueError(f"\n{secret}\n")),
        ):
            assert not spilt(redact(escaped))

    def test_loses_its_secrets_however_deep_they_are(self, secret):
        nested = {"a": [secret, {secret: (secret, {secret}, secret.encode())}], "b": ValueError(secret)}

        assert not spilt(json.dumps(redact_value(nested)))


class TestOtherText:
    @pytest.mark.parametrize(
        "text",
        [
            "prj_01h455vb4pex5vsknk084sn02q",
            "gpt-5.2-2025-12-11",
            "claude-opus-4@20260101",
            "sk-telecom/a.x-4.0",
            "openai@3.57.0",
            "task-admin-cleanup-of-old-rows",
            "risk-or-reward-assessment",
            "basic authentication, and a bearer of good news",
            "AKIA2345ABCDEFGHIJKLMNOPQR",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
            "2026-11-25T09:08:40.661057Z",
            "http://localhost:8000/problems/not-found?at=12:30",
        ],
    )
    def test_stays_as_it_is(self, text):
        assert redact(text) == text

    @pytest.mark.parametrize(
        "unit",
        [
            "a",
            "a.",
            "a@",
            "a@a.",
            "%40",
            "eyJ",
            "-eyJ",
            "sk-",
            "x://a:",
            "x://a:@",
            "%3A%2F%2F%3A",
            "bearer ",
        ],
    )
    def test_takes_no_longer_than_its_length(self, unit):
        """Were it by the square of it, this would not end."""
        assert redact(unit * (200_000 // len(unit)))


class TestLines:
    def test_of_ours_have_no_secrets(self, lines):
        for secret in SECRETS:
            with structlog.contextvars.bound_contextvars(bound=secret):
                log.warning("%s was said", secret, word=secret, _word=secret, nested=[{secret: secret}])

        assert "was said" in lines.getvalue()
        assert not spilt(lines.getvalue())

    def test_of_libraries_have_no_secrets(self, lines):
        for secret in SECRETS:
            logging.getLogger("library").warning(
                "to %s", secret, extra={"word": secret, "request": {"url": secret}}, stack_info=True
            )

        assert "library" in lines.getvalue()
        assert not spilt(lines.getvalue())

    def test_of_errors_have_no_secrets(self, lines):
        for secret in SECRETS:
            try:
                raise ExceptionGroup(secret, [RuntimeError(secret)]) from ValueError(secret)
            except ExceptionGroup as error:
                error.add_note(secret)
                logging.getLogger("library").exception("it failed")
                log.exception("it failed")

        assert lines.getvalue().count("RuntimeError") >= 2 * len(SECRETS)
        assert not spilt(lines.getvalue())

    def test_go_through_one_formatter(self):
        """A handler beside it would write what it is given, secrets and all."""
        known = logging.root.manager.loggerDict.values()
        handlers = [
            handler for each in known if isinstance(each, logging.Logger) for handler in each.handlers
        ]

        assert {type(handler).__name__ for handler in handlers} <= {"NullHandler", "LogCaptureHandler"}


SERVER = """
import logging, sys, uvicorn
uvicorn.Config("x:y")
from carbon_site.logs import logging_config
logging_config(level="INFO", form="json")
for secret in sys.argv[1:]:
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "::1", "GET", "/?key=" + secret, "1.1", 200)
    logging.getLogger("uvicorn.error").error("refused: %s", secret)
    logging.getLogger("library").info("%d", secret)
"""


class TestServer:
    def test_says_nothing_past_the_formatter(self):
        """Neither in lines of its own, nor of a line that cannot be formatted."""
        command = [sys.executable, "-c", SERVER, *SECRETS]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)

        assert len([json.loads(line)["event"] for line in ran.stderr.splitlines()]) == 2 * len(SECRETS)
        assert not spilt(ran.stderr)
