"""The environment -> Settings."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.settings import SettingsError, read_settings

ENCODED = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*ENCODED).decode()
OTHER_PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*ENCODED).decode()
EC_PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(*ENCODED).decode()
SECRET = "a webhook secret of enough bytes"


def environ(**changed: str | None) -> dict[str, str]:
    values: dict[str, str | None] = {
        "METERAUDIT_GITHUB_APP_ID": "12345",
        "METERAUDIT_GITHUB_PRIVATE_KEY": PEM,
        "METERAUDIT_WEBHOOK_SECRET": SECRET,
        **{f"METERAUDIT_{name}": value for name, value in changed.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


def problems(**changed: str | None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ(**changed))
    return caught.value.problems


def test_three_variables_are_enough_and_the_rest_has_defaults() -> None:
    settings = read_settings(environ())

    assert settings.github_app_id == 12345
    assert settings.github_api_url == "https://api.github.com"
    assert settings.database_url is None
    assert settings.state_dir == Path.cwd() / ".meteraudit"
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, None)


def test_an_empty_environment_names_everything_that_is_missing_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({})

    assert len(caught.value.problems) == 3
    for name in ("METERAUDIT_GITHUB_APP_ID", "METERAUDIT_GITHUB_PRIVATE_KEY", "METERAUDIT_WEBHOOK_SECRET"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_APP_ID", "my-app"),
        ("GITHUB_APP_ID", "0"),
        ("GITHUB_PRIVATE_KEY", "-----BEGIN RSA PRIVATE KEY-----\nbroken\n-----END RSA PRIVATE KEY-----"),
        ("GITHUB_PRIVATE_KEY", EC_PEM),
        ("GITHUB_PRIVATE_KEY", " "),
        ("WEBHOOK_SECRET", "too short"),
        ("WEBHOOK_SECRET", " , "),
        ("WEBHOOK_SECRET", f"{SECRET},too short"),
        ("GITHUB_API_URL", "http://github.acme.test/api/v3"),
        ("GITHUB_API_URL", "github.acme.test"),
        ("GITHUB_API_URL", "https://user:word@github.acme.test"),
        ("GITHUB_API_URL", "https://[broken"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("PUBLIC_URL", "http://meteraudit.acme.test"),
        ("STATUS_TOKEN", "too short"),
        ("GITHUB_PRIVATE_KEY", PEM + EC_PEM),
    ],
)
def test_a_wrong_value_is_one_problem_that_names_its_variable(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})

    assert problem.startswith(f"METERAUDIT_{name}")


def test_several_secrets_are_accepted_for_rotation() -> None:
    settings = read_settings(environ(WEBHOOK_SECRET=f"{SECRET}, 0123456789abcdef,"))

    assert settings.webhook_secrets == (SECRET.encode(), b"0123456789abcdef")


def test_a_key_with_escaped_line_breaks_is_read_as_its_text() -> None:
    assert read_settings(environ(GITHUB_PRIVATE_KEY=PEM.replace("\n", "\\n"))).github_private_keys == (PEM.strip(),)


def test_several_keys_are_read_in_their_order_from_one_text(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_text(f"the new one\n{OTHER_PEM}\nthe one before it\n{PEM}")

    settings = read_settings(environ(GITHUB_PRIVATE_KEY=None, GITHUB_PRIVATE_KEY_FILE=str(file)))

    assert settings.github_private_keys == (OTHER_PEM.strip(), PEM.strip())


def test_a_key_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text(PEM)

    settings = read_settings(environ(GITHUB_PRIVATE_KEY=None, GITHUB_PRIVATE_KEY_FILE=str(file)))

    assert settings.github_private_keys == (PEM.strip(),)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (problem,) = problems(GITHUB_PRIVATE_KEY=None, GITHUB_PRIVATE_KEY_FILE=str(tmp_path / "missing.pem"))

    assert "missing.pem" in problem


def test_a_key_and_a_key_file_together_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(GITHUB_PRIVATE_KEY_FILE=str(tmp_path / "app.pem"))

    assert "both" in problem


@pytest.mark.parametrize("url", ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"])
def test_plain_http_is_accepted_on_this_machine(url: str) -> None:
    assert read_settings(environ(GITHUB_API_URL=url + "/")).github_api_url == url


def test_no_secret_shows_in_the_settings_or_in_an_error() -> None:
    secrets = (SECRET, "hunter2", PEM.splitlines()[1])
    shown = repr(read_settings(environ(DATABASE_URL="postgresql://app:hunter2@db/app")))
    with pytest.raises(SettingsError) as caught:
        read_settings(environ(GITHUB_APP_ID="x", WEBHOOK_SECRET="hunter2", DATABASE_URL="hunter2", PORT="x"))

    for secret in secrets:
        assert secret not in shown
        assert secret not in str(caught.value)
