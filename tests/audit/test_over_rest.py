"""Ordering, listing and downloading packs over REST."""

import pytest
from django.core.files.storage import default_storage

from audit.models import AuditPack
from tests import make
from tests.audit.examples import SCRIPT, closed, files_of, packed, usage

PACKS = "/api/v1/audit-packs"


@pytest.fixture
def october(acme):
    return closed(acme, usage()[:2])


@pytest.mark.django_db
class TestOrder:
    def test_answers_with_a_pack_that_is_being_built(self, admin, october):
        answer = admin.post(PACKS, {"period": october.pk}, format="json")

        said = answer.json()
        assert (answer.status_code, said["state"], said["sha256"], said["bytes"]) == (
            201,
            "building",
            None,
            None,
        )
        assert (said["period"], said["month"], said["id"][:4]) == (october.pk, "2026-10-01", "aud_")

    def test_again_answers_with_the_same_one(self, admin, october):
        first, again = (admin.post(PACKS, {"period": october.pk}, format="json") for _ in "ab")

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    def test_is_replayed_under_its_idempotency_key(self, admin, october):
        first, again = (
            admin.post(PACKS, {"period": october.pk}, format="json", headers={"Idempotency-Key": "k"})
            for _ in "ab"
        )

        assert (again.status_code, again.json()) == (201, first.json())
        assert again["Idempotent-Replayed"] == "true"

    def test_of_an_open_month_is_refused(self, admin, acme):
        answer = admin.post(PACKS, {"period": make.period(acme).pk}, format="json")

        assert (answer.status_code, answer.json()["type"].split("/")[-1]) == (409, "period-not-closed")

    @pytest.mark.parametrize(
        ("period", "status"), [("per_01h455vb4pex5vsknk084sn02q", 404), ("october", 400)]
    )
    def test_of_what_is_no_period_is_refused(self, admin, period, status):
        assert admin.post(PACKS, {"period": period}, format="json").status_code == status

    def test_of_another_organization_s_month_is_not_found(self, october):
        rival = make.client(make.organization("rival"))

        assert rival.post(PACKS, {"period": october.pk}, format="json").status_code == 404

    def test_is_for_admins(self, member, auditor, october):
        codes = [
            who.post(PACKS, {"period": october.pk}, format="json").status_code for who in (member, auditor)
        ]

        assert (codes, AuditPack.unscoped.count()) == ([403, 403], 0)


@pytest.mark.django_db
class TestDownload:
    def test_is_the_file_as_it_was_built(self, admin, october):
        pack = packed(october)

        answer = admin.get(f"{PACKS}/{pack.pk}/download")

        with default_storage.open(pack.path) as file:
            assert b"".join(answer.streaming_content) == file.read()
        assert answer["Content-Disposition"] == 'attachment; filename="carbon-pack-2026-10.zip"'
        assert (answer["Content-Type"], answer["Content-Length"]) == ("application/zip", str(pack.size))

    def test_waits_until_it_is_built(self, admin, october):
        said = admin.post(PACKS, {"period": october.pk}, format="json").json()

        answer = admin.get(f"{PACKS}/{said['id']}/download")

        assert (answer.status_code, answer["Retry-After"]) == (409, "60")

    def test_is_for_members_and_auditors_too(self, member, auditor, october):
        pack = packed(october)

        for who in (member, auditor):
            answer = who.get(f"{PACKS}/{pack.pk}/download")
            assert "recalculate.py" in files_of(b"".join(answer.streaming_content))


@pytest.mark.django_db
class TestList:
    def test_shows_what_is_ready(self, auditor, october):
        pack = packed(october)

        (listed,) = auditor.get(PACKS).json()["results"]

        assert (listed["id"], listed["state"], listed["sha256"]) == (pack.pk, "ready", pack.sha256)
        assert auditor.get(f"{PACKS}/{pack.pk}").json() == listed

    def test_is_built_when_it_is_ordered(self, admin, october, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks() as nudges:
            admin.post(PACKS, {"period": october.pk}, format="json")

        assert len(nudges) == 1


class TestScript:
    def test_is_served_to_anyone_as_it_is_packed(self, client):
        answer = client.get("/recalculate.py")

        assert (answer.status_code, answer.content) == (200, SCRIPT.read_bytes())
