import pytest
from django.conf import settings as live
from django.db import connection
from django.test import Client

from carbon_site import throttles
from carbon_site.health import HEALTH_KEY

STRANGE = {"Host": "10.1.2.3"}


@pytest.fixture
def worker():
    """A worker that has just reported."""
    throttles.counters().set(HEALTH_KEY, "well", ex=60)
    yield
    throttles.counters().delete(HEALTH_KEY)


@pytest.fixture
def no_database():
    """The database's address is one where nobody listens."""
    there = connection.settings_dict["HOST"], connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["HOST"] = str(live.STATE_DIR)
    connection.settings_dict["OPTIONS"] = {}
    yield
    connection.close()
    connection.settings_dict["HOST"], connection.settings_dict["OPTIONS"] = there


@pytest.mark.django_db(transaction=True)
class TestProbes:
    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
    def test_answer_whatever_the_host_is_called(self, path, worker):
        answer = Client().get(path, headers=STRANGE)

        assert (answer.status_code, answer.json()["status"]) == (200, "pass")

    def test_answer_without_encryption(self, settings):
        settings.SECURE_SSL_REDIRECT = True

        assert Client().get("/livez").status_code == 200

    def test_say_that_there_is_no_worker(self):
        answer = Client().get("/health")

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/health+json")
        assert answer.json()["status"] == "warn"
        assert answer.json()["checks"]["worker"][0]["output"] == "no worker has reported for a minute"

    def test_fail_without_a_database(self, no_database):
        codes = {path: Client().get(path).status_code for path in ("/livez", "/readyz", "/health")}

        assert codes == {"/livez": 200, "/readyz": 503, "/health": 503}


@pytest.mark.django_db
class TestHealthOutsideLocal:
    @pytest.fixture(autouse=True)
    def outside(self, settings):
        settings.LOCAL, settings.OPS_TOKEN = False, "an operator's token"

    def test_shows_its_checks_to_operators(self, client):
        answer = client.get("/health", headers={"Authorization": "Bearer an operator's token"})

        assert set(answer.json()["checks"]) == {"database", "redis", "worker"}

    @pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer é"])
    def test_shows_strangers_the_status_alone(self, client, header):
        assert client.get("/health", headers={"Authorization": header}).json().keys() == {"status"}

    def test_shows_nobody_more_where_no_token_is_set(self, client, settings):
        settings.OPS_TOKEN = ""

        assert client.get("/health", headers={"Authorization": "Bearer "}).json().keys() == {"status"}
