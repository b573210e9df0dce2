"""No page and no text that people are served claims more than that credits were retired."""

import pytest
from django.conf import settings

from tests.claims import claims

APPS = ("carbon_site", "projects", "connections", "telemetry", "emissions", "billing", "receipts", "audit")
SERVED = (".html", ".css", ".js", ".svg")
FILES = [
    path.relative_to(settings.BASE_DIR)
    for app in APPS
    for path in (settings.BASE_DIR / app).rglob("*")
    if path.suffix in SERVED
]


class TestClaims:
    @pytest.mark.parametrize("file", FILES, ids=str)
    def test_are_made_in_no_file_that_is_served(self, file):
        assert claims((settings.BASE_DIR / file).read_text()) == []

    @pytest.mark.parametrize(
        "text",
        [
            "Carbon neutral",
            "carbon-\nneutral",
            "Net Zero",
            "net-zero",
            "climate positive",
            "offsets",
            "CO₂ neutral",
        ],
    )
    def test_are_found(self, text):
        assert claims(f"Your usage is {text} now.")

    def test_are_not_seen_in_a_distance(self):
        assert not claims('<stop offset="1"/> text-underline-offset: 2px; batch.offsetMg')
