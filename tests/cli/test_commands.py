"""The command line itself: its commands, formats, exit codes and errors."""

import json
import os
import pty
import select
import subprocess
from pathlib import Path

import jsonschema
import pytest

from bot.cli import app, sentence
from bot.git import LocalError
from bot.report import FORMATS
from rules import catalog
from tests.cli.conftest import PROGRAM, Meteraudit
from tests.cli.local_repositories import UNKEYED, put


def test_the_version_is_told(meteraudit: Meteraudit) -> None:
    ran = meteraudit("--version")

    assert (ran.code, ran.out) == (0, "meteraudit 0.1.0\n")


def test_help_names_every_command(meteraudit: Meteraudit) -> None:
    ran = meteraudit("--help")

    assert ran.code == 0
    assert {"demo", "serve", "review", "audit", "rules", "explain", "config"} <= set(ran.out.split())


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_taken_and_written_to_a_file_as_to_the_screen(
    meteraudit: Meteraudit, tmp_path: Path, form: str
) -> None:
    put(tmp_path, {"usage.py": UNKEYED})

    screen = meteraudit("audit", "--format", form)
    file = meteraudit("audit", "--format", form, "--output", "report")

    assert (screen.code, file.code, file.out) == (1, 1, "")
    assert (tmp_path / "report").read_text() == screen.out
    assert "MTR-201" in screen.out
    assert "\x1b" not in screen.out


def test_no_other_format_is_offered(meteraudit: Meteraudit) -> None:
    ran = meteraudit("audit", "--format", "yaml")

    offered = ", ".join(f"'{form}'" for form in FORMATS)
    assert (ran.code, ran.err) == (
        2,
        f"meteraudit: Invalid value for '--format': 'yaml' is not one of {offered}. Try `meteraudit --help`.\n",
    )


def test_text_is_what_a_pipe_gets_unasked(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED})

    assert meteraudit("audit").out == meteraudit("audit", "--format", "text").out


def test_the_same_input_gives_the_same_bytes(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED, "größe.py": UNKEYED})

    runs = [
        meteraudit("audit", "--format", "json", environ={"PYTHONHASHSEED": seed, "LC_ALL": locale})
        for seed, locale in (("1", "C.UTF-8"), ("2", "C"))
    ]

    assert runs[0].out == runs[1].out


def test_a_report_that_cannot_be_written_is_told(meteraudit: Meteraudit) -> None:
    ran = meteraudit("audit", "--output", "no/such/folder")

    assert (ran.code, ran.err) == (
        2,
        "meteraudit: no/such/folder cannot be written (No such file or directory): name another file with --output.\n",
    )


def test_all_rules_are_listed(meteraudit: Meteraudit) -> None:
    lines = meteraudit("rules").out.splitlines()

    assert lines[0].split() == ["id", "name", "severity", "classes", "title"]
    assert [line.split()[:3] for line in lines[1:]] == [[r.about.id, r.name, r.about.severity] for r in catalog.rules()]


def test_all_rules_are_listed_for_programs(meteraudit: Meteraudit) -> None:
    listed = json.loads(meteraudit("rules", "--format", "json").out)

    assert [one["id"] for one in listed] == [rule.about.id for rule in catalog.rules()]
    assert {"D1"} == set(next(one for one in listed if one["id"] == "MTR-201")["classes"])


@pytest.mark.parametrize("wanted", ["MTR-201", "mtr-201", "missing-idempotency-key"])
def test_a_rule_is_explained_with_bad_and_good_code(meteraudit: Meteraudit, wanted: str) -> None:
    ran = meteraudit("explain", wanted)

    assert ran.code == 0
    assert ran.out.startswith("# MTR-201 missing-idempotency-key: ")
    bad, good = ran.out.split("## Bad")[1].split("## Good")
    assert "```python\nimport stripe" in bad
    assert "<- finding" in bad
    assert "identifier=" in good
    assert "https://cwe.mitre.org/data/definitions/837.html" in ran.out


