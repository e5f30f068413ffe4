"""What is compared, and how: one frozen, validated object read from a TOML file.

Two runs can be compared only where `Protocol.fingerprint` is equal; which models and seeds are run is
no part of it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from leukbench.errors import UsageError, did_you_mean, require_file, shortened

SplitName = Literal["paper", "stratified", "grouped", "blocks", "repeated-kfold", "given"]
View = Literal[
    "whole",
    "cells",
    "background",
    "silhouettes",
    "shuffled",
    "grey",
    "colour",
    "lowpass",
    "highpass",
]
Precision = Literal["auto", "float32", "mixed_bfloat16"]


MOST_SEED = 2**32 - 1
"""Of what NumPy and scikit-learn take."""
MOST_EPOCHS = 1_000_000
MOST_JOBS = 1024
"""Trials side by side, and cores of each."""


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        numeric = cls.model_fields[info.field_name or ""].annotation in (int, float)
        return _no_switch(value) if numeric else value


class Preprocessing(_Frozen):
    """The one preprocessing stage."""

    size: int = Field(default=50, ge=8, le=1024)
    """Height and width of the result, in pixels."""
    colour: Literal["grey", "rgb"] = "grey"
    """One channel or three."""
    median_kernel: int = Field(default=5, ge=0, le=31)
    """Side of the median filter in pixels, odd; 0 or 1 leaves it out."""
    segmentation: Literal["none", "hsv", "aria2021"] = "none"
    """Blacken everything but leukocytes, by thresholds in HSV."""
    crop: bool = False
    """Cut out the largest cell of the segmentation before resizing."""
    view: View = "whole"
    """What models see of the image: all of it; leukocytes alone; the rest alone; outlines of leukocytes;
    patches in another order; grey values; mean and deviation of colours; coarse or fine structure."""

    @field_validator("median_kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value > 1 and value % 2 == 0:
            raise ValueError("must be odd, or 0 for none")
        return value

    @field_validator("view")
    @classmethod
    def _of_whole_images(cls, value: View, info: ValidationInfo) -> View:
        if value != "whole" and info.data.get("segmentation", "none") != "none":
            raise ValueError("goes with segmentation none, as each finds leukocytes by itself")
        if value == "grey" and info.data.get("colour") == "grey":
            raise ValueError("goes with colour rgb, as models see grey values already")
        return value

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        value: dict[str, Any] = write(self)
        if self.view == "whole":  # keys and fingerprints are those from before there were views
            del value["view"]
        return value

    @property
    def channels(self) -> int:
        """1 for grey, 3 for rgb."""
        return 1 if self.colour == "grey" else 3


class Split(_Frozen):
    """How images are divided into training, validation and test."""

    policy: SplitName = "paper"
    """``paper`` is random and not stratified, ``blocks`` holds out contiguous file numbers, ``given``
    keeps the split that comes with the images."""
    folds: int = Field(default=1, ge=1, le=100)
    """1 for one hold-out split, more for cross-validation."""
    repeats: int = Field(default=1, ge=1, le=100)
    """How often a k-fold is drawn anew (``repeated-kfold`` alone)."""
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of test images of a hold-out split; that of a k-fold is ``1 / folds``."""
    validation_fraction: float = Field(default=0.0, ge=0, lt=1)
    """Share of the training part that is set aside for early stopping and calibration."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Seed of the division."""
    embargo: int = Field(default=0, ge=0, le=1_000_000)
    """Files left out between neighbouring stretches of a class (``blocks`` alone)."""


class Training(_Frozen):
    """The budget that every network gets."""

    epochs: int = Field(default=30, ge=1, le=MOST_EPOCHS)
    """Passes over the training part, at most."""
    batch_size: int = Field(default=64, ge=1, le=1_000_000)
    """Images in one step."""
    precision: Precision = "auto"
    """``auto`` takes, for each network, the faster one on this machine."""
    early_stopping: int = Field(default=0, ge=0, le=MOST_EPOCHS)
    """Epochs without a better validation loss after which training ends and the best epoch's weights
    are kept; 0 trains to the last epoch and keeps that."""


class Audit(_Frozen):
    """What the audit does with what it finds."""

    allow_duplicates_across_split: bool = False
    """Train although the same image stands in training and test; every table then says so."""
    probes: bool = True
    """Run the shortcut probes beside the models."""


MOST_OPTION = 2**63
"""A number of an option is smaller, so that its factory can take it."""


def _plain(value: Any) -> Any:
    plain = isinstance(value, bool | int | float | str)
    if not plain or (isinstance(value, int | float) and not abs(value) < MOST_OPTION):
        raise ValueError("must be a finite number, true, false or a text")
    return value


OptionValue = Annotated[bool | int | float | str, BeforeValidator(_plain)]


