"""People's session tokens: what is accepted, what each is refused for, and keys that change or cannot be fetched."""

import base64
import json
import logging
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from projects import clerk, tenancy
from projects.models import Membership, Organization, Project
from tests import make
from tests.sandbox import Sandbox

ME = "/api/v1/me"
PARTY = "https://app.example"
V2 = {"v": 2, "azp": PARTY, "o": {"id": "org_clerk1", "slg": "acme", "rol": "admin"}}
V1 = {"azp": PARTY, "org_id": "org_clerk1", "org_slug": "acme", "org_role": "org:admin"}


@pytest.fixture(autouse=True)
def _configured(settings, sandbox):
    settings.CLERK_ISSUER, settings.CLERK_JWKS_URL = sandbox.clerk, ""
    settings.CLERK_AUTHORIZED_PARTIES = [PARTY]
    clerk.keys.cache_clear()
    yield
    sandbox.heal()
    clerk.keys.cache_clear()


@pytest.mark.django_db
class TestSession:
    @pytest.mark.parametrize("claims", [V1, V2], ids=["v1", "v2"])
    def test_opens_the_organization_that_was_chosen(self, sandbox, claims):
        answer = make.with_token(sandbox.sign(claims)).get(ME)

        said = answer.json()
        assert (answer.status_code, said["kind"], said["role"], said["may_write"]) == (
            200,
            "session",
            "admin",
            True,
        )
        assert Organization.objects.get(directory_id="org_clerk1").pk == said["organization"]["id"]

    def test_makes_an_organization_once_with_its_default_project(self, sandbox):
        for _ in range(2):
            made = make.with_token(sandbox.sign(V2)).get(ME).json()["organization"]["id"]

        with tenancy.organization(made):
            assert [project.name for project in Project.unscoped.all()] == ["Default"]

    def test_takes_another_slug_where_an_organization_has_it(self, sandbox, acme):
        said = make.with_token(sandbox.sign(V2)).get(ME).json()

        assert said["organization"]["id"] != acme.pk
        assert said["organization"]["slug"].startswith("acme-")

    @pytest.mark.parametrize(
        ("said", "role"),
        [("auditor", "auditor"), ("org:auditor", "auditor"), ("editor", "member"), ("", "member")],
    )
    def test_gives_the_role_that_the_directory_says(self, sandbox, said, role):
        token = sandbox.sign(V2 | {"o": V2["o"] | {"rol": said}})

        assert make.with_token(token).get(ME).json()["role"] == role

    def test_without_an_organization_opens_a_personal_one(self, sandbox):
        said = make.with_token(sandbox.sign({"v": 2, "azp": PARTY, "sub": "user_9"})).get(ME).json()

        assert (said["role"], Organization.objects.get(directory_id="user_9").pk) == (
            "admin",
            said["organization"]["id"],
        )

    def test_switches_with_the_organization_of_the_token(self, sandbox):
        here = make.with_token(sandbox.sign(V2)).get(ME).json()
        there = (
            make.with_token(sandbox.sign(V2 | {"o": {"id": "org_clerk2", "slg": "rival", "rol": "member"}}))
            .get(ME)
            .json()
        )

        assert (here["id"], here["role"]) == (there["id"], "admin")
        assert (there["role"], here["organization"]["id"] != there["organization"]["id"]) == ("member", True)

    def test_notes_the_member(self, sandbox):
        made = make.with_token(sandbox.sign(V2 | {"sub": "user_7"})).get(ME).json()["organization"]["id"]

        with tenancy.organization(made):
            assert list(Membership.unscoped.values_list("user", "role")) == [("user_7", "admin")]

    def test_sees_what_a_key_of_the_organization_sees_and_makes_keys(self, sandbox):
        person = make.with_token(sandbox.sign(V2))
        made = person.post(
            "/api/v1/api-keys", {"name": "for the dashboard", "role": "admin"}, format="json"
        ).json()

        program = make.with_token(made["key"])

        assert (
            program.get("/api/v1/projects").json()["results"]
            == person.get("/api/v1/projects").json()["results"]
        )
        assert person.get("/api/v1/api-keys").json()["results"][0]["hint"] == made["key"][-4:]

    def test_sees_the_figures_that_a_key_sees(self, sandbox):
        person = make.with_token(sandbox.sign(V2))
        organization = Organization.objects.get(pk=person.get(ME).json()["organization"]["id"])
        make.record(make.connection(make.default_project(organization)), make.usage_row(output=7, requests=1))
        span = {"from": "2026-11-01", "to": "2026-11-25"}

        seen = [
            client.get("/api/v1/emissions/summary", span).json()
            for client in (person, make.client(organization))
        ]

        assert seen[0] == seen[1]
        assert seen[0]["results"][0]["output"] == 7

    def test_does_not_repeat_a_key_under_an_idempotency_key(self, sandbox):
        person = make.with_token(sandbox.sign(V2))
        ask = {"data": {"name": "once"}, "format": "json", "headers": {"Idempotency-Key": "k"}}

        first, again = (person.post("/api/v1/api-keys", **ask) for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 409)
        assert again.json()["type"].endswith("/idempotency-secret")
        assert again.json()["object"] == first.json()["id"]


