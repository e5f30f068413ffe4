"""How a network's file states its recipe, without importing Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukbench.models.training.keras_classifier import KerasClassifier


def network_factory(
    layers: str, *, layer_options: tuple[str, ...] = (), **recipe: Any
) -> Callable[..., KerasClassifier]:
    """A factory of untrained networks, each with the recipe but for what the caller changes.

    ``layers`` and ``recipe`` are parameters of
    `leukbench.models.training.keras_classifier.KerasClassifier`; what ``layer_options`` names is handed
    on to ``layers``.
    """

    def make(**changes: Any) -> KerasClassifier:
        from leukbench.models.training.keras_classifier import KerasClassifier

        own = {name: changes.pop(name) for name in layer_options if name in changes}
        parameters = {**recipe, **changes}
        if own:
            parameters["options"] = {**(parameters.get("options") or {}), **own}
        return KerasClassifier(layers, **parameters)

    return make