class Protocol(_Frozen):
    """What makes two numbers comparable."""

    name: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """On the command line and in the name of the run folder; letters, digits and ``._-``."""
    title: str = ""
    """In tables and on the page."""
    description: str = ""
    """What it is for."""
    task: Literal["all", "benign-malignant"] | dict[str, str] = "all"
    """A mapping gives the new name of every class."""
    models: tuple[str, ...] = ()
    """What ``run-all`` runs; empty means all."""
    seeds: tuple[Annotated[int, BeforeValidator(_no_switch)], ...] = (0,)
    """Each model is trained once with each."""
    preprocessing: Preprocessing = Preprocessing()
    split: Split = Split()
    training: Training = Training()
    audit: Audit = Audit()
    options: dict[str, dict[str, OptionValue]] = {}
    """Options of single models that differ from their recipe, as in ``[options.modified_cnn]`` and
    ``dropout = 0.25`` below; ``leukbench list models --long`` names them."""

    @field_validator("seeds")
    @classmethod
    def _some_seed(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or any(not 0 <= seed <= MOST_SEED for seed in value):
            raise ValueError(f"must be one or more whole numbers from 0 to {MOST_SEED}")
        if len(set(value)) != len(value):
            raise ValueError("must be different whole numbers")
        return value

    @field_validator("split")
    @classmethod
    def _possible_split(cls, value: Split) -> Split:
        if value.policy == "repeated-kfold" and value.folds < 2:
            raise ValueError("repeated-kfold needs folds of 2 or more")
        if value.policy == "given" and value.folds != 1:
            raise ValueError("the policy given takes its folds from the images: leave out folds")
        if value.policy != "repeated-kfold" and value.repeats != 1:
            raise ValueError("repeats goes with the policy repeated-kfold")
        if value.policy != "blocks" and value.embargo:
            raise ValueError("embargo goes with the policy blocks")
        return value

    def comparable(self) -> dict[str, Any]:
        """All that decides whether two numbers may stand in one table."""
        value = self.model_dump(
            mode="json", exclude={"name", "title", "description", "models", "seeds"}
        )
        if not self.split.embargo:  # fingerprints are those from before there was one
            del value["split"]["embargo"]
        if not self.options:  # the same
            del value["options"]
        return value

    @property
    def fingerprint(self) -> str:
        """sha256 of `comparable` as canonical JSON."""
        return canonical_sha256(self.comparable())


def canonical_sha256(value: Mapping[str, Any]) -> str:
    """sha256 of a JSON value, whatever the order of its keys.

    >>> canonical_sha256({"a": 1, "b": 2}) == canonical_sha256({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def builtin_protocols() -> tuple[str, ...]:
    """Names of the protocols that come with the package."""
    folder = resources.files("leukbench") / "protocols"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


def load_protocol(name_or_file: str) -> Protocol:
    """Read a protocol by its built-in name or from a TOML file.

    Raises
    ------
    UsageError
        Where there is no such protocol, or the file is broken: names the key and the line.
    """
    stated = f"`protocol={name_or_file}`"
    if name_or_file.endswith(".toml") or "/" in name_or_file or "\\" in name_or_file:
        require_file(Path(name_or_file))
        try:
            return parse_protocol(Path(name_or_file).read_text(encoding="utf-8"), name_or_file)
        except OSError as error:
            raise UsageError(
                f"{stated} cannot be read ({error.strerror}): check the path."
            ) from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{stated} is not UTF-8 text: save it as UTF-8.") from error
    names = builtin_protocols()
    if name_or_file not in names:
        raise UsageError(
            f"{stated} is unknown{did_you_mean(name_or_file, names)}: "
            f"take one of {', '.join(names)}, or a .toml file."
        )
    source = resources.files("leukbench") / "protocols" / f"{name_or_file}.toml"
    return parse_protocol(source.read_text(encoding="utf-8"), f"{name_or_file}.toml")


def parse_protocol(text: str, source: str) -> Protocol:
    """Validate the TOML text of a protocol; errors name key, line and the mend."""
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, 5000 brackets
        raise UsageError(f"{source} is no valid TOML: {error}.") from error
    return _validate(values, text, source)


def override(protocol: Protocol, **changes: Any) -> Protocol:
    """A copy of `protocol` with some values changed and everything validated again.

    Keys of the form ``training__epochs`` reach into a section.
    """
    values = {key.replace("__", "."): value for key, value in changes.items()}
    return with_keys(protocol, values, f"the protocol {protocol.name} with your changes")


def with_keys(protocol: Protocol, values: Mapping[str, Any], source: str) -> Protocol:
    """A copy of `protocol` with dotted keys set, such as ``split.policy``, and validated again.

    `UsageError` where there is no such key or a value does not fit; begins with `source`.
    """
    changed = protocol.model_dump()
    for key, value in values.items():
        *sections, field = key.split(".")
        place = changed
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise UsageError(f"{source}: the key {key} is unknown: {section} is no section.")
        place[field] = value
    return _validate(changed, "", source)


def _validate(values: Mapping[str, Any], text: str, source: str) -> Protocol:
    try:
        return Protocol.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    key, line = ".".join(location), _line_of(location, text)
    where = f"{source}, line {line}" if line else source
    if first["type"] == "extra_forbidden":
        section: Any = Protocol
        for part in location[:-1]:
            section = section.model_fields[part].annotation
        keys = tuple(section.model_fields)
        raise UsageError(
            f"{where}: the key {key} is unknown{did_you_mean(location[-1], keys)}: "
            f"take one of {', '.join(keys)}."
        )
    if first["type"] == "missing":
        raise UsageError(f"{where}: the key {key} is missing: add it.")
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    raise UsageError(f"{where}: {key} = {shortened(first['input'])} does not fit: {message}.")


def _line_of(location: list[str], text: str) -> int | None:
    """Number of the line that sets the key at `location`, searched from its section's head."""
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if head := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = [part.strip() for part in head[1].split(".")]
            if section == location:
                return number
        elif pair := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
            here = section + [part.strip("\"' ") for part in pair[1].split(".")]
            if here == location[: len(here)]:
                return number
    return None
