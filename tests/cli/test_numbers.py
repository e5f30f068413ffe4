"""Every number that a command takes is a number in its range, or is refused in one sentence."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from leukbench.api import run
from leukbench.checks.gate import compare_with_baseline
from leukbench.cli.app import app, run_command_line
from leukbench.errors import UsageError, flag_of
from leukbench.trials.options import RunOptions

NO_NUMBERS = ("nan", "inf", "-inf", "1e999", "-1", "x", "", "true")


def commands(one: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[list[str], Any]]:
    """Every command's words and function."""
    for command in one.registered_commands:
        function = command.callback
        assert function is not None
        yield [*path, command.name or function.__name__], function
    for group in one.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, (*path, str(group.name)))


def written(option: Any) -> str:
    """The flag of an option that stands in an annotation."""
    return str(
        next(text for text in (option.default, *option.param_decls) if str(text)[:2] == "--")
    )


def numeric_options() -> list[tuple[list[str], str, type]]:
    """Words of the command with an argument for each that it needs, the option's flag, and its kind."""
    found = []
    for words, function in commands(app):
        hints = typing.get_type_hints(function, include_extras=True)
        arguments = []
        options = []
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            annotation = parameter.annotation
            assert typing.get_origin(annotation) is typing.Annotated, (words, parameter, hints)
            kind, info = typing.get_args(annotation)[:2]
            kinds = {kind, *typing.get_args(kind)}
            if isinstance(info, typer.models.ArgumentInfo):
                assert not kinds & {int, float}, f"{words}: {parameter.name} is no option"
                if parameter.default is inspect.Parameter.empty:
                    arguments.append("nowhere")
            elif kinds & {int, float}:
                options.append((written(info), float if float in kinds else int))
            elif parameter.default is inspect.Parameter.empty:
                arguments += [written(info), "nowhere"]
        found += [([*words, *arguments], flag, kind) for flag, kind in options]
    return found


OPTIONS = numeric_options()


def test_the_numeric_options_are_found() -> None:
    flags = {(words[0], flag) for words, flag, _ in OPTIONS}
    assert {
        ("gate", "--max-slowdown"), ("run-all", "--epochs"), ("compare", "--prevalence"),
        ("predict", "--seed"), ("check-table", "--images"), ("data", "--patient-effect"),
    } <= flags  # fmt: skip


@pytest.mark.parametrize(
    ("words", "flag", "kind"), OPTIONS, ids=lambda v: v[0] if isinstance(v, list) else None
)
def test_what_is_no_number_in_range_is_refused_before_anything_is_read(
    words: list[str], flag: str, kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in NO_NUMBERS if kind is float else (*NO_NUMBERS, "1.5"):
        assert run_command_line([*words, f"{flag}={text}"]) == 3
        printed = capsys.readouterr().err.strip()
        assert printed.startswith(f"leukbench: {flag} {text!r} does not fit: take a "), printed
        assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    "option",
    [
        f"{flag}={text}"
        for flag in ("--seeds", "--folds", "--timeout", "--memory")
        for text in ("nan", "inf", "-1", "9" * 400, "9" * 5000, "0-99999999999")
    ],
    ids=lambda option: option[:20],
)
def test_texts_that_hold_numbers_are_as_strict(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["run-all", option]) == 3
    printed = capsys.readouterr().err.strip()
    assert len(printed.splitlines()) == 1
    assert len(printed) < 250
    assert option.partition("=")[0] in printed


@pytest.mark.parametrize("name", ["epochs", "jobs", "threads", "timeout", "memory_mb"])
@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1, 0, True, [], 10**5000], ids=lambda v: type(v).__name__
)
def test_the_same_from_python(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^`{name}=.*does not fit"):
        run(**{name: value})


@pytest.mark.parametrize("name", ["seeds", "folds"])
@pytest.mark.parametrize("value", [[float("nan")], [-1], [True], [2**32], [1.5]])
def test_seeds_and_folds_from_python(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^`{name}="):
        run(**{name: value})


@pytest.mark.parametrize(
    "options",
    [
        {name: bad}
        for name in ("tolerance", "max_slowdown", "alpha")
        for bad in (float("nan"), float("inf"), -1)
    ],
    ids=str,
)
def test_the_gate_takes_no_such_bounds_from_python(options: Any) -> None:
    with pytest.raises(UsageError, match=f"^`{next(iter(options))}="):
        compare_with_baseline(Path("nowhere"), Path("nowhere"), **options)


def test_good_numbers_still_pass() -> None:
    options = RunOptions(
        protocol="smoke", seeds="0-2,7", jobs="2", threads=1, epochs=3, timeout="30m", memory_mb=800
    )
    assert (options.seeds, options.jobs, options.threads) == ((0, 1, 2, 7), 2, 1)
    assert (options.protocol.training.epochs, options.timeout, options.memory_mb) == (3, 1800, 800)


def test_a_flag_and_its_parameter_have_one_name() -> None:
    for _, flag, _ in OPTIONS:
        assert flag_of(flag.removeprefix("--").replace("-", "_")) == flag
