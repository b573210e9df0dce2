"""Outside `local` nothing starts insecurely, and each refusal is one clear line."""

import base64
import os
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.checks import Tags, run_checks

GOOD = {
    "CARBON_ENV": "production",
    "SECRET_KEY": "x" * 50,
    "SECRET_STORE_KEY": base64.b64encode(b"k" * 32).decode(),
    "ALLOWED_HOSTS": "carbon.example",
    "PUBLIC_BASE_URL": "https://carbon.example",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
}
INSECURE = {  # settings that are refused outside `local`, but for those that are refused everywhere
    "carbon.E001": {"CARBON_ENV": "prod"},
    "carbon.E002": {"TIME_ZONE": "Europe/Berlin"},
    "carbon.E003": {"SECRET_STORE": "paper"},
    "carbon.E004": {"SECRET_STORE_KEY": ""},
    "carbon.E005": {"SECRET_KEY": settings.INSECURE_KEY},
    "carbon.E006": {"DEBUG": True},
    "carbon.E007": {"ALLOWED_HOSTS": ["*"]},
    "carbon.E008": {"PUBLIC_BASE_URL": "http://carbon.example"},
    "carbon.E009": {"CLERK_ISSUER": "https://clerk.example", "CLERK_AUTHORIZED_PARTIES": []},
}
EVERYWHERE = {"carbon.E001", "carbon.E002", "carbon.E003", "carbon.E009"}


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """What the web process and the worker do before anything else."""
    code = "import django; django.setup(); from carbon_site.checks import insist; insist(); print('started')"
    here = {"DJANGO_SETTINGS_MODULE": "carbon_site.settings", "PATH": os.environ["PATH"]}
    environment = here | GOOD | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


class TestStart:
    def test_happens_where_all_is_set(self):
        assert start().stdout == "started\n"

    def test_is_refused_in_one_line(self):
        ran = start(ALLOWED_HOSTS="*")

        assert (ran.returncode, ran.stderr.splitlines()) == (
            1,
            ["Refusing to start (carbon.E007): ALLOWED_HOSTS names no host, or every host."],
        )

    @pytest.mark.parametrize("identity", INSECURE)
    @pytest.mark.parametrize("local", [True, False], ids=["local", "production"])
    def test_is_refused_where_it_would_be_insecure(self, settings, identity, local):
        settings.LOCAL, settings.CARBON_ENV = local, "local" if local else "production"
        settings.SECRET_KEY, settings.SECRET_STORE_KEY = GOOD["SECRET_KEY"], GOOD["SECRET_STORE_KEY"]
        settings.ALLOWED_HOSTS, settings.PUBLIC_BASE_URL = ["carbon.example"], "https://carbon.example"
        for name, value in INSECURE[identity].items():
            setattr(settings, name, value)

        found = {error.id for error in run_checks(tags=[Tags.security]) if error.id.startswith("carbon.")}

        assert found == ({identity} if identity in EVERYWHERE or not local else set())

    @pytest.mark.parametrize("key", ["short", base64.b64encode(b"k" * 31).decode()])
    def test_is_refused_with_a_key_that_is_none_anywhere(self, settings, key):
        settings.SECRET_STORE_KEY = key

        assert "carbon.E004" in {error.id for error in run_checks(tags=[Tags.security])}


class TestExample:
    def test_names_every_variable_that_settings_read(self):
        read = set(
            re.findall(
                r"env\.\w+\(\s*[\"'](\w+)", (settings.BASE_DIR / "carbon_site/settings.py").read_text()
            )
        )
        shown = set(
            re.findall(r"^#? ?([A-Z_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.MULTILINE)
        )

        assert read == shown
