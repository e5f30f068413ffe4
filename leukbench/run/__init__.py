"""How trials are carried out. The room can be called: ``leukbench.run(...)`` is `leukbench.api.run`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukbench.api import Run


class _Room(ModuleType):
    """A package whose name is also the verb."""

    def __call__(self, *arguments: Any, **options: Any) -> Run:
        """Compare models on one folder of images; see `leukbench.api.run`."""
        from leukbench.api import run

        return run(*arguments, **options)


sys.modules[__name__].__class__ = _Room
