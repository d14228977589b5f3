"""Takes deploy/report.png and deploy/finding.png: the page after an audit of its own example, in both themes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
PORT = "8799"
SIZE = {"width": 1200, "height": 780}
LARGEST = 200_000


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "bot", "serve", "--role", "page", "--port", PORT]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "METERAUDIT_HOST": "127.0.0.1"}
    ) as one:
        try:
            found = re.search(r"http://\S+", one.stdout.readline() if one.stdout else "")
            if found is None:
                raise SystemExit("The server did not start.")
            yield found[0]
        finally:
            one.terminate()


def report(page: Page) -> None:
    page.locator("#result-title").focus()


def finding(page: Page) -> None:
    page.keyboard.press("j")
    page.wait_for_timeout(200)


def main() -> None:
    chromium = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for scene, theme in ((report, "light"), (finding, "dark")):
            page = browser.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
            page.goto(url)
            page.locator("#example").click()
            page.locator("#code:not(:placeholder-shown)").wait_for()
            page.locator("#audit").click()
            page.locator("#exports").wait_for()
            scene(page)
            data = page.screenshot(path=HERE / f"{scene.__name__}.png")
            if len(data) > LARGEST:
                raise SystemExit(f"{scene.__name__}.png is larger than {LARGEST} bytes: choose a smaller size.")
        browser.close()


if __name__ == "__main__":
    main()
