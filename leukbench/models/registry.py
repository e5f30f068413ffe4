"""Who competes: the names of all models, and how to make a fresh estimator of each.

Nothing heavy is imported here, nor by the specs: a model's file is read for its ``SPEC`` (or
``SPECS``) alone, and Keras or scikit-learn come in when an estimator is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, get_args

from leukbench.errors import UsageError, did_you_mean

Family = Literal["deep", "classical", "ensemble", "control", "reference", "probe"]
Framework = Literal["keras", "sklearn"]
Kernels = Literal["dense", "depthwise"]

ENTRY_POINT_GROUP = "leukbench.models"

# The built-in models in the order of the tables. A new file is named here once.
BUILT_IN_MODULES = (
    "leukbench.models.modified_cnn",
    "leukbench.models.vgg",
    "leukbench.models.alexnet",
    "leukbench.models.googlenet",
    "leukbench.models.mobilenet",
    "leukbench.models.hybrid",
    "leukbench.models.classical",
    "leukbench.models.ensembles",
    "leukbench.models.histogram_trees",
    "leukbench.models.leuknet",
    "leukbench.models.controls",
    "leukbench.models.native",
    "leukbench.models.efficientnet_lite0",
    "leukbench.models.shortcut_probes",
)


PAPER_TABLE = "Keerthivasan and Saranya 2023, Table 1"
QUOTED_IN_PAPER = f"{PAPER_TABLE}; from another paper and other data"


@dataclass(frozen=True)
class Published:
    """The values that a paper prints for a model, character by character, percent or fraction.

    None where the paper prints nothing.
    """

    accuracy: str | None
    precision: str | None = None
    recall: str | None = None
    specificity: str | None = None
    f1: str | None = None
    source: str = ""
    """Where they are printed."""
    same_data: bool = False
    """Whether they were measured on the data set that the paper's own model was measured on."""


@dataclass(frozen=True)
class ModelSpec:
    """What is known of a model before it is made."""

    name: str
    """The name on the command line."""
    title: str
    """The name in tables."""
    family: Family
    """The kind of model. A probe does not compete: the protocol says whether it runs."""
    target: str
    """``"module:factory"``; the factory takes the estimator's parameters by name and returns a fresh,
    unfitted scikit-learn classifier over images."""
    reference: str
    """Where the model was first described."""
    framework: Framework
    """What trains it. A Keras model takes ``epochs``, ``batch_size`` and ``precision``."""
    recipe: str
    """One line: how it is trained."""
    published: Published | None = None
    departures: tuple[str, ...] = ()
    """Every difference from the architecture of the reference, a sentence each."""
    kernels: Kernels = "dense"
    """What a network spends most of its time in; the precision ``auto`` follows how fast bfloat16 is
    for it on the machine."""
    native: bool = False
    """Whether it resizes images to the size of the original publication."""
    reads: str = "images"
    """``images`` (preprocessed), or one of `leukbench.data.shortcuts.SHORTCUTS`."""
    deterministic: bool = False
    """Whether the seed changes nothing: one trial a fold, with the factory's own parameters."""
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """What a protocol may change under ``[options.NAME]``, with the value of the recipe; the factory
    takes them by name."""
    starts_from: str = ""
    """Trained weights that it always starts from: what they are called, and the sha256 of their file."""
    frozen: bool = False
    """Whether those weights stay as they are, and only what follows them is fitted."""
    needs: tuple[str, str] | None = None
    """A package that it needs beside those of leukbench, and the extra that installs it."""
    adapter_version: int = 1
    """Raised when a change makes earlier trials of this model no longer comparable."""

    def __post_init__(self) -> None:
        for name, allowed in (("family", Family), ("framework", Framework), ("kernels", Kernels)):
            value = getattr(self, name)
            if value not in get_args(allowed):
                *others, last = get_args(allowed)
                raise UsageError(
                    f"Model {self.name!r} has the {name} {value!r}: use {', '.join(others)} or {last}."
                )
        if self.target.count(":") != 1:
            raise UsageError(
                f"Model {self.name!r} has the target {self.target!r}: write it as module:factory."
            )

    @property
    def competes(self) -> bool:
        """False for a shortcut probe, which shows what a model's number is worth."""
        return self.family != "probe"

    @property
    def installed(self) -> bool:
        """Whether the package that it needs is there."""
        return self.needs is None or find_spec(self.needs[0]) is not None

    def require(self) -> None:
        """`UsageError` where the package that it needs is not there."""
        if not self.installed:
            raise UsageError(f"Model {self.name!r} {self.missing}.")

    @property
    def missing(self) -> str:
        """What it needs and how to install it; empty where it needs nothing of its own."""
        if self.needs is None:
            return ""
        package, extra = self.needs
        return (
            f"needs the package {package.replace('_', '-')}: install it with pip install "
            f'"leukbench[{extra}]"'
        )

    def changed_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a protocol's options that differ from the recipe.

        `UsageError` where the model has no such option, or the value is of another kind.

        Examples
        --------
        >>> get("modified_cnn").changed_options({"dropout": 0.25, "learning_rate": 0.001})
        {'dropout': 0.25}
        """
        changed = {}
        for name, value in values.items():
            key = f"options.{self.name}.{name}"
            if name not in self.options:
                raise UsageError(
                    f"The protocol's key {key} is unknown{did_you_mean(name, self.options)}: "
                    f"{self.name} has {', '.join(self.options) or 'no options'}."
                )
            default = self.options[name]
            kind = type(default)
            if kind is float and type(value) is int:
                value = float(value)
            if type(value) is not kind:
                raise UsageError(
                    f"The protocol's {key} = {value!r} does not fit: "
                    f"give a value like {default!r}, which is the recipe's."
                )
            if value != default:
                changed[name] = value
        return changed

    def recipe_with(self, parameters: Mapping[str, Any]) -> str:
        """The recipe, and which options a trial's parameters changed."""
        changed = [f"{name} {parameters[name]}" for name in self.options if name in parameters]
        return " ".join([self.recipe, *([f"Changed: {', '.join(changed)}."] if changed else [])])

    def factory(self) -> Callable[..., Any]:
        """Import the target and return the function that makes the estimator.

        `UsageError` where the module or the function cannot be found.
        """
        module, _, attribute = self.target.partition(":")
        try:
            factory = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"Model {self.name!r} cannot be made, its target {self.target!r} does not import "
                f"({error}): correct the target or install what it needs."
            ) from error
        if not callable(factory):
            raise UsageError(
                f"Model {self.name!r} cannot be made, {self.target!r} is not a function: "
                "name a function that returns an estimator."
            )
        return factory  # type: ignore[no-any-return]


