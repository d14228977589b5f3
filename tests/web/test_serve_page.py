"""The page alone, as a person starts it who has nothing: no App, no database, no secret."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from bot.demo.run import free_port
from tests.web.web_stand import UNKEYED, events_in


def test_the_page_alone_needs_no_setting_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("METERAUDIT_")}
    environ |= {"METERAUDIT_PORT": str(free_port()), "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bot", "serve", "--role", "page"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=tmp_path) as one:
        assert one.stdout is not None
        found = re.search(r"http://\S+", one.stdout.readline())
        assert found, one.communicate()
        try:
            page = urllib.request.urlopen(f"{found[0]}/", timeout=30).read().decode()
            sent = json.dumps({"text": UNKEYED, "name": "usage.py"}).encode()
            request = urllib.request.Request(f"{found[0]}/audit", sent, {"Content-Type": "application/json"})
            told = dict(events_in(urllib.request.urlopen(request, timeout=60).read().decode()))
            webhook = status(f"{found[0]}/webhook")
        finally:
            one.send_signal(signal.SIGTERM)
        _, said = one.communicate(timeout=30)

    assert "Audit usage-billing code" in page
    assert "MTR-201" in told["report"]["document"]
    assert webhook == 404
    assert one.returncode == 0
    assert "tokens" not in said
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(urllib.request.Request(url, b"{}"), timeout=30).status)
    except urllib.error.HTTPError as error:
        return error.code
