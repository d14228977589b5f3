"""What a stranger reads is true, and nothing that a stranger needs is missing: the README, deploy/ and the page of rules."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML
from typer.main import get_command

from bot import cli, rule_pages
from bot.checks import NAME
from bot.deliveries import EVENTS
from bot.web.app import create_app
from config import page, settings
from config.configuration import Configuration
from config.repository import read_configuration
from rules.catalog import rules
from rules.ignores import ignores
from rules.languages import UNREAD, _by_suffix

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MANIFEST = json.loads((ROOT / "deploy" / "app-manifest.json").read_text(encoding="utf-8"))
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE_ID = "MTR-199"
"""The id of the example that shows how to add a rule; no rule of the catalogue has it."""
WITHOUT_EFFECT = "No effect yet"


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code(text: str = README) -> list[str]:
    """What stands in backticks within a line."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^ *```.*?^ *```$", "", text))


def fences(language: str, text: str = README) -> list[str]:
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^\1```$", text)
    return [textwrap.dedent(body) if language != "python" else undented(body, len(indent)) for indent, body in found]


def undented(body: str, width: int) -> str:
    return "".join(f"{line[width:]}\n" for line in body.splitlines())


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip().startswith("|") and not set(line) <= set("|- "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def commands() -> dict[str, set[str]]:
    """Each command of the program with its options."""
    found: dict[str, set[str]] = {}
    waiting: list[tuple[str, Any]] = [("", get_command(cli.app))]
    while waiting:
        name, command = waiting.pop()
        options = {option for one in command.params for option in one.opts if option.startswith("--")} - {"--help"}
        children = getattr(command, "commands", {})
        waiting += [(f"{name} {child}".strip(), one) for child, one in children.items()]
        if not children or options:
            found[name] = options
    return found


def shown_commands() -> list[list[str]]:
    """Every command line of the README, as words behind `meteraudit`."""
    lines = [*code(), *re.findall(r"(?m)^    (\S.*)$", README)]
    return [line.partition("meteraudit")[2].split() for line in lines if re.match(r"(\.venv/bin/)?meteraudit\s", line)]


def targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z][a-z-]*):(?!=)", MAKEFILE))


def keys(model: type[BaseModel] = Configuration, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of the configuration with its default."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from keys(type(default), f"{before}{name}.")
        else:
            yield f"{before}{name}", default


def variables() -> set[str]:
    told = [*vars(settings).values(), *vars(page).values()]
    return {value for value in told if isinstance(value, str) and value.startswith("METERAUDIT_")}


def test_every_command_line_in_the_readme_exists_with_its_options() -> None:
    known = commands()
    for words in shown_commands():
        name = next((n for n in (" ".join(words[:2]), words[0]) if n in known), "")

        assert name or words[0].startswith("--"), words
        assert {word for word in words if word.startswith("--")} <= known[name], words


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_and_every_option_is_in_the_readme(command: str) -> None:
    texts = code()

    assert any(f"{text} ".startswith(f"meteraudit {command}".strip() + " ") for text in texts)
    for option in commands()[command]:
        assert any(re.search(rf"{option}(?![\w-])", text) for text in texts), option


def test_every_option_in_the_readme_is_one_of_some_command() -> None:
    ours = set().union(*commands().values())
    used = {option for text in code() for option in re.findall(r"(?<!\S)--[a-z-]+", text)}

    assert set() == used - ours


def test_the_formats_in_the_readme_are_those_of_the_program() -> None:
    listed = section("Review your own repository").split("take `--format ")[1].split(" (workflow")[0]

    assert sorted(cli.Format.__args__) == sorted(re.findall(r"[a-z]+", listed.replace(" or ", " ")))


def test_the_exit_codes_in_the_readme_are_those_of_the_program() -> None:
    from bot import local_runs

    told = {int(row[0]): row[1] for row in rows(section("Review your own repository")) if row[0].isdigit()}

    assert set(told) == {local_runs.PASS, local_runs.BLOCKED, cli.COULD_NOT_RUN}


def test_the_variables_in_the_readme_are_those_of_the_settings() -> None:
    assert variables() == set(re.findall(r"METERAUDIT_\w+", README))


def test_the_defaults_of_variables_in_the_readme_are_those_of_the_settings() -> None:
    source = "".join((ROOT / "config" / name).read_text(encoding="utf-8") for name in ("settings.py", "page.py"))
    for name, default, _ in (row for row in rows(README) if row[0].startswith("`METERAUDIT_")):
        literal = re.fullmatch(r"`([^`]+)`", default)
        assert literal is None or re.search(rf'"{re.escape(literal[1])}"|return {re.escape(literal[1])}\b', source), name


def test_the_keys_in_the_readme_are_those_of_the_configuration_with_their_defaults() -> None:
    _, *told = rows(section("Configure"))
    table = {key.strip("`"): default.strip("`") for key, default, _ in told}

    assert table == {key: written(default) for key, default in keys()}


def written(default: Any) -> str:
    """As in the file."""
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return "[]"
    return "{}" if default == {} else str(default)


def test_the_readme_says_of_exactly_the_keys_that_nothing_reads_that_they_have_no_effect() -> None:
    sources = [path for path in sorted((ROOT / "bot").rglob("*.py")) if "demo" not in path.parts]
    program = "".join(path.read_text(encoding="utf-8") for path in sources)
    read = set(re.findall(r"\bconfiguration\.(?!configuration\b)(\w+)", program))
    read |= {"extends", "locked"} if re.search(r"\bmerged\(", program) else set()
    told = {row[0].strip("`") for row in rows(section("Configure")) if WITHOUT_EFFECT in row[2]}

    assert told == {key for key, _ in keys() if key.partition(".")[0] not in read} - {"version"}


def test_the_configuration_in_the_readme_is_valid() -> None:
    (text,) = fences("yaml", section("Configure"))

    assert () == read_configuration(text, known_rules={rule.about.id: rule.name for rule in rules()}).errors


def test_the_ignore_comment_in_the_readme_is_understood() -> None:
    (text,) = fences("python", section("Configure"))
    (mark,) = ignores(text)

    assert mark.reason
    assert mark.rule in {rule.about.id.lower() for rule in rules()}


def test_every_rule_in_the_readme_exists() -> None:
    named = set(re.findall(r"MTR-\d+", README)) - {EXAMPLE_ID}

    assert set() == named - {rule.about.id for rule in rules()}


def test_the_make_targets_in_the_readme_are_those_of_the_makefile() -> None:
    named = {text.split()[1] for text in [*code(), *re.findall(r"(?m)^    (\S.*)$", README)] if text.startswith("make ")}

    assert targets() == named


def test_every_make_target_is_phony() -> None:
    assert targets() == set(re.findall(r"[a-z-]+", MAKEFILE.split(".PHONY:")[1].splitlines()[0]))


@pytest.mark.parametrize("page", ["README.md", "rules/README.md"])
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))

    assert links
    assert [] == [link for link in links if not link.startswith("http") and not (ROOT / page).parent.joinpath(link).exists()]


