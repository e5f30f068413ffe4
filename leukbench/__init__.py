"""leukbench: the referee for leukaemia image classifiers."""

from leukbench._version import __version__

__all__ = ["__version__"]
