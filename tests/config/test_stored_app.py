"""The App that was registered in the browser: kept for its owner only, read after the environment."""

import stat
from pathlib import Path

import pytest
from test_settings import OTHER_PEM, PEM, SECRET, environ

from config.settings import SettingsError, read_settings, read_setup_settings
from config.stored_app import FILE, StoredApp, StoredAppError, keep, read_stored

APP = StoredApp(
    app_id=77,
    private_key=PEM,
    webhook_secret="stored secret of enough bytes",
    api_url="https://github.acme.test/api/v3",
    public_url="https://meter.acme.test",
    html_url="https://github.acme.test/github-apps/meteraudit",
)


def at(folder: Path, **variables: str) -> dict[str, str]:
    return {f"METERAUDIT_{name}": value for name, value in {"STATE_DIR": str(folder), **variables}.items()}


def test_only_the_owner_may_read_what_is_stored(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_is_stored_is_never_written_over(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    with pytest.raises(StoredAppError):
        keep(tmp_path, StoredApp(78, PEM, "other", "https://api.github.com", "https://x.test", "https://github.com/apps/x"))
    assert read_stored(tmp_path) == APP
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_stored_app_is_enough_to_start(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    settings = read_settings(at(tmp_path))

    assert (settings.github_app_id, settings.github_private_keys) == (77, (PEM.strip(),))
    assert settings.webhook_secrets == (b"stored secret of enough bytes",)
    assert (settings.github_api_url, settings.public_url) == (APP.api_url, APP.public_url)


def test_the_environment_comes_before_what_is_stored(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    settings = read_settings(
        at(tmp_path, GITHUB_PRIVATE_KEY=OTHER_PEM, WEBHOOK_SECRET=SECRET, PUBLIC_URL="https://new.acme.test")
    )

    assert (settings.github_app_id, settings.github_private_keys) == (77, (OTHER_PEM.strip(),))
    assert (settings.webhook_secrets, settings.public_url) == ((SECRET.encode(),), "https://new.acme.test")


def test_the_stored_secrets_of_one_app_are_not_taken_for_another(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    with pytest.raises(SettingsError) as caught:
        read_settings(at(tmp_path, GITHUB_APP_ID="78"))

    assert len(caught.value.problems) == 2


def test_a_stored_app_is_not_used_at_another_github(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    with pytest.raises(SettingsError, match=r"registered at https://github\.acme\.test"):
        read_settings(at(tmp_path, GITHUB_API_URL="https://api.github.com"))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"app_id": "hunter2"}'])
def test_a_damaged_file_stops_the_start_and_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    assert read_setup_settings(at(tmp_path)) is None
    with pytest.raises(SettingsError) as caught:
        read_settings(at(tmp_path))
    assert FILE in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_with_nothing_of_github_set_there_is_a_server_to_set_up(tmp_path: Path) -> None:
    settings = read_setup_settings(at(tmp_path, GITHUB_API_URL="https://github.acme.test/api/v3"))

    assert settings is not None
    assert (settings.github_app_id, settings.webhook_secrets) == (0, ())
    assert settings.github_api_url == "https://github.acme.test/api/v3"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["GITHUB_APP_ID", "GITHUB_PRIVATE_KEY", "GITHUB_PRIVATE_KEY_FILE", "WEBHOOK_SECRET"])
def test_half_of_the_settings_is_no_server_to_set_up(tmp_path: Path, name: str) -> None:
    assert read_setup_settings(at(tmp_path, **{name: "1"})) is None
    with pytest.raises(SettingsError):
        read_settings(at(tmp_path, **{name: "1"}))


def test_a_set_up_server_is_not_set_up_again(tmp_path: Path) -> None:
    keep(tmp_path, APP)

    assert read_setup_settings(at(tmp_path)) is None


def test_a_state_folder_that_takes_no_file_is_refused_before_github_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="METERAUDIT_STATE_DIR"):
        read_setup_settings(at(tmp_path / "file"))


def test_no_secret_shows_in_the_stored_app() -> None:
    assert "stored secret" not in repr(APP)
    assert "BEGIN" not in repr(APP)


def test_a_complete_environment_needs_no_state_folder(tmp_path: Path) -> None:
    given = {**environ(), "METERAUDIT_STATE_DIR": str(tmp_path / "absent")}

    assert read_setup_settings(given) is None
    assert read_settings(given).github_app_id == 12345
