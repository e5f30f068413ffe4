"""The reference of the command line, from what Typer says in its help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from markdown_table import table


def commands() -> str:
    """Every command with its arguments and options, from what Typer says in its help."""
    from leukbench.cli.app import app

    whole = typer.main.get_command(app)
    lines = [*_parameter_table(whole), *_command_lines(whole, "leukbench")]
    return "\n".join(lines)


def _command_lines(command: Any, path: str) -> Iterator[str]:
    subcommands = getattr(command, "commands", None)
    if subcommands is not None:
        if path != "leukbench":
            yield from ("", f"## `{path}`", "", _sentence(command.help), "")
        for name, one in subcommands.items():
            yield from _command_lines(one, f"{path} {name}")
        return
    level = "###" if path.count(" ") > 1 else "##"
    usage = " ".join(_usage(parameter) for parameter in command.params if not _is_help(parameter))
    yield from ("", f"{level} `{path}`", "", _sentence(command.help), "")
    yield from ("```text", f"{path} {usage}".rstrip(), "```", "")
    yield from _parameter_table(command)


def _parameter_table(command: Any) -> list[str]:
    rows = [
        (_written(parameter), _sentence(getattr(parameter, "help", "")), _option_default(parameter))
        for parameter in command.params
        if not _is_help(parameter)
    ]
    return table(("argument or option", "meaning", "default"), rows) if rows else []


def _is_help(parameter: Any) -> bool:
    return parameter.name == "help"


def _is_argument(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _usage(parameter: Any) -> str:
    if _is_argument(parameter):
        name = str(parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
        return name if parameter.required else f"[{name}]"
    written = _written(parameter).strip("`")
    return written if parameter.required else f"[{written}]"


def _written(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{str(parameter.name).upper()}`"
    if getattr(parameter, "is_flag", False):
        return f"`{parameter.opts[0]}`"
    kinds = {int: "N", float: "NUMBER", Path: "PATH"}
    return f"`{parameter.opts[0]} {kinds.get(parameter.type_descriptor.annotation, 'TEXT')}`"


def _option_default(parameter: Any) -> str:
    value = parameter.default
    if _is_argument(parameter) or value is None or value is False or callable(value):
        return ""
    return f"`{value}`"


def _sentence(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").split()).replace("<", "&lt;")
