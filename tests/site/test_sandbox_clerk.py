"""The sandbox as Clerk, judged by PyJWT as any back end would use it."""

import json

import jwt
import pytest


def verify(sandbox, token):
    """The claims, if the token is signed by a key that is published now."""
    keys = jwt.PyJWKSet.from_dict(sandbox.http.get("/clerk/.well-known/jwks.json").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, ["RS256"], issuer=sandbox.clerk, options={"require": ["exp", "nbf", "iat"]})


class TestSessionToken:
    def test_proves_who_is_signed_in(self, sandbox):
        organization = {"id": "org_2acme", "slg": "acme", "rol": "admin"}

        claims = verify(sandbox, sandbox.sign({"sub": "user_2ada", "v": 2, "o": organization}))

        assert (claims["sub"], claims["o"]) == ("user_2ada", organization)
        assert claims["exp"] - claims["iat"] == 60
        assert claims.keys() >= {"azp", "sid"}

    def test_names_its_category(self, sandbox):
        header = jwt.get_unverified_header(sandbox.sign())

        assert (header["alg"], header["typ"], header["cat"]) == ("RS256", "JWT", "cl_B7d4PD111AAA")

    def test_can_be_of_another_category_or_none(self, sandbox):
        template, bare = (sandbox.sign(headers={"cat": cat}) for cat in ("cl_B7d4PD222AAA", None))

        assert jwt.get_unverified_header(template)["cat"] == "cl_B7d4PD222AAA"
        assert "cat" not in jwt.get_unverified_header(bare)

    def test_can_lack_a_claim(self, sandbox):
        assert "azp" not in verify(sandbox, sandbox.sign({"azp": None}))

    def test_can_be_too_old(self, sandbox):
        with pytest.raises(jwt.ExpiredSignatureError):
            verify(sandbox, sandbox.sign({"exp": 1_700_000_000}))

    def test_is_never_signed_in_another_way(self, sandbox):
        answer = sandbox.http.post("/clerk/sign", json={"headers": {"alg": "none"}})

        assert answer.status_code == 400


class TestRotation:
    def test_makes_old_tokens_worthless(self, sandbox):
        old = sandbox.sign()

        sandbox.rotate()

        with pytest.raises(KeyError):
            verify(sandbox, old)

    def test_lets_new_tokens_pass(self, sandbox):
        sandbox.rotate()

        assert verify(sandbox, sandbox.sign())["iss"] == sandbox.clerk


class TestOutage:
    FAULTS = [("broken", 500), ("throttled", 429), ("throttled_silent", 429)]

    @pytest.mark.parametrize(("kind", "status"), FAULTS)
    def test_hides_the_keys(self, sandbox, kind, status):
        sandbox.fault(kind, provider="clerk", times=1)

        refused, found = (sandbox.http.get("/clerk/.well-known/jwks.json") for _ in range(2))

        assert (refused.status_code, found.status_code) == (status, 200)

    def test_can_cut_the_keys_short(self, sandbox):
        sandbox.fault("truncated", provider="clerk", times=1)

        with pytest.raises(json.JSONDecodeError):
            sandbox.http.get("/clerk/.well-known/jwks.json").json()

    def test_leaves_signing_alone(self, sandbox):
        sandbox.fault("broken", provider="clerk", times=1)

        assert sandbox.sign().count(".") == 2
