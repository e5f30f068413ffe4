"""What a user asks of a run: the one set of options behind ``leukbench.run`` and ``leukbench run-all``.

Text is understood as it is typed on the command line (``"0-4"``, ``"30m"``, ``"8g"``), so that both
take the same values and refuse the others with the same sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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

from leukbench.errors import UsageError, require_whole, shortened
from leukbench.protocol import (
    MOST_EPOCHS,
    MOST_JOBS,
    MOST_SEED,
    Protocol,
    load_protocol,
    override,
)
from leukbench.trials.device import Setting

UNITS = {
    "timeout": ({"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}, "30m"),
    "memory_mb": ({"": 1, "m": 1, "mb": 1, "g": 1024, "gb": 1024}, "8g"),
}
"""Seconds and MiB of each unit, and an example."""
MOST_QUANTITY = 1e9
"""Seconds or MiB: thirty years, a petabyte."""
MOST_NUMBERS = 10_000
"""Seeds or folds that one option names."""
CHANGES = {"epochs": "training__epochs", "task": "task", "precision": "training__precision"}
"""Options that change the protocol, and what they change."""


def split_names(option: str, value: Any) -> Any:
    """Different names of a text with commas between; what is no text stays.

    >>> split_names("models", "a, b")
    ('a', 'b')
    """
    if isinstance(value, str):
        value = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if value is not None and not len(value):
        raise UsageError(f"`{option}` is empty: name one or more, with commas between.")
    return value


def split_numbers(option: str, value: Any) -> Any:
    """Different whole numbers of a text with commas between and ``0-4`` for a range.

    >>> split_numbers("seeds", "0-2,7")
    (0, 1, 2, 7)
    """
    parts = split_names(option, value)
    if not isinstance(value, str):
        return parts and tuple(require_whole(option, part, 0, MOST_SEED) for part in parts)
    numbers: list[int] = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise UsageError(
                f"`{option}={value!r}` does not fit: write whole numbers, as in 0,1,2."
            )
        first, last = (
            require_whole(option, number, 0, MOST_SEED)
            for number in (match[1], match[2] or match[1])
        )
        if len(numbers) + last - first >= MOST_NUMBERS:
            raise UsageError(f"`{option}={value}` names more than {MOST_NUMBERS}: name fewer.")
        numbers += range(first, last + 1)
    return tuple(dict.fromkeys(numbers))


def count(option: str, value: Any) -> int | None:
    """A whole number from 1, where there is one."""
    most = MOST_EPOCHS if option == "epochs" else MOST_JOBS
    return None if value is None else require_whole(option, value, 1, most)


def quantity(option: str, value: Any) -> float | None:
    """Seconds or MiB of a number, or of a text with a unit.

    >>> quantity("timeout", "30m"), quantity("memory_mb", "8g")
    (1800.0, 8192.0)
    """
    if value is None:
        return None
    units, example = UNITS[option]
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).casefold())
    number = float(match[1]) * units.get(match[2], 0) if match else 0
    if not 0 < number <= MOST_QUANTITY:
        raise UsageError(f"`{option}={shortened(value)}` does not fit: write it like {example}.")
    return number


def _reader(read: Callable[[str, Any], Any]) -> BeforeValidator:
    def validate(value: Any, info: ValidationInfo) -> Any:
        return read(info.field_name or "", value)

    return BeforeValidator(validate)


def _option(text: str, default: Any = None) -> Any:
    return Field(default, description=text)


Names = Annotated[tuple[str, ...] | None, _reader(split_names)]
Numbers = Annotated[tuple[int, ...] | None, _reader(split_numbers)]
Count = Annotated[int | None, _reader(count)]
Quantity = Annotated[float | None, _reader(quantity)]


class RunOptions(BaseModel):
    """What the user asks of a run; the description of a field is its help on the command line.

    `protocol` may be given as an object, a name, a file or not at all; what is kept is the protocol
    with `epochs`, `task` and `precision` in it. `timeout` is in seconds, `memory_mb` in MiB.

    Raises
    ------
    UsageError
        Where a value does not fit; names the parameter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = _option("Folder with one sub-folder a class; without it, synthetic smears.")
    protocol: Protocol = _option("Name or TOML file; paper with --data, demo without.", ...)
    models: Names = _option("Some models only, with commas between.")
    seeds: Numbers = _option("Seeds, as in 0,1,2 or 0-4.")
    folds: Numbers = _option("Some folds of the split only.")
    epochs: Count = _option("Epochs of every network; changes the protocol.")
    task: str | dict[str, str] | None = _option("all or benign-malignant; changes the protocol.")
    precision: str | None = _option("auto, float32 or mixed_bfloat16; changes the protocol.")
    out: Path | None = _option("Run folder; results/<dataset>-<protocol> by default.")
    jobs: Count = _option("Trials side by side; by default as many as are likely to end soonest.")
    threads: Count = _option("Cores of each trial; by default this machine's, shared by --jobs.")
    device: Setting = _option(
        "auto, cpu or gpu: what networks are trained on; auto takes a GPU that TensorFlow sees.",
        "auto",
    )
    backend: str = _option("local, or dask: on the workers of a Dask cluster.", "local")
    scheduler: str | None = _option(
        "Dask scheduler, as in tcp://host:8786; without it, --jobs workers."
    )
    timeout: Quantity = _option("Longest time of one trial, as in 90s, 30m, 2h.")
    memory_mb: Quantity = _option("Most memory of one trial, as in 800m, 8g.")
    labels: Path | None = _option(
        "Table of the columns image, label and, where known, group and part, instead of folders."
    )
    label_pattern: str | None = _option(
        "Regular expression with (?P<label>...) that is searched in each image's path."
    )
    group_pattern: str | None = _option(
        "Regular expression with (?P<group>...), the patient, that is searched in each image's path."
    )
    skip_unreadable: bool = _option("Leave out images that cannot be read.", False)
    fresh: bool = _option("Run again what is finished.", False)
    save_models: bool = _option("Keep the fitted models, for leukbench predict.", False)
    weights: str = _option(
        "Start of networks at native size: none (random), imagenet, or a file.", "none"
    )
    command: str = ""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, values: Any, validate: ModelWrapValidatorHandler[RunOptions]) -> RunOptions:
        protocol = values.get("protocol")
        if not isinstance(protocol, Protocol):
            default = "demo" if values.get("data") is None else "paper"
            protocol = load_protocol(str(protocol or default))
        values = {**values, "epochs": count("epochs", values.get("epochs"))}
        given = {key: values.get(name) for name, key in CHANGES.items()}
        changes = {key: value for key, value in given.items() if value is not None}
        try:
            return validate({**values, "protocol": override(protocol, **changes)})
        except ValidationError as error:
            first = error.errors()[0]
            reason = first["msg"].removeprefix("Value error, ")
            raise UsageError(
                f"`{first['loc'][0]}={shortened(first['input'])}` does not fit: "
                f"{reason[:1].lower()}{reason[1:]}."
            ) from error
