"""Pages that anyone may read."""

import re
from pathlib import Path

import pytest
from django.conf import settings

# What the product never says of itself or its customers (Directive (EU) 2024/825).
CLAIMS = re.compile(
    r"(carbon|climate|co2e?)[\s-]*(neutral|positive|negative|compensated)|net[\s-]*zero|offset your|zero[\s-]carbon|eco[\s-]friendly",
    re.IGNORECASE,
)


def texts() -> list[Path]:
    """Everything that a customer may read: templates, and the strings of our code."""
    ours = [
        "carbon_site",
        "projects",
        "connections",
        "telemetry",
        "emissions",
        "billing",
        "receipts",
        "audit",
    ]
    kinds = {".html", ".py", ".txt", ".json", ".js"}
    return [path for app in ours for path in (settings.BASE_DIR / app).rglob("*") if path.suffix in kinds]


@pytest.mark.django_db
class TestLandingPage:
    def test_leads_to_docs_schema_health_and_staff(self, client):
        page = client.get("/").content.decode()

        for there in ("/api/docs/", "/api/schema/", "/health", "/admin/"):
            assert f'href="{there}"' in page

    def test_needs_no_script_and_no_third_party(self, client):
        answer = client.get("/")

        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "<script" not in answer.content.decode()
        assert not re.search(r'(src|href)="(https?:)?//', answer.content.decode())

    def test_shows_what_a_developer_does_next_in_local_alone(self, client, settings):
        local = client.get("/").content.decode()
        settings.LOCAL = False

        assert ("issue_api_key" in local, "issue_api_key" in client.get("/").content.decode()) == (
            True,
            False,
        )


@pytest.mark.django_db
class TestProblemPage:
    @pytest.mark.parametrize("slug", ["plan-limit", "not-found", "invalid", "idempotency-in-progress"])
    def test_says_what_a_type_means(self, client, slug):
        assert slug in client.get(f"/problems/{slug}").content.decode()

    def test_is_where_the_type_points(self, admin, client):
        kind = admin.get("/api/v1/projects/nothing").json()["type"]

        assert client.get(kind.removeprefix(settings.PUBLIC_BASE_URL)).status_code == 200

    def test_is_not_there_for_another_word(self, client):
        assert client.get("/problems/none-such").status_code == 404


class TestWords:
    @pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
    def test_claim_no_neutrality(self, path):
        assert not CLAIMS.search(path.read_text())

    def test_would_be_found(self):
        assert all(
            CLAIMS.search(claim)
            for claim in ("carbon neutral", "Net-zero AI", "climate positive", "CO2 neutral")
        )
