"""What is varied: a definition in TOML, and the universes that it spans."""

from __future__ import annotations

import itertools
import math
import random
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from leukbench.errors import LeukbenchError, UsageError, did_you_mean
from leukbench.models import registry
from leukbench.protocol import (
    OptionValue,
    Protocol,
    canonical_sha256,
    load_protocol,
    with_keys,
)

COPIES = "copies"
"""Name of the choice among copies of the images."""
MOST = 20_000
"""Combinations that a definition may span, sampled or not."""
_LONGEST = 80
_NO_CHOICE = ("name", "title", "description", "models", "seeds")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedCount(_Frozen):
    """A published accuracy as counts, which Wilson's interval needs."""

    name: str = "published"
    model: str
    correct: int = Field(ge=0)
    total: int = Field(ge=1)
    source: str
    """Where it is printed."""
    recall: dict[str, float] = {}
    """Published recall of classes, as fractions; left out where none is printed."""

    @field_validator("recall")
    @classmethod
    def _fractions(cls, value: dict[str, float]) -> dict[str, float]:
        if not all(0 <= one <= 1 for one in value.values()):
            raise ValueError("must be fractions from 0 to 1")
        return value

    @field_validator("total")
    @classmethod
    def _enough(cls, value: int, info: Any) -> int:
        if value < info.data.get("correct", 0):
            raise ValueError("must be at least correct")
        return value


class Definition(_Frozen):
    """Content of a ``multiverse.toml``."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the multiverse and of its folder."""
    title: str = ""
    """In tables and on the page."""
    description: str = ""
    """What it is for."""
    protocol: str
    """Name or TOML file (relative to this one) of the protocol that is varied."""
    models: tuple[str, ...] = ()
    """Models that are trained in every universe; the protocol's where left out."""
    seeds: tuple[int, ...] = (0,)
    """Each model is trained once with each."""
    sample: int | None = Field(default=None, ge=1)
    """So many universes drawn at random; left out, all combinations."""
    sample_seed: int = Field(default=0, ge=0)
    """Seed of the drawing."""
    copies: dict[str, str] = {}
    """Copies of the images: a name and a folder, relative to that of the data."""
    vary: dict[str, tuple[OptionValue, ...]] = {}
    """Keys of the protocol with dots, such as ``"split.policy"``, and the values that each takes."""
    published: PublishedCount | None = None
    """A published accuracy, drawn as a band."""

    @field_validator("vary")
    @classmethod
    def _choices(
        cls, value: dict[str, tuple[OptionValue, ...]]
    ) -> dict[str, tuple[OptionValue, ...]]:
        for key, values in value.items():
            if key.split(".")[0] in _NO_CHOICE:
                raise ValueError(f"{key} is no choice of an analysis: leave it out")
            if not values or len({(type(one), one) for one in values}) < len(values):
                raise ValueError(f"{key} must be a list of different values")
        return value

    @property
    def choices(self) -> dict[str, tuple[OptionValue, ...]]:
        """Everything that is varied, the copies of the images first."""
        return ({COPIES: tuple(self.copies)} if self.copies else {}) | self.vary

    @property
    def combinations(self) -> int:
        """How many there are."""
        return math.prod(map(len, self.choices.values()))


@dataclass(frozen=True)
class Universe:
    """One combination of choices; `protocol` is None and `fault` says why where it is impossible."""

    name: str
    choices: Mapping[str, OptionValue]
    protocol: Protocol | None
    fault: str = ""


@dataclass(frozen=True)
class Defined:
    """A definition as it was read: its text, the protocol that it varies, its models and universes."""

    definition: Definition
    text: str
    base: Protocol
    models: tuple[str, ...]
    universes: tuple[Universe, ...]


