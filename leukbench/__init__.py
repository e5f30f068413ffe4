"""leukbench: the referee for leukaemia image classifiers.

The public names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leukbench._version import __version__

if TYPE_CHECKING:
    from leukbench.api import Run, run, score_predictions
    from leukbench.errors import LeukbenchError
    from leukbench.models.registry import ModelSpec, Published
    from leukbench.multiverse import run_multiverse
    from leukbench.protocol import Protocol, load_protocol

__all__ = [
    "LeukbenchError",
    "ModelSpec",
    "Protocol",
    "Published",
    "Run",
    "__version__",
    "load_protocol",
    "run",
    "run_multiverse",
    "score_predictions",
]

_MODULES = {
    "LeukbenchError": "leukbench.errors",
    "ModelSpec": "leukbench.models.registry",
    "Protocol": "leukbench.protocol",
    "Published": "leukbench.models.registry",
    "Run": "leukbench.api",
    "load_protocol": "leukbench.protocol",
    "run": "leukbench.api",
    "run_multiverse": "leukbench.multiverse",
    "score_predictions": "leukbench.api",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'leukbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
