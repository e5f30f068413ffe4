"""What a user asks of a run: the one set of options behind ``leukbench.run`` and ``leukbench run-all``.

Text is understood as it is typed on the command line (``"0-4"``, ``"30m"``, ``"8g"``), so that both
take the same values and refuse them with the same sentence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from leukbench.errors import UsageError
from leukbench.protocol import Protocol, load_protocol, override

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
MEBIBYTES = {"": 1, "m": 1, "mb": 1, "g": 1024, "gb": 1024}


def _names(value: Any, info: ValidationInfo) -> Any:
    """Names of a text with commas between; anything else as it is."""
    if isinstance(value, str):
        value = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if value is not None and not len(value):
        raise UsageError(f"`{info.field_name}` is empty: name one or more.")
    return value


def _numbers(value: Any, info: ValidationInfo) -> Any:
    """Whole numbers of a text such as ``0,3-5``; anything else as it is."""
    parts = _names(value, info)
    if not isinstance(value, str):
        return parts
    numbers: list[int] = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise UsageError(
                f"`{info.field_name}={value!r}` does not fit: write whole numbers, as in 0,1,2."
            )
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(numbers))


def _quantity(units: dict[str, int], example: str) -> BeforeValidator:
    """A positive number, or a text of one with a unit."""

    def read(value: Any, info: ValidationInfo) -> Any:
        text = f"{value:f}" if isinstance(value, int | float) else str(value).casefold()
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
        if value is None:
            return None
        if not match or match[2] not in units or float(match[1]) == 0:
            raise UsageError(
                f"`{info.field_name}={value!r}` does not fit: write it like {example}."
            )
        return float(match[1]) * units[match[2]]

    return BeforeValidator(read)


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Numbers = Annotated[tuple[int, ...], BeforeValidator(_numbers)]
PositiveInt = Annotated[int, Field(ge=1)]


class RunOptions(BaseModel):
    """What the user asks of a run; the description of a field is its help on the command line.

    `protocol` may be given as an object, a name, a file or not at all; what is kept is the protocol
    with `epochs`, `task` and `precision` in it. `jobs` and `threads` that are None are settled by
    `leukbench.trials.limits`. `timeout` is in seconds, `memory_mb` in MiB.

    Raises
    ------
    UsageError
        Where a value does not fit; names the parameter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = Field(
        None, description="Folder with one sub-folder a class; without it, synthetic smears."
    )
    protocol: Protocol = Field(description="Name or TOML file; paper with --data, demo without.")
    models: Annotated[Names | None, BeforeValidator(_names)] = Field(
        None, description="Some models only, with commas between."
    )
    seeds: Annotated[Numbers | None, BeforeValidator(_numbers)] = Field(
        None, description="Seeds, as in 0,1,2 or 0-4."
    )
    folds: Annotated[Numbers | None, BeforeValidator(_numbers)] = Field(
        None, description="Some folds of the split only."
    )
    epochs: int | None = Field(None, description="Epochs of every network; changes the protocol.")
    task: str | dict[str, str] | None = Field(
        None, description="all or benign-malignant; changes the protocol."
    )
    precision: str | None = Field(
        None, description="auto, float32 or mixed_bfloat16; changes the protocol."
    )
    out: Path | None = Field(
        None, description="Run folder; results/<dataset>-<protocol> by default."
    )
    jobs: PositiveInt | None = Field(
        None, description="Trials side by side; by default as many as end soonest."
    )
    threads: PositiveInt | None = Field(
        None, description="Cores of each trial; by default this machine's, shared by --jobs."
    )
    backend: str = Field("local", description="local, or dask: on the workers of a Dask cluster.")
    scheduler: str | None = Field(
        None,
        description="Dask scheduler, as in tcp://host:8786; without it, --jobs workers on this machine.",
    )
    timeout: Annotated[float | None, _quantity(SECONDS, "30m")] = Field(
        None, description="Longest time of one trial, as in 90s, 30m, 2h."
    )
    memory_mb: Annotated[float | None, _quantity(MEBIBYTES, "8g")] = Field(
        None, description="Most memory of one trial, as in 800m, 8g."
    )
    skip_unreadable: bool = Field(False, description="Leave out images that cannot be read.")
    fresh: bool = Field(False, description="Run again what is finished.")
    save_models: bool = Field(False, description="Keep the fitted models, for leukbench predict.")
    weights: str = Field(
        "none",
        description="What networks at native size start from: none (random), imagenet, or a file.",
    )
    command: str = ""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, values: Any, validate: ModelWrapValidatorHandler[RunOptions]) -> RunOptions:
        values = dict(values)
        protocol = values.get("protocol")
        if not isinstance(protocol, Protocol):
            protocol = load_protocol(
                str(protocol or ("demo" if values.get("data") is None else "paper"))
            )
        changes = {"training__epochs": "epochs", "task": "task", "training__precision": "precision"}
        given = {key: values.get(name) for key, name in changes.items()}
        values["protocol"] = override(
            protocol, **{key: value for key, value in given.items() if value is not None}
        )
        try:
            return validate(values)
        except ValidationError as error:
            raise UsageError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name, reason = first["loc"][0], first["msg"].removeprefix("Value error, ")
    if first["type"] == "greater_than_equal":
        reason = f"take a whole number from {first['ctx']['ge']}"
    return f"`{name}={first['input']}` does not fit: {reason[:1].lower()}{reason[1:]}."
