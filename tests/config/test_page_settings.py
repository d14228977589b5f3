"""What the environment says of the page."""

import ipaddress

import pytest

from config.page import PageSettings
from config.settings import SettingsError, read_page_settings


def test_without_any_variable_there_is_a_page_with_its_usual_limits() -> None:
    settings = read_page_settings({})

    assert settings.page == PageSettings()
    assert (settings.host, settings.port, settings.github_app_id) == ("127.0.0.1", 8000, 0)


def test_every_limit_is_read() -> None:
    environ = {
        "METERAUDIT_PAGE": "off",
        "METERAUDIT_PAGE_MEGABYTES": "3",
        "METERAUDIT_PAGE_FILES": "4",
        "METERAUDIT_PAGE_SECONDS": "5",
        "METERAUDIT_PAGE_HOURLY": "6",
        "METERAUDIT_PAGE_AT_ONCE": "7",
        "METERAUDIT_TRUSTED_PROXIES": "10.0.0.7, fd00::/8",
    }
    networks = (ipaddress.ip_network("10.0.0.7/32"), ipaddress.ip_network("fd00::/8"))

    assert read_page_settings(environ).page == PageSettings(False, 3, 4, 5, 6, 7, networks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METERAUDIT_PAGE", "yes"),
        ("METERAUDIT_PAGE_MEGABYTES", "0"),
        ("METERAUDIT_PAGE_FILES", "many"),
        ("METERAUDIT_PAGE_SECONDS", "1.5"),
        ("METERAUDIT_PAGE_HOURLY", "-1"),
        ("METERAUDIT_PAGE_AT_ONCE", "65"),
        ("METERAUDIT_PAGE_FILES", "٣"),
        ("METERAUDIT_TRUSTED_PROXIES", "proxy.example.org"),
        ("METERAUDIT_TRUSTED_PROXIES", "10.0.0.7/8"),
    ],
)
def test_a_wrong_value_is_one_problem_that_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_page_settings({name: value})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is n")
