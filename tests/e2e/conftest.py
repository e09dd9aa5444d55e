"""A browser, and whole stacks to use it on."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from broker.cli.options import DEMO_ORG
from tests.conftest import TIME_FACTOR
from tests.e2e.chat_page import DEMO_CHAT, ChatPage
from tests.e2e.site import Site, serving_site
from tests.e2e.stack import Stack
from tests.e2e.stub import Shop, open_shop
from tests.e2e.tap import Tap, tapping

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_OPTIONS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Tests speak to loopback alone, and the browser's own calls home would be refused.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHORT_LINK_HOURS = 0.001
"""3.6 s: what the issue's fifth step uses."""
POLICY = "Content Security Policy"
VIEWPORT_WIDTH_PX = 1280
VIEWPORT_HEIGHT_PX = 800
PAGE_WAIT_MS = 10_000 * TIME_FACTOR

NewVisitor = Callable[..., Awaitable[ChatPage]]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser; without one nothing here can be shown, which CI must not overlook."""
    wanted = os.environ.get("HEIMDALL_TEST_CHROMIUM")
    for name in (wanted,) if wanted else CHROMIUM_NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    message = "NO BROWSER: end-to-end tests need chromium; install it, or name one in HEIMDALL_TEST_CHROMIUM"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """One browser for all tests; each visitor gets a profile of its own in it."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium's own rule for root
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium_path, args=[*CHROMIUM_OPTIONS, *sandbox])
        yield opened
        await opened.close()


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start a stack, and end it however the block leaves it."""
    try:
        stack.start()
        yield stack
    finally:
        stack.end()


@pytest.fixture(scope="session")
def site(chromium_path: str) -> Iterator[Site]:
    """A site of somebody else's, which the shared stack lets embed its chats."""
    with serving_site() as served:
        yield served


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Stack]:
    """The stack that most tests share: nothing in it is killed."""
    settings = {"HEIMDALL_WEBCHAT_ALLOWED_ORIGINS": site.url}
    with running(Stack(tmp_path_factory.mktemp("stack"), settings=settings)) as started:
        yield started


@pytest.fixture(scope="session")
def short_stack(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Stack]:
    """A stack whose links last a few seconds."""
    hours = f"{SHORT_LINK_HOURS:g}"
    with running(Stack(tmp_path_factory.mktemp("short"), "--link-hours", hours)) as started:
        yield started


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack for one test, to kill and to restart."""
    with running(Stack(tmp_path_factory.mktemp("own"))) as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tap(stack: Stack) -> AsyncIterator[Tap]:
    """`heimdall tap` on the shared stack."""
    async with tapping(stack) as watching:
        yield watching


@pytest_asyncio.fixture(loop_scope="session")
async def new_visitor(browser: Browser) -> AsyncIterator[NewVisitor]:
    """Visitors, each in a browser profile of its own; whatever their pages complain of fails the test.

    ``await new_visitor(stack)`` has loaded the builder page; ``is_open`` opens the window as well, ``options`` go to
    the profile (``color_scheme``, ``viewport``).
    """
    complaints: list[str] = []
    async with contextlib.AsyncExitStack() as contexts:

        async def arrive(
            stack: Stack, *, org: str = DEMO_ORG, chat: str = DEMO_CHAT, is_open: bool = True, **options: object
        ) -> ChatPage:
            size = {"width": VIEWPORT_WIDTH_PX, "height": VIEWPORT_HEIGHT_PX}
            still = {"viewport": size, "reduced_motion": "reduce"}  # what moves has no place to measure
            context = await browser.new_context(**{**still, **options})  # type: ignore[arg-type]  # Playwright's own long list
            contexts.push_async_callback(context.close)
            context.set_default_timeout(PAGE_WAIT_MS)
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if POLICY in said.text else None)
            visitor = ChatPage(page, stack.page_url, org, chat)
            await visitor.load()
            if is_open:
                await visitor.open()
            return visitor

        yield arrive
    assert not complaints


@pytest_asyncio.fixture(loop_scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    """A chat of the test's own org on the shared stack."""
    async with open_shop(stack) as opened:
        yield opened