def test_every_path_in_the_readme_exists() -> None:
    written = {text for text in code() if re.fullmatch(r"(bot|rules|config|tests|deploy)/[\w./-]*", text)}
    example = {text for text in written if "literal_customer" in text}

    assert written
    assert [] == [path for path in written - example if not (ROOT / path).exists()]


def test_the_addresses_in_the_readme_are_those_of_the_server() -> None:
    app = create_app(settings=None, database=None)  # type: ignore[arg-type]
    served = {f"/{route.path.split('/')[1]}" for route in app.routes if hasattr(route, "path")} - {"/", "/static"}

    told = (re.fullmatch(r"(?:https://your-host(?=(?:/[\w.]+)+$))?(/\w+)(?:/[\w.]+)*", text) for text in code())

    assert served == {found[1] for found in told if found}


def test_the_check_has_the_name_that_the_readme_tells_to_pin() -> None:
    assert f"make the check `{NAME}` required" in " ".join(README.split())


def test_the_languages_in_the_readme_are_those_that_are_read_and_those_that_are_not() -> None:
    read, unread = re.search(r"Read are (.*?)\. Files in (.*?) that may", " ".join(section("Limits").split())).groups()  # type: ignore[union-attr]

    assert {language(suffix) for suffix in _by_suffix()} == set(re.findall(r"\b(?!JSX)[A-Z][\w#]*", read))
    assert set(UNREAD.values()) == set(re.split(r", | and ", unread))


