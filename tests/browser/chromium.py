"""Finds a Chromium for the tests, and as a program arranges one: `python tests/browser/chromium.py`.

One that is on the machine, else Playwright's own download, else Debian's package. What it cannot do it says in one line.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""What a headless Chromium needs where the tests run as root, and what keeps it from asking anybody for anything."""
MISSING = "No Chromium: the tests in tests/browser are skipped (install one, or run `playwright install chromium`)."


def chromium() -> str | None:
    """The path of a Chromium."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or playwrights_own()


def playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.exists() else None


def arrange() -> str | None:
    """A Chromium, fetched if there is none. Each try is quiet: the last line says how it ended."""
    for command in ((sys.executable, "-m", "playwright", "install", "chromium"), *debian()):
        if found := chromium():
            return found
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=600)
    return chromium()


def debian() -> tuple[tuple[str, ...], ...]:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return ()
    return (("apt-get", "update"), ("apt-get", "install", "--yes", "--no-install-recommends", "chromium"))


if __name__ == "__main__":
    arranged = arrange()
    sys.stdout.write("" if arranged else f"{MISSING}\n")
    sys.exit(0 if arranged or not os.environ.get("REQUIRE_BROWSER") else 1)