def _specs_of(source: Any, origin: str) -> tuple[ModelSpec, ...]:
    if isinstance(source, ModelSpec):
        source = (source,)
    elif not isinstance(source, tuple | list):
        source = getattr(source, "SPECS", None) or (getattr(source, "SPEC", None),)
    if not source or not all(isinstance(spec, ModelSpec) for spec in source):
        raise UsageError(
            f"{origin} holds no model: give its module a SPEC (a ModelSpec) or SPECS (a tuple)."
        )
    return tuple(source)


@cache
def _registered() -> Mapping[str, ModelSpec]:
    registered: dict[str, ModelSpec] = {}
    origins: dict[str, str] = {}

    def add(source: object, origin: str) -> None:
        for spec in _specs_of(source, origin):
            if spec.name in registered:
                raise UsageError(
                    f"Two models are called {spec.name!r}, one in {origins[spec.name]} and one in "
                    f"{origin}: rename one, or uninstall its package."
                )
            registered[spec.name] = spec
            origins[spec.name] = origin

    for module in BUILT_IN_MODULES:
        add(import_module(module), module)
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda one: one.value):
        try:
            loaded = entry.load()
        except Exception as error:
            raise UsageError(
                f"The plug-in {entry.name!r} ({entry.value}) does not load ({error}): "
                "repair or uninstall it."
            ) from error
        add(loaded, f"the plug-in {entry.name!r}")
    return MappingProxyType(registered)


def names() -> tuple[str, ...]:
    """Names of all models that compete, in the order of the tables."""
    return tuple(spec.name for spec in specs())


def specs() -> tuple[ModelSpec, ...]:
    """Specs of all models that compete, in the order of the tables."""
    return tuple(spec for spec in _registered().values() if spec.competes)


def probes() -> tuple[ModelSpec, ...]:
    """Specs of the shortcut probes, in the order of the tables."""
    return tuple(spec for spec in _registered().values() if not spec.competes)


def get(name: str) -> ModelSpec:
    """The spec of one model or shortcut probe.

    `UsageError` where there is no such model; the sentence names the nearest ones.

    Examples
    --------
    >>> get("modified_cnn").title
    'Modified CNN'
    """
    registered = _registered()
    if name in registered:
        return registered[name]
    raise UsageError(
        f"There is no model {name!r}{did_you_mean(name.replace('-', '_'), registered)}: "
        f"choose from {', '.join(names())}."
    )


def create(name: str, **params: Any) -> Any:
    """Make a fresh, unfitted scikit-learn classifier over uint8 images (n, height, width, channels).

    ``params`` are the estimator's, such as ``random_state``, or ``epochs`` for a network.

    `UsageError` where there is no such model, or it does not take a parameter.
    """
    spec = get(name)
    try:
        return spec.factory()(**params)
    except TypeError as error:
        message = f"Model {name!r} cannot be made so ({error}): correct the option."
        raise UsageError(message) from error