LANGUAGES = {
    "C#": "cs",
    "Go": "go",
    "Java": "java",
    "JavaScript": "js jsx mjs cjs",
    "Kotlin": "kt kts",
    "PHP": "php",
    "Python": "py pyi",
    "Ruby": "rb rake",
    "Rust": "rs",
    "SQL": "sql",
    "TypeScript": "ts tsx mts cts",
}


def language(suffix: str) -> str:
    return next(name for name, endings in LANGUAGES.items() if suffix.removeprefix(".") in endings.split())


def test_the_commands_for_comments_are_those_that_help_answers() -> None:
    from bot.commands import HELP

    table = [line for line in HELP.split("\n") if line.startswith("|")]

    assert table == [line for line in section("On the pull request").split("\n") if line.startswith("|")]


def test_the_bounds_in_the_readme_are_those_of_the_program() -> None:
    from bot import choosing
    from rules import judge

    limits = " ".join(section("Limits").split())

    assert f"over {judge.SIZE // 1024} kB" in limits
    assert f"over {judge.LINE // 1024} kB" in limits
    assert f"{choosing.REQUESTS} requests to GitHub or {choosing.TOTAL_BYTES // 1024**2} MB" in limits


def test_the_tables_of_rules_are_fresh() -> None:
    assert rule_pages.with_counts(README, rules()) == README, "run make rules-page"
    assert rule_pages.as_markdown(rules()) == (ROOT / "rules" / "README.md").read_text(encoding="utf-8"), "run make rules-page"


def test_a_rule_is_added_in_the_four_steps_of_the_readme(tmp_path: Path) -> None:
    text = section("Add a rule")
    assert ["1", "2", "3", "4"] == re.findall(r"(?m)^(\d)\. ", text)
    assert EXAMPLE_ID not in {rule.about.id for rule in rules()}
    for name in ("bot", "config", "rules", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    module, examples = fences("python", text)
    (file,) = re.findall(r"`(rules/catalog/[^`]+\.py)`", text)

    (tmp_path / file).write_text(module.replace("EXAMPLES = ()\n", examples), encoding="utf-8")
    (command,) = re.findall(r"(?m)^ +(\.venv/bin/pytest .*)$", text)
    pytest_program, *words = shlex.split(command)
    assert Path(pytest_program).name == "pytest"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words], cwd=tmp_path, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\b[5-9] passed", ran.stdout), "both examples, their syntax, the rule itself"


def test_the_picture_is_drawn_from_rules_that_exist_and_loads_nothing() -> None:
    picture = (ROOT / "deploy" / "review.svg").read_text(encoding="utf-8")
    shown = "".join(ElementTree.fromstring(picture).itertext()).replace("\xa0", " ")
    titles = {rule.about.title for rule in rules()} | {one.title for rule in rules() for one in rule.about.variants.values()}
    named = re.findall(r"\[(?:CRITICAL|HIGH|MEDIUM|LOW)\] (.+)", shown)

    assert named
    assert {title.strip() for title in named} <= titles, "run make picture"
    assert len(picture) < 64 * 1024
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]


def test_the_manifest_asks_for_what_the_readme_says() -> None:
    install = section("Install the App")
    table = {row[0].strip("`"): row[1] for row in rows(install) if row[0].startswith("`") and not row[0].startswith("`METER")}
    events = re.findall(r"`(\w+)`", install.split("Events: ")[1].split("GitHub sends")[0])

    assert table == MANIFEST["default_permissions"]
    assert events == MANIFEST["default_events"]
    assert MANIFEST["hook_attributes"]["url"].endswith("/webhook")
    assert MANIFEST["public"] is False


def test_the_manifest_grants_what_the_program_asks_of_each_token() -> None:
    from bot.github.client import REVIEW_PERMISSIONS

    granted = MANIFEST["default_permissions"]

    assert {name: level for name, level in REVIEW_PERMISSIONS.items() if granted.get(name) != level} == {}


def test_the_events_in_the_readme_are_those_that_the_program_reads() -> None:
    (unasked,) = re.findall(r"GitHub sends (.*?) without being asked", " ".join(section("Install the App").split()))
    automatic = set(re.findall(r"`(\w+)`", unasked))

    assert {event for event, _ in EVENTS} == {*MANIFEST["default_events"], *automatic}