def read_definition(path: Path) -> Defined:
    """Read a definition; `UsageError` where it cannot be read or does not fit: names the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read as UTF-8 text ({error}): name a definition of a multiverse."
        ) from error
    definition = parse_definition(text, str(path))
    name = definition.protocol
    if name.endswith(".toml") or "/" in name:
        name = str(path.parent / name)
    return defined(definition, text, load_protocol(name))


def parse_definition(text: str, source: str) -> Definition:
    """Validate the TOML text of a definition."""
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, 5000 brackets
        raise UsageError(f"{source} is no valid TOML: {error}.") from error
    try:
        return Definition.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        keys = tuple((PublishedCount if len(first["loc"]) > 1 else Definition).model_fields)
        raise UsageError(
            f"{source}: the key {key} is unknown{did_you_mean(str(first['loc'][-1]), keys)}: "
            f"take one of {', '.join(keys)}."
        )
    message = first["msg"].removeprefix("Value error, ")
    raise UsageError(f"{source}: {key} does not fit: {message[:1].lower()}{message[1:]}.")


def defined(definition: Definition, text: str, base: Protocol) -> Defined:
    """Span the universes of a definition.

    `UsageError` where a model is unknown, there are more than `MOST` combinations, or a value fits
    in no universe at all. A value that does not fit in some leaves the others standing.
    """
    models = definition.models or base.models
    for name in models:
        if not registry.get(name).competes:
            raise UsageError(f"`models={name}` is a shortcut probe: name models that compete.")
    if not models:
        raise UsageError(f"{definition.name} names no models: add models = [...].")
    if definition.published and definition.published.model not in models:
        raise UsageError(
            f"{definition.name}: published.model = {definition.published.model!r} is none of the "
            f"models {', '.join(models)}: name one of them."
        )
    if definition.combinations > MOST:
        raise UsageError(
            f"{definition.name} spans {definition.combinations} universes, more than {MOST}: vary "
            "fewer keys."
        )
    universes = _named(
        [
            _universe(definition, base, dict(zip(definition.choices, values, strict=True)))
            for values in itertools.product(*definition.choices.values())
        ]
    )
    _require_possible(definition, universes)
    if definition.sample is not None and definition.sample < len(universes):
        drawn = random.Random(definition.sample_seed).sample(
            range(len(universes)), definition.sample
        )
        universes = [universes[number] for number in sorted(drawn)]
    return Defined(definition, text, base, models, tuple(universes))


def _universe(
    definition: Definition, base: Protocol, choices: Mapping[str, OptionValue]
) -> Universe:
    values = {key: value for key, value in choices.items() if key != COPIES}
    said = ", ".join(f"{key} {value_text(value)}" for key, value in choices.items())
    slug = "_".join(re.sub(r"[^A-Za-z0-9.]+", "-", value_text(one)) for one in choices.values())
    name = slug.strip("._-") or "base"
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}-{_digest(choices)}"
    try:
        changed = with_keys(base, values, definition.name)
        options = {
            model: kept
            for model, given in changed.options.items()
            if (kept := registry.get(model).changed_options(given))
        }
        named = {"options": options, "name": f"{base.name}-{name}", "title": said or base.title}
        return Universe(name, choices, with_keys(changed, named, definition.name))
    except LeukbenchError as error:
        return Universe(name, choices, None, str(error))


def _named(universes: list[Universe]) -> list[Universe]:
    """Universes whose names differ: those that read the same get a hash."""
    times = Counter(one.name.casefold() for one in universes)
    return [
        one
        if times[one.name.casefold()] == 1
        else Universe(f"{one.name}-{_digest(one.choices)}", one.choices, one.protocol, one.fault)
        for one in universes
    ]


def _digest(choices: Mapping[str, OptionValue]) -> str:
    return canonical_sha256(choices)[:8]


def _require_possible(definition: Definition, universes: list[Universe]) -> None:
    """Refuse a value that fits nowhere: it is a slip, not a combination that cannot be."""
    groups = [universes] + [
        [one for one in universes if one.choices[key] is value]
        for key, values in definition.choices.items()
        for value in values
    ]
    for group in groups:
        if all(one.protocol is None for one in group):
            raise UsageError(group[0].fault)


def value_text(value: OptionValue) -> str:
    """A value as TOML writes it, text without quotes.

    >>> value_text(True), value_text(0.25), value_text("grey")
    ('true', '0.25', 'grey')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)
