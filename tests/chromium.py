"""The Chromium of this machine, for tests that use a page as a person does."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, sync_playwright

from tests.machine import path

T = TypeVar("T")
PATIENCE = 60_000  # milliseconds, for what takes one second on a quiet machine
QUIET = [
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--no-first-run",
]


class Visitor:
    """Somebody with a browser. It lives on a thread of its own, as its event loop would keep Django from the database."""

    def __init__(self, thread: ThreadPoolExecutor, browser: Browser) -> None:
        self.thread, self.browser = thread, browser

    def visit(self, address: str, look: Callable[[Page], T], **options: Any) -> T:
        """What `look` sees on the page at `address`, in a browser that knows nothing yet."""
        return self.thread.submit(self._visit, address, look, options).result()

    def _visit(self, address: str, look: Callable[[Page], T], options: dict[str, Any]) -> T:
        before = options.pop("before", None)
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        try:
            page = context.new_page()
            if before:
                before(page)
            page.goto(address)
            return look(page)
        finally:
            context.close()


@contextmanager
def visitor() -> Iterator[Visitor]:
    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(sync_playwright().start).result()
        browser = thread.submit(
            driver.chromium.launch,
            executable_path=path("chromium"),
            args=["--no-sandbox", *QUIET],
            timeout=PATIENCE,
        ).result()
        try:
            yield Visitor(thread, browser)
        finally:
            thread.submit(browser.close).result()
            thread.submit(driver.stop).result()
