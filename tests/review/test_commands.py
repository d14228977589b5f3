"""What counts as a command, and who may give it."""

import pytest

from bot.commands import HELP, Command, may, parse, problem


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/meteraudit help", Command("help")),
        ("@meteraudit rerun\n", Command("rerun")),
        ("Thanks!\n\n@MeterAudit explain MTR-201", Command("explain", "MTR-201")),
        ("/meteraudit ignore `MTR-201` reason: last value counts", Command("ignore", "MTR-201", reasoned=True)),
        ("/meteraudit ignore MTR-201", Command("ignore", "MTR-201")),
        ("/meteraudit override reason: incident 12", Command("override", "", reasoned=True)),
        ("/meteraudit override reason: ", Command("override")),
        ("/meteraudit dance", Command(None)),
        ("/meteraudit\r\n", Command(None)),
    ],
)
def test_a_command_stands_at_the_start_of_a_line(body: str, command: Command) -> None:
    assert command == parse(body)


@pytest.mark.parametrize(
    "body",
    [
        "> /meteraudit rerun",
        ">/meteraudit rerun",
        "```\n/meteraudit rerun\n```",
        "~~~~\n~~~\n/meteraudit rerun\n~~~~",
        "    /meteraudit rerun",
        "please /meteraudit rerun",
        "/meteraudits rerun",
        "1\n2\n3\n4\n5\n/meteraudit rerun",
        "ignore reason: this is a conversation",
        HELP,
        "",
    ],
)
def test_quoted_fenced_and_late_text_is_no_command(body: str) -> None:
    assert parse(body) is None


def test_in_a_thread_a_bare_ignore_is_about_its_finding() -> None:
    command = parse("ignore reason: the meter takes the last value", in_thread=True)

    assert Command("ignore", "", reasoned=True) == command
    assert command is not None
    assert problem(command, in_thread=True) is None


@pytest.mark.parametrize(
    ("command", "role", "author", "allowed"),
    [
        (Command("help"), "none", False, True),
        (Command("rerun"), "read", False, False),
        (Command("rerun"), "read", True, True),
        (Command("ignore"), "read", True, False),
        (Command("ignore"), "write", False, True),
        (Command("pause"), "triage", True, False),
        (Command("override"), "write", True, False),
        (Command("override"), "maintain", False, True),
        (Command("override"), "admin", False, True),
    ],
)
def test_what_changes_the_verdict_takes_the_right_to_write(command: Command, role: str, author: bool, allowed: bool) -> None:
    assert allowed is may(command, role, author)
