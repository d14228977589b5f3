"""The command line: every command with its options, and the one place where errors become a sentence and an exit code."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from bot.printing import PipeClosedError, note, write

# Whatever a command needs beyond its options is imported when it runs: the command line starts at once.

COULD_NOT_RUN = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""As a shell reports a program that SIGPIPE or Ctrl-C ended."""

Format = Literal["text", "markdown", "json", "sarif", "html", "github"]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write there.")]
Form = Annotated[Format, typer.Option("--format", help="How the report reads.")]

app = typer.Typer(
    name="meteraudit",
    help="Finds defects in usage-based billing code: usage lost, counted twice, summed wrongly or let past a limit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config = typer.Typer(help="Checks .meteraudit.yml, or prints its JSON Schema.", no_args_is_help=True)
app.add_typer(config, name="config")


def main() -> None:
    """The program. Exits 0 pass, 1 gate failed, 2 could not run."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """One command line, answered with its exit code; whatever goes wrong is one sentence on standard error."""
    try:
        code = app(words, prog_name="meteraudit", standalone_mode=False)
    except PipeClosedError:
        return PIPE_CLOSED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except TyperException as error:
        return failed(f"{error.format_message().replace('Value error, ', '')} Try `meteraudit --help`.")
    except Exception as error:  # noqa: BLE001 - the command line's edge
        return failed(sentence(error))
    return code if isinstance(code, int) else 0


def failed(text: str) -> int:
    note(f"meteraudit: {text}")
    return COULD_NOT_RUN


def sentence(error: Exception) -> str:
    """What a person reads: our own errors say it themselves, others are named with their place in the program."""
    while isinstance(error, ExceptionGroup):
        # Web and worker run in one group; what ended it is the first.
        error = error.exceptions[0]
    origin = type(error).__module__.partition(".")[0]
    if origin in ("bot", "config"):
        return str(error)
    if origin == "psycopg":
        return f"The database of METERAUDIT_DATABASE_URL cannot be used: {str(error).strip()}"
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place is not None else ""
    return f"stopped by a defect of its own ({type(error).__name__}{where}): please report it with the command that you ran."


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        write(f"meteraudit {version('meteraudit')}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def demo() -> int:
    """Show one whole review on this machine: server, webhook, comments and check run, without GitHub."""
    from rich.console import Console

    from bot.demo.run import run_demo

    run_demo(Console())
    return 0


@app.command()
def serve(
    role: Annotated[
        Literal["web", "worker", "page"] | None,
        typer.Option(help="Only one of the first two; page: the web page alone, without an App. Default: web and worker."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Instead of METERAUDIT_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Instead of METERAUDIT_PORT.")] = None,
) -> int:
    """Run the GitHub App: webhook receiver, web pages and worker."""
    from bot.start_serve import start_serve

    return start_serve(role or "both", host, port)


@app.command()
def review(
    repo: Annotated[Path, typer.Option(metavar="DIR", help="A git repository, bare or not.")] = Path(),
    base: Annotated[
        str | None, typer.Option(metavar="REV", help="Default: where the head and the default branch parted.")
    ] = None,
    head: Annotated[str | None, typer.Option(metavar="REV", help="Default: the working tree.")] = None,
    form: Form = "text",
    output: Output = None,
) -> int:
    """Review the change between two revisions of a git repository, as the App would."""
    from bot import local_runs

    return local_runs.review(repo, base, head, form, output)


@app.command()
def audit(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Files or folders; - reads a bundle from standard input.")
    ] = None,
    root: Annotated[Path, typer.Option(metavar="DIR", help="The root of the project.")] = Path(),
    form: Form = "text",
    output: Output = None,
    watch: Annotated[bool, typer.Option("--watch", help="Audit again whenever a file changes.")] = False,
) -> int:
    """Audit files or folders in full."""
    from bot import local_runs

    return local_runs.audit(paths or [], root, form, output, watch)


@app.command()
def collect(
    folder: Annotated[Path, typer.Argument(metavar="[PATH]", help="The folder of the project.")] = Path(),
    budget: Annotated[int, typer.Option(metavar="CHARACTERS", help="How long the bundle may become.")] = 30_000,
    output: Output = None,
) -> int:
    """Collect what matters for billing into one text, for an audit elsewhere."""
    from bot import local_runs

    return local_runs.collect(folder, budget, output)


@app.command()
def rules(form: Annotated[Literal["text", "json"], typer.Option("--format", help="How the list reads.")] = "text") -> int:
    """List all rules."""
    from bot import rule_pages
    from rules import catalog

    write(rule_pages.as_json(catalog.rules()) if form == "json" else rule_pages.as_table(catalog.rules()))
    return 0


@app.command()
def explain(wanted: Annotated[str, typer.Argument(metavar="RULE", help="Its id or name: MTR-201.")]) -> int:
    """Explain one rule: why it matters, bad and good code, references."""
    from bot import rule_pages
    from rules import catalog

    rule = catalog.rule(wanted) or catalog.rule(wanted.upper()) or catalog.rule(wanted.lower())
    if rule is None:
        return failed(f"there is no rule {wanted!r}: `meteraudit rules` lists all.")
    write(rule_pages.page(rule))
    return 0


@config.command()
def check(file: Annotated[Path, typer.Argument(help="Default: .meteraudit.yml here.")] = Path(".meteraudit.yml")) -> int:
    """Check a configuration; errors are printed as file:line:column."""
    from bot.local_configuration import known_rules, read
    from config.repository import read_configuration

    text = read(file)
    if text is None:
        return failed(f"{file} is not there: name the configuration to check, or write one that begins with `version: 1`.")
    errors = read_configuration(text, str(file), known_rules()).errors
    write("".join(f"{error}\n" for error in errors) or f"{file} is valid.\n")
    return COULD_NOT_RUN if errors else 0


@config.command()
def schema() -> int:
    """Print the JSON Schema of .meteraudit.yml, for editors."""
    import json

    from config.repository import schema as schema_of

    write(json.dumps(schema_of(), indent=2) + "\n")
    return 0
