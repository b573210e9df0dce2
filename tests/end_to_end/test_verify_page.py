"""The page of a receipt, in a real browser, served by the web server as it runs: what a stranger sees and can check."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route

from carbon_site.management.commands.up import is_live, uvicorn
from receipts import credential, status_list
from receipts.credits import load_batches
from receipts.models import CarbonReceipt, StatusList
from receipts.signers import receipt_signer
from tests.chromium import Visitor, visitor
from tests.machine import free_port, needs
from tests.receipts.test_credits import retired
from tests.receipts.test_settle import frozen, settled
from tests.site.workers import eventually, process

pytestmark = [needs("chromium"), pytest.mark.django_db(transaction=True)]
ANSWERS = ("unaltered", "issued", "logged", "current")


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[str]:
    port = free_port()
    site = f"http://localhost:{port}"
    with process(*uvicorn(port), PUBLIC_BASE_URL=site, LOG_LEVEL="WARNING"):
        eventually(lambda: is_live(port))
        yield site


@pytest.fixture(scope="module")
def stranger() -> Iterator[Visitor]:
    with visitor() as stranger:
        yield stranger


@pytest.fixture
def receipt(acme, site, settings) -> CarbonReceipt:
    settings.PUBLIC_BASE_URL = site
    load_batches([retired(1, 1, project_name="<b>A project</b>")])
    settled(frozen(acme))
    return CarbonReceipt.unscoped.get()


@pytest.fixture
def address(site, receipt) -> str:
    return f"{site}/verify/{receipt.token}"


def verdict(page: Page) -> str:
    page.wait_for_selector("#verdict[data-code]")
    return str(page.get_attribute("#verdict", "data-code"))


def answers(page: Page) -> list[str]:
    page.wait_for_selector("#verdict[data-code]")
    return [str(page.get_attribute(f"#{name}", "class")) for name in ANSWERS]


def changed(pattern: str, change):
    """A way to the page on which one text is not what the server sent."""

    def on_the_way(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=change(answer.text()))

    return lambda page: page.route(re.compile(pattern), on_the_way)


class TestPage:
    def test_finds_the_receipt_valid_in_each_way(self, stranger, address):
        found = stranger.visit(address, lambda page: (verdict(page), answers(page)))

        assert found == ("valid", ["good"] * 4)

    def test_says_what_was_retired_and_emitted(self, stranger, address, receipt):
        said = stranger.visit(address, lambda page: (verdict(page), page.inner_text("#facts")))[1]

        milligrams = int(receipt.signed["credentialSubject"]["credits"]["retiredMg"])
        assert f"{milligrams / 1000:,.3f}".rstrip("0").rstrip(".") + " g of credits retired" in said
        assert all(
            word in said for word in ("Example Registry", "<b>A project</b>", "a-model-of-nobody", "2026.11")
        )

    def test_refuses_one_character_changed_on_the_way(self, stranger, address):
        tampered = changed(r"\.json$", lambda text: text.replace('"rows":"3"', '"rows":"4"'))
        found = stranger.visit(
            address, lambda page: (verdict(page), page.is_visible("#facts")), before=tampered
        )

        assert found == ("bad_signature", False)

    @pytest.mark.parametrize(
        ("pattern", "change", "code", "answers_are"),
        [
            (r"\.json$", lambda text: text[:-1], "not_json", [""] * 4),
            (r"/verify/.*\.json$", lambda text: '{"id":"x",' + text[1:], "duplicate_key", [""] * 4),
            (r"/verify/.*\.json$", lambda text: text + "\n", "profile", [""] * 4),
            (r"did\.json$", lambda text: text.replace("#", "#other-"), "unknown_key", ["", "bad", "", ""]),
            (r"/proof$", lambda text: text.replace("index 1", "index 0"), "bad_proof", ["good", "good", "bad", "good"]),
            (r"/status/1$", lambda text: text.replace('"u', '"uA'), "bad_proof", ["good", "good", "good", "bad"]),
        ],
    )  # fmt: skip
    def test_says_what_is_not_as_it_should_be(self, stranger, address, pattern, change, code, answers_are):
        found = stranger.visit(
            address, lambda page: (verdict(page), answers(page)), before=changed(pattern, change)
        )

        assert found == (code, answers_are)

    def test_says_that_the_log_was_out_of_reach(self, stranger, address):
        found = stranger.visit(
            address,
            lambda page: (verdict(page), answers(page)),
            before=lambda page: page.route(re.compile("/proof$"), lambda route: route.abort()),
        )

        assert found == ("not_in_log", ["good", "good", "bad", "good"])

    def test_says_that_a_withdrawn_receipt_is_no_longer_current(self, stranger, address, receipt):
        signer, bits = receipt_signer(), status_list.with_set(status_list.empty(), receipt.status_index)
        place = receipt.signed["credentialStatus"]["statusListCredential"]
        unsigned = status_list.credential(place, signer.public.issuer, receipt.issued_at, bits)
        signed = credential.sign(unsigned, signer, receipt.issued_at)
        StatusList.objects.update(bits=bits, document=json.dumps(signed))

        found = stranger.visit(address, lambda page: (verdict(page), answers(page)))

        assert found == ("withdrawn", ["good", "good", "good", "bad"])

    def test_is_checked_again_from_the_keyboard(self, stranger, address):
        def press(page: Page) -> str:
            verdict(page)
            page.evaluate("document.getElementById('verdict').removeAttribute('data-code')")
            for _ in range(2):  # past the link to the front page
                page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            return verdict(page)

        assert stranger.visit(address, press) == "valid"

    def test_breaks_no_rule_of_accessibility_and_asks_no_third_party(self, stranger, address, site):
        asked, said = [], []

        def watch(page: Page) -> None:
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: said.append(message.text))

        def look(page: Page) -> int:
            verdict(page)
            found = Axe().run(page)
            said.extend(violation["id"] for violation in found.response["violations"])
            return found.violations_count

        assert stranger.visit(address, look, before=watch) == 0, said
        assert ([url for url in asked if not url.startswith(site)], said) == ([], [])

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_a_phone(self, stranger, address, scheme):
        def look(page: Page) -> bool:
            verdict(page)
            return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

        phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
        assert stranger.visit(address, look, **phone)

    def test_says_that_without_scripts_nothing_was_checked(self, stranger, address):
        said = stranger.visit(address, lambda page: page.inner_text("main"), java_script_enabled=False)

        assert "Not checked" in said
        assert "checked nothing" in said

    @needs("curl", "jq", "openssl")
    def test_prints_commands_that_work_as_they_stand(self, stranger, address, tmp_path):
        commands = stranger.visit(address, lambda page: page.inner_text("#commands"))

        ran = subprocess.run(
            ["sh", "-e", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert (ran.returncode, ran.stdout) == (0, "Signature Verified Successfully\n"), ran.stderr

    def test_is_not_there_for_another_address(self, stranger, site):
        said = stranger.visit(f"{site}/verify/{'x' * 26}", lambda page: page.inner_text("h1"))

        assert said == "There is no receipt at this address"
