"""Sandboxes that live as long as the tests of a module; everything that counts and limits is new for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.sandbox import Limits, Sandbox
from bot.web.auditor import Auditor
from config.page import PageSettings
from tests.web import slow_examine
from tests.web.web_stand import Site, site


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    limits = Limits(change_seconds=30, file_seconds=5, search_seconds=10)
    with Sandbox(slow_examine.examine, limits=limits) as judging, Sandbox(limits=limits) as drawing:
        yield judging, drawing


@pytest.fixture
def page_settings() -> PageSettings:
    return PageSettings(at_once=1)


@pytest.fixture
async def auditor(sandboxes: tuple[Sandbox, Sandbox], page_settings: PageSettings) -> Auditor:
    return Auditor(page_settings, *sandboxes)


@pytest.fixture
async def pages(auditor: Auditor) -> AsyncIterator[Site]:
    async with site(auditor) as opened:
        yield opened