def unsigned(sandbox):
    return jwt.encode(claims_of(sandbox), None, algorithm="none", headers={"kid": key_id(sandbox)})


def signed_with_the_public_key(sandbox: Sandbox) -> str:
    (published,) = sandbox.http.get("/clerk/.well-known/jwks.json").json()["keys"]
    public = jwt.PyJWK(published).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = b64({"alg": "HS256", "typ": "JWT", "kid": published["kid"]})
    body = f"{header}.{b64(claims_of(sandbox))}"
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(body.encode(), public)
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(sandbox: Sandbox) -> dict:
    return jwt.decode(sandbox.sign(V2), options={"verify_signature": False})


def key_id(sandbox: Sandbox) -> str:
    return jwt.get_unverified_header(sandbox.sign(V2))["kid"]


NOW = int(time.time())
WRONG = {
    "alg none": unsigned,
    "HS256 with the public key": signed_with_the_public_key,
    "kid unknown": lambda box: box.sign(V2, {"kid": "ins_other"}),
    "no kid": lambda box: box.sign(V2, {"kid": None}),
    "expired": lambda box: box.sign(V2 | {"exp": NOW - 60, "iat": NOW - 120, "nbf": NOW - 120}),
    "not yet valid": lambda box: box.sign(V2 | {"nbf": NOW + 600, "exp": NOW + 700}),
    "wrong issuer": lambda box: box.sign(V2 | {"iss": "https://clerk.other.example"}),
    "wrong party": lambda box: box.sign(V2 | {"azp": "https://evil.example"}),
    "no party": lambda box: box.sign(V2 | {"azp": None}),
    "pending": lambda box: box.sign(V2 | {"sts": "pending"}),
    "template": lambda box: box.sign(V2, {"cat": "cl_B7d4PD222AAA"}),
    "machine": lambda box: box.sign(V2, {"cat": "cl_B7d4PD333AAA"}),
    "no sub": lambda box: box.sign(V2 | {"sub": None}),
    "no sid": lambda box: box.sign(V2 | {"sid": None}),
    "cut": lambda box: box.sign(V2)[:-20],
    "20 kB": lambda box: box.sign(V2 | {"name": "x" * 15_000}),
    "another type": lambda box: box.sign(V2, {"typ": "at+jwt"}),
    "organization is a list": lambda box: box.sign(V2 | {"o": ["org_1"]}),
}


@pytest.mark.django_db
class TestWrongToken:
    @pytest.mark.parametrize("kind", WRONG)
    def test_is_a_401_that_says_nothing_and_a_line_in_the_log_that_does(self, sandbox, kind, caplog):
        token = WRONG[kind](sandbox)

        with caplog.at_level(logging.INFO, "projects.auth"):
            answer = make.with_token(token).get(ME)

        assert answer.status_code == 401, answer.content
        assert answer.json()["detail"] == "The token is unknown, revoked or expired."
        assert any("reason" in record.msg for record in caplog.records if isinstance(record.msg, dict))
        assert not Organization.objects.exists()

    def test_that_merely_expired_is_no_guess(self, sandbox, acme, settings):
        settings.ADDRESS_FAILED_CREDENTIALS_PER_MINUTE = 1
        for _ in range(3):
            assert make.with_token(WRONG["expired"](sandbox)).get(ME).status_code == 401

        assert make.client(acme).get(ME).status_code == 200

    def test_is_refused_where_no_identity_provider_is_configured(self, sandbox, settings):
        token = sandbox.sign(V2)
        settings.CLERK_ISSUER = ""

        assert make.with_token(token).get(ME).status_code == 401


@pytest.mark.django_db
class TestKeys:
    def test_that_were_rotated_are_fetched_anew(self, sandbox, monkeypatch):
        old = sandbox.sign(V2)
        assert make.with_token(old).get(ME).status_code == 200
        sandbox.rotate()
        monkeypatch.setattr(clerk, "ASKED_AGAIN_AFTER", 0.0)

        assert make.with_token(sandbox.sign(V2)).get(ME).status_code == 200

    def test_are_not_asked_for_at_every_unknown_name(self, sandbox):
        make.with_token(sandbox.sign(V2)).get(ME)
        asked = clerk.keys().asked

        for _ in range(3):
            make.with_token(sandbox.sign(V2, {"kid": "ins_other"})).get(ME)

        assert clerk.keys().asked == asked

    def test_go_on_while_the_issuer_is_away(self, sandbox, monkeypatch):
        make.with_token(sandbox.sign(V2)).get(ME)
        sandbox.fault("broken", provider="clerk")
        monkeypatch.setattr(clerk, "FRESH_FOR", 0.0)
        monkeypatch.setattr(clerk, "ASKED_AGAIN_AFTER", 0.0)

        assert make.with_token(sandbox.sign(V2)).get(ME).status_code == 200

    def test_that_were_never_fetched_are_a_reason_to_try_again(self, sandbox):
        sandbox.fault("broken", provider="clerk")

        answer = make.with_token(sandbox.sign(V2)).get(ME)

        assert (answer.status_code, answer["Retry-After"]) == (503, "30")
        assert make.with_token(WRONG["template"](sandbox)).get(ME).status_code == 401
