"""What the logs may hold."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.logs import configure_logs

TOKEN = "ghs_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-bmF0_dXJl"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/IBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("secret", [TOKEN, "ghp_abcDEF0123456789", KEY, KEY[:60]])
def test_a_secret_in_any_field_is_redacted_and_the_line_stays_json(written: io.StringIO, secret: str) -> None:
    structlog.get_logger("bot").info(f"minted {secret}", nested={"token": [secret]}, repository=40)
    logging.getLogger("aiohttp.client").warning("sent %s", secret)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 2
    assert lines[0]["repository"] == 40
    for part in ("eyJ", "abcDEF", "MIIE", "bmF0"):
        assert part not in written.getvalue()


def test_an_exception_is_logged_by_type_and_place_without_its_text(written: io.StringIO) -> None:
    try:
        try:
            raise KeyError("charge_customer(total)")
        except KeyError as error:
            raise RuntimeError("def charge_customer(total): pass") from error
    except RuntimeError:
        logging.getLogger("procrastinate").exception("job ended")

    line = json.loads(written.getvalue())
    assert line["error"] == "RuntimeError <- KeyError"
    assert "test_service_logs.py" in line["where"][0]
    assert "charge_customer" not in written.getvalue()
