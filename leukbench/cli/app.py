"""The command line: one verb a file, and one place where a fault becomes a sentence and a code."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import Exit, TyperException

from leukbench._version import __version__
from leukbench.cli import (
    checklist,
    data,
    export,
    gate,
    health,
    listing,
    multiverse,
    outside,
    predict,
    published,
    replay,
    results,
    robustness,
    run,
    status,
    validity,
    verify,
)
from leukbench.errors import LeukbenchError, UsageError, printable, with_flags

INTERRUPTED = 130

app = typer.Typer(
    name="leukbench",
    help="Referee for leukaemia image classifiers: same images, same split, every prediction kept.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Not for diagnosis.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"leukbench {__version__}")
        raise Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of every verb."""


app.command("run-all")(run.run_all)
app.command("audit")(validity.audit)
app.command("split")(validity.split)
app.command("replay")(replay.replay)
app.command("multiverse")(multiverse.multiverse)
app.command("check-table")(published.check_table)
app.command("status")(status.status)
app.command("report")(results.report)
app.command("compare")(results.compare)
app.command("slices")(robustness.slices)
app.command("checklist")(checklist.checklist)
app.command("labels")(robustness.labels)
app.command("ablate")(robustness.ablate)
app.command("gate")(gate.gate)
app.command("verify")(verify.verify)
app.command("predict")(predict.predict)
app.command("score")(outside.score)
app.command("check-model")(health.check_model)
app.command("doctor")(health.doctor)
app.add_typer(listing.app, name="list")
app.add_typer(data.app, name="data")
app.add_typer(export.app, name="export")


def run_command_line(arguments: list[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str
        What was typed after the program's name.

    Returns
    -------
    int
        0 fine; 1 a regression or a difference; 2 a model failed or is degenerate; 3 wrong usage or
        unreadable input; 4 leakage refused; 130 interrupted.
    """
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        code = app(rest, standalone_mode=False)
        if code == INTERRUPTED:  # Typer's own answer to an interrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if rest != arguments:
            traceback.print_exc()
        sentence, code = _told(error)
        line = printable(" ".join(sentence.split("\n")))
        print(f"leukbench: {line}", file=sys.stderr)
        return code


def _told(error: BaseException) -> tuple[str, int]:
    """What is said of a fault, in one sentence, and the exit code."""
    if isinstance(error, LeukbenchError):
        return with_flags(str(error)), error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return (
            "interrupted; what was finished is kept: the same command again goes on.",
            INTERRUPTED,
        )
    if isinstance(error, TyperException):
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        sentence = f"{message} (leukbench --help lists the verbs.)"
    elif isinstance(error, OSError):
        sentence = (
            f"{error.filename or 'A file'} cannot be used ({error.strerror or error}): "
            "check its permissions and the free space; what was finished before is kept."
        )
    else:
        sentence = (
            f"unexpected {type(error).__name__}: {error}; run again with --debug and "
            "report what it prints."
        )
    return sentence, UsageError.exit_code