def test_no_table_has_room_for_more_than_the_readme_says_is_stored() -> None:
    from bot.jobs.tables import TABLES

    texts = set(re.findall(r"(?m)^ +(\w+) (?:text|bytea|jsonb?)\b", TABLES))

    told = "guid event action state fingerprint kind target login comment_url revision text".split()
    told += "head_sha conclusion title name digest problem".split()
    assert set() == texts - set(told), "say in the README what this is"


def test_deliveries_are_forgotten_when_the_readme_says() -> None:
    from bot.jobs.worker import KEPT_DAYS

    assert f"forgotten after {KEPT_DAYS} days" in " ".join(section("Install the App").split())


def test_compose_parses_and_names_only_variables_commands_and_files_that_exist() -> None:
    compose = YAML(typ="safe").load(COMPOSE)
    serve = commands()["serve"]

    assert {"web", "worker", "postgres"} == set(compose["services"])
    assert set() == set(re.findall(r"METERAUDIT_\w+", COMPOSE)) - variables()
    for name in ("web", "worker"):
        service = compose["services"][name]
        option, role = service["command"]
        assert (option in serve, role) == (True, name)
        assert set(service["secrets"]) <= set(compose["secrets"])
        build = service["build"]
        assert (ROOT / "deploy" / build["context"] / build["dockerfile"]).resolve() == ROOT / "deploy" / "Dockerfile"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_compose_starts_the_program_with_the_secrets_of_the_files(tmp_path: Path, role: str) -> None:
    compose = YAML(typ="safe").load(COMPOSE)
    service = compose["services"][role]
    for name in service["secrets"]:
        (tmp_path / name).write_text(f"content-of-{name}\n")
    (tmp_path / "meteraudit").write_text("#!/bin/sh\necho $@; env\n")
    (tmp_path / "meteraudit").chmod(0o755)
    words = [word.replace("$$", "$").replace("/run/secrets", str(tmp_path)) for word in service["entrypoint"]]

    ran = subprocess.run(
        [*words, *service["command"]], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith(f"serve --role {role}\n")
    assert "METERAUDIT_GITHUB_APP_ID=content-of-app_id\n" in ran.stdout
    assert "METERAUDIT_WEBHOOK_SECRET=content-of-webhook_secret\n" in ran.stdout
    assert "METERAUDIT_DATABASE_URL=postgresql://meteraudit:content-of-database_password@postgres/meteraudit\n" in ran.stdout


def test_the_settings_that_compose_gives_are_enough_to_start() -> None:
    given = set(re.findall(r"METERAUDIT_\w+", COMPOSE))
    with pytest.raises(settings.SettingsError) as caught:
        settings.read_settings({})
    missing = {problem.split()[0] for problem in caught.value.problems}

    assert set() == missing - given - {settings.PRIVATE_KEY}
    assert settings.PRIVATE_KEY_FILE in given


def test_the_dockerfile_copies_what_exists_and_names_only_existing_variables() -> None:
    copied = [word for line in re.findall(r"(?m)^COPY (.*)$", DOCKERFILE) for word in line.split()[:-1]]

    assert [] == [name for name in copied if not (ROOT / name).exists()]
    assert {"pyproject.toml", "README.md", "LICENSE", "bot", "rules", "config", "deploy/app-manifest.json"} == set(copied)
    assert set() == set(re.findall(r"METERAUDIT_\w+", DOCKERFILE)) - variables()
    assert set(copied) == set(re.findall(r"(?m)^!(.*)$", (ROOT / "deploy" / "Dockerfile.dockerignore").read_text()))


def test_the_image_does_not_run_as_root_and_is_asked_for_its_health() -> None:
    assert re.search(r"(?m)^USER (?!root)\w+$", DOCKERFILE)
    assert "/healthz" in DOCKERFILE.split("HEALTHCHECK")[1]
    assert DOCKERFILE.rstrip().endswith('CMD ["meteraudit", "serve"]')


def test_the_unit_names_only_existing_variables() -> None:
    unit = (ROOT / "deploy" / "meteraudit.service").read_text(encoding="utf-8")

    assert set() == set(re.findall(r"METERAUDIT_\w+", unit)) - variables()
    assert "meteraudit serve\n" in unit
