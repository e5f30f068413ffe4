"""Which number format each network is trained in, chosen openly."""

from __future__ import annotations

from leukbench.models.registry import ModelSpec
from leukbench.trials.precision import bfloat16_speedups

FLOAT32 = "float32"
BFLOAT16 = "mixed_bfloat16"
WORTHWHILE = 1.1
"""Least measured speed-up for which ``auto`` leaves float32."""


def resolve_precision(spec: ModelSpec, setting: str) -> str:
    """The precision of a model's trials: the protocol's, or under ``auto`` the faster one.

    Under ``auto`` it is what was measured on this machine for the kernels that the model spends its
    time in (`leukbench.trials.precision`).

    Returns
    -------
    str
        ``"float32"`` or ``"mixed_bfloat16"``; empty for models that know no choice.
    """
    if spec.framework != "keras":
        return ""
    if setting != "auto":
        return setting
    faster = bfloat16_speedups().get(spec.kernels, 0.0) >= WORTHWHILE
    return BFLOAT16 if faster else FLOAT32
