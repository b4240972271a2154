"""Pages in a real browser: Debian's chromium, driven by playwright. The network is blocked, and the console must stay empty."""

import os
import shutil
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.dashboard.cases import make_case

INSTALL = "apt-get install chromium, or name a browser in AUTOML_EXPLAIN_CHROMIUM"
REQUIRED = os.environ.get("AUTOML_EXPLAIN_BROWSER") == "required"
WAIT = 20_000
"""Milliseconds that a page has to show what a test waits for."""

expect.set_options(timeout=WAIT)


def chromium_path():
    """The browser, or None."""
    names = (os.environ.get("AUTOML_EXPLAIN_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser():
    """A headless browser; the tests that need it are skipped without one, and fail where .ci/run requires it.

    It is closed after each module, since playwright's event loop would otherwise go on below the tests of other modules.
    """
    path = chromium_path()
    if path is None:
        if REQUIRED:
            pytest.fail(f"There is no browser: {INSTALL}")
        pytest.skip(f"needs a browser: {INSTALL}")
    with sync_playwright() as playwright:
        # Without a sandbox, since containers run as root; without WebGL, as on many machines of companies.
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
        )
        yield started
        started.close()


class Visits:
    """Opens pages in contexts of their own, and remembers what they wrote to the console and what they asked for."""

    def __init__(self, browser):
        self._browser, self._contexts = browser, []
        self.console, self.requests = [], []
        self.expected = ()
        """Texts that console messages of the test may contain."""

    def __call__(self, target, *, allow="file:", init_script="", **options):
        """Open a file or an address; requests that do not begin with `allow` are blocked. `init_script` runs before the page's.

        Options are those of a playwright context, such as ``color_scheme="dark"`` and ``viewport``.
        """
        context = self._browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        self._contexts.append(context)
        context.set_default_timeout(WAIT)
        context.add_init_script(init_script)
        page = context.new_page()
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))

        def route(one):
            address = one.request.url
            if address.startswith((allow, "data:", "blob:")):
                one.continue_()
            else:
                self.requests.append(address)
                one.abort()

        context.route("**/*", route)
        page.goto(Path(target).as_uri() if isinstance(target, Path) else target)
        return page

    def close(self):
        for context in self._contexts:
            context.close()


@pytest.fixture
def open_page(browser):
    """A function that opens a page; afterwards the console must be empty, and nothing may have been asked of the network."""
    visits = Visits(browser)
    yield visits
    visits.close()
    unexpected = [said for said in visits.console if not any(known in said for known in visits.expected)]
    assert not unexpected, unexpected
    assert not visits.requests, visits.requests


@pytest.fixture(scope="session")
def case(tmp_path_factory):
    """A function that returns a case of `tests.dashboard.pages` with its page, made once."""
    folder = tmp_path_factory.mktemp("pages")
    return cache(lambda name: make_case(name, folder))
