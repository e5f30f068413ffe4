"""Who competes: the names of all models, and how to make a fresh estimator of each.

Nothing heavy is imported here, nor by the specs: a model's file is read for its ``SPEC`` (or
``SPECS``) alone, and Keras or scikit-learn come in when an estimator is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
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
    "leukbench.models.shortcut_probes",
)


@dataclass(frozen=True)
class Published:
    """The values that a paper prints for a model, character by character.

    Attributes
    ----------
    accuracy, precision, recall, specificity, f1 : str or None
        As printed, whether percent or fraction; None where the paper prints nothing.
    source : str
        Where they are printed.
    same_data : bool
        True where they were measured on the data set that the paper's own model was measured on.
    """

    accuracy: str | None
    precision: str | None = None
    recall: str | None = None
    specificity: str | None = None
    f1: str | None = None
    source: str = ""
    same_data: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """What is known of a model before it is made.

    Attributes
    ----------
    name : str
        The name on the command line.
    title : str
        The name in tables.
    family : {"deep", "classical", "ensemble", "control", "reference", "probe"}
        The kind of model. A probe does not compete: the protocol says whether it runs.
    target : str
        ``"module:factory"``; the factory takes the estimator's parameters by name and returns a
        fresh, unfitted scikit-learn classifier over images.
    reference : str
        Where the model was first described.
    framework : {"keras", "sklearn"}
        What trains it. A Keras model takes ``epochs``, ``batch_size`` and ``precision``.
    recipe : str
        One line: how it is trained.
    published : Published or None
        Published values; None means "not reported".
    departures : tuple of str
        Every difference from the architecture of the reference, a sentence each.
    kernels : {"dense", "depthwise"}
        What a network spends most of its time in; the precision ``auto`` follows how fast bfloat16
        is for it on the machine.
    native : bool
        True for a variant that resizes to the size of the original publication.
    reads : str
        ``images`` (preprocessed), or one of `leukbench.data.shortcuts.SHORTCUTS`.
    deterministic : bool
        True where the seed changes nothing: one trial a fold, with the factory's own parameters.
    adapter_version : int
        Raised when a change makes earlier trials of this model no longer comparable.
    """

    name: str
    title: str
    family: Family
    target: str
    reference: str
    framework: Framework
    recipe: str
    published: Published | None = None
    departures: tuple[str, ...] = ()
    kernels: Kernels = "dense"
    native: bool = False
    reads: str = "images"
    deterministic: bool = False
    adapter_version: int = 1

    def __post_init__(self) -> None:
        for field, allowed in (("family", Family), ("framework", Framework), ("kernels", Kernels)):
            value = getattr(self, field)
            if value not in get_args(allowed):
                *others, last = get_args(allowed)
                raise UsageError(
                    f"Model {self.name!r} has the {field} {value!r}: use {', '.join(others)} or {last}."
                )
        if self.target.count(":") != 1:
            raise UsageError(
                f"Model {self.name!r} has the target {self.target!r}: write it as module:factory."
            )

    @property
    def competes(self) -> bool:
        """False for a shortcut probe, which shows what a model's number is worth."""
        return self.family != "probe"

    def factory(self) -> Callable[..., Any]:
        """Import the target and return the function that makes the estimator.

        Raises
        ------
        UsageError
            Where the module or the function cannot be found.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"Model {self.name!r} cannot be made, its target {self.target!r} does not import "
                f"({error}): correct the target or install what it needs."
            ) from error
        if not callable(found):
            raise UsageError(
                f"Model {self.name!r} cannot be made, {self.target!r} is not a function: "
                "name a function that returns an estimator."
            )
        return found  # type: ignore[no-any-return]


def _specs_of(source: object, origin: str) -> tuple[ModelSpec, ...]:
    """The specs in a module, or in what an entry point names."""
    if isinstance(source, ModelSpec):
        found: tuple[Any, ...] = (source,)
    elif isinstance(source, tuple | list):
        found = tuple(source)
    else:
        found = tuple(getattr(source, "SPECS", ())) or (getattr(source, "SPEC", None),)
    if not found or not all(isinstance(spec, ModelSpec) for spec in found):
        raise UsageError(
            f"{origin} holds no model: give its module a SPEC (a ModelSpec) or SPECS (a tuple)."
        )
    return found


@cache
def _registered() -> Mapping[str, ModelSpec]:
    found: dict[str, ModelSpec] = {}
    origins: dict[str, str] = {}

    def add(source: object, origin: str) -> None:
        for spec in _specs_of(source, origin):
            if spec.name in found:
                raise UsageError(
                    f"Two models are called {spec.name!r}, one in {origins[spec.name]} and one in "
                    f"{origin}: rename one, or uninstall its package."
                )
            found[spec.name] = spec
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
    return MappingProxyType(found)


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

    Raises
    ------
    UsageError
        Where there is no such model; the sentence names the nearest ones.

    Examples
    --------
    >>> get("modified_cnn").title
    'Modified CNN'
    """
    known = _registered()
    if name in known:
        return known[name]
    raise UsageError(
        f"There is no model {name!r}{did_you_mean(name.replace('-', '_'), known)}: "
        f"choose from {', '.join(names())}."
    )


def create(name: str, **params: Any) -> Any:
    """Make a fresh, unfitted estimator.

    Parameters
    ----------
    name : str
        A registered name.
    **params
        Parameters of the estimator, such as ``random_state``, or ``epochs`` for a network.

    Returns
    -------
    estimator
        A scikit-learn classifier over uint8 images of shape ``(n, height, width, channels)``.

    Raises
    ------
    UsageError
        Where there is no such model, or it does not take a parameter.
    """
    spec = get(name)
    try:
        return spec.factory()(**params)
    except TypeError as error:
        raise UsageError(f"Model {name!r} cannot be made so ({error}): correct the option.") from (
            error
        )