def test_an_unknown_rule_is_told(meteraudit: Meteraudit) -> None:
    ran = meteraudit("explain", "MTR-000")

    assert (ran.code, ran.err) == (2, "meteraudit: there is no rule 'MTR-000': `meteraudit rules` lists all.\n")


def test_errors_of_a_configuration_have_file_line_and_column(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"good.yml": "version: 1\n", "bad.yml": "version: 1\nrules:\n  missing-idempotency-kee: off\n"})

    good, bad = meteraudit("config", "check", "good.yml"), meteraudit("config", "check", "bad.yml")

    assert (good.code, good.out) == (0, "good.yml is valid.\n")
    assert (bad.code, bad.out.startswith("bad.yml:3:3: unknown rule")) == (2, True)
    assert "did you mean missing-idempotency-key?" in bad.out


def test_a_configuration_that_is_not_there_is_told(meteraudit: Meteraudit) -> None:
    ran = meteraudit("config", "check")

    assert (ran.code, ran.err.startswith("meteraudit: .meteraudit.yml is not there: ")) == (2, True)


def test_the_schema_of_the_configuration_is_a_schema(meteraudit: Meteraudit) -> None:
    schema = json.loads(meteraudit("config", "schema").out)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid({"version": 1, "fail_on": "low"})


@pytest.mark.parametrize("words", [("nonsense",), ("review", "--nonsense"), ("serve", "--role", "both"), ("explain",)])
def test_a_wrong_command_line_is_one_sentence(meteraudit: Meteraudit, words: tuple[str, ...]) -> None:
    ran = meteraudit(*words)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.endswith("Try `meteraudit --help`.\n")


def test_serving_half_configured_names_all_that_is_missing(meteraudit: Meteraudit) -> None:
    names = ("METERAUDIT_GITHUB_PRIVATE_KEY", "METERAUDIT_WEBHOOK_SECRET")
    ran = meteraudit("serve", environ={**dict.fromkeys(names, ""), "METERAUDIT_GITHUB_APP_ID": "7"})

    assert ran.code == 2
    assert ran.err.startswith("meteraudit: MeterAudit cannot start, its environment is incomplete:\n")
    assert all(f"\n  {name} is not set" in ran.err for name in names)
    assert "Traceback" not in ran.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED * 200})
    with subprocess.Popen(
        [str(PROGRAM), "audit", "--format", "json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_terminal_gets_colours_and_a_progress_bar(tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED})

    code, shown = on_terminal(tmp_path, "audit")

    assert code == 1
    assert b"\x1b[1;31mBlocked" in shown
    assert b"Judging 1 file" in shown
    assert b"100%" in shown


def on_terminal(folder: Path, *words: str) -> tuple[int, bytes]:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environ.pop("NO_COLOR", None)
    process = subprocess.Popen([str(PROGRAM), *words], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            read = os.read(ours, 65536)
        except OSError:
            break
        shown += read
        if not read:
            break
    os.close(ours)
    return process.wait(timeout=30), shown


def test_the_program_does_not_import_heavy_libraries_for_its_help() -> None:
    heavy = "rules.engine bot.serve bot.report starlette aiohttp procrastinate psycopg structlog sqlglot libcst pebble".split()
    script = f"import sys, bot.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([PROGRAM.with_name("python"), "-c", script], capture_output=True, check=True, text=True)

    assert done.stdout == "[]\n"


def test_every_command_has_help() -> None:
    assert all((command.callback.__doc__ or "").strip() for command in app.registered_commands if command.callback)


def test_what_ended_web_and_worker_is_told_and_not_that_they_were_a_group() -> None:
    error = ExceptionGroup("tasks", [ExceptionGroup("inner", [LocalError("The disk is full.")])])

    assert sentence(error) == "The disk is full."


def test_a_defect_of_the_program_is_told_with_its_place_and_without_its_text() -> None:
    try:
        raise KeyError("customer code")
    except KeyError as error:
        said = sentence(error)

    assert "stopped by a defect of its own (KeyError at test_commands.py:" in said
    assert "customer code" not in said
