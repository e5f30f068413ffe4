"""Whether networks are trained on a GPU, and on which one.

TensorFlow is asked, in a process of its own, only where something speaks for a GPU, so that a machine
without one loses no time. That it could not be asked is told, and never taken for "there is none".
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from leukbench.errors import UsageError
from leukbench.machine import package_version

Setting = Literal["auto", "cpu", "gpu"]
SIGNS = ("proc/driver/nvidia/version", "dev/nvidia[0-9]*", "dev/nvhost-gpu", "dev/dxg", "dev/kfd")
"""Files of the drivers of NVIDIA (also Jetson and WSL) and AMD, below `ROOT`."""
ROOT = Path("/")
CHOOSERS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
"""Environment variables that choose among GPUs; -1 hides them all."""
_LIMIT_SECONDS = 180.0


@dataclass(frozen=True)
class Found:
    """Names of the GPUs that TensorFlow sees, and why there is none, where that needs a word."""

    names: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Device:
    """What networks are trained on: the name of a GPU, or nothing for the processor; and why."""

    gpu: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The device in words.

        >>> Device("NVIDIA L4", "the first of 2").sentence, Device().sentence
        ('GPU NVIDIA L4 (the first of 2)', 'processor')
        """
        name = f"GPU {self.gpu}" if self.gpu else "processor"
        return name + (f" ({self.reason})" if self.reason else "")


def choose_device(setting: Setting, backend: str, *, networks: bool) -> Device:
    """The device of a run's networks; ``auto`` looks for a GPU only where there are `networks`.

    Raises
    ------
    UsageError
        Where a GPU is asked for and there is none, or trials go to Dask workers.
    """
    if backend == "dask":
        if setting == "gpu":
            raise UsageError(
                "`device=gpu` is for trials on this machine: leave `backend` out to use its GPU, or "
                "`device` to run on the processors of the Dask workers."
            )
        return Device(reason="Dask workers use no GPU")
    if setting == "cpu" or (setting == "auto" and not networks):
        return Device()
    found = find_gpus()
    if found.names:
        others = len(found.names) - 1
        first = f"the first of {len(found.names)}; {CHOOSERS[0]} chooses another" if others else ""
        return Device(found.names[0], first)
    if setting == "gpu":
        raise UsageError(
            f"`device=gpu` does not fit: {found.problem or 'this machine has no driver of a GPU'}; "
            "or take `device=cpu`."
        )
    return Device(reason=found.problem)


@cache
def find_gpus() -> Found:
    """The GPUs that TensorFlow sees on this machine; looks once a process."""
    for name in CHOOSERS:
        if hides_all(os.environ.get(name)):
            return Found(problem=f"{name} hides all GPUs: unset it to use one")
    sign = _sign(os.environ)
    if not sign:
        return Found()
    try:
        names = _ask_tensorflow()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError) as error:
        return Found(
            problem=f"{sign} speaks for a GPU, but TensorFlow could not be asked ({_short(error)}): "
            "see that import tensorflow works in Python"
        )
    if not names:
        return Found(
            problem=f"{sign} speaks for a GPU, but TensorFlow sees none: install the build for it, "
            'as with pip install "tensorflow[and-cuda]"'
        )
    return Found(names)


def hides_all(value: str | None) -> bool:
    """Whether a value of `CHOOSERS` leaves no GPU: the list ends at the first that is none.

    >>> [hides_all(value) for value in (None, "", "-1", "0,1", "NoDevFiles")]
    [False, True, True, False, True]
    """
    return value is not None and value.split(",")[0].strip() in ("", "-1", "NoDevFiles")


def gpu_environment(gpu: str) -> dict[str, str]:
    """Variables of a trial's process: a `gpu` as the user set it, its memory as needed; else none."""
    return {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if gpu else dict.fromkeys(CHOOSERS, "-1")


def settle_tensorflow(gpu: str) -> None:
    """Let TensorFlow in this process compute on the `gpu` of this name alone, or on none.

    On a GPU operations are deterministic, and float32 is float32, not TensorFloat-32.

    Raises
    ------
    RuntimeError
        Where TensorFlow does not see that GPU here.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpu and (not gpus or _name(gpus[0]) != gpu):
        seen = f"the GPU {_name(gpus[0])}" if gpus else "no GPU"
        raise RuntimeError(
            f"TensorFlow saw the GPU {gpu} when the run began, and {seen} in this trial: "
            "run again, or on the processor"
        )
    if gpus:  # with Metal there is one that no variable hides
        tf.config.set_visible_devices(gpus[:1] if gpu else [], "GPU")
    if gpu:
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)


def _sign(environment: Mapping[str, str]) -> str:
    """What speaks for a GPU; empty where nothing does."""
    for name in CHOOSERS:
        if name in environment:
            return f"{name}={environment[name]}"
    for pattern in SIGNS:
        for path in ROOT.glob(pattern):
            return str(path)
    if platform.system() == "Darwin" and package_version("tensorflow-metal"):
        return "the package tensorflow-metal"
    return ""


def _ask_tensorflow() -> tuple[str, ...]:
    done = subprocess.run(
        [sys.executable, "-m", "leukbench.trials.device"],
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return tuple(str(name) for name in json.loads(done.stdout.splitlines()[-1]))


def _short(error: Exception) -> str:
    """An error in a few words; of a process, the last line that it wrote."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer in {_LIMIT_SECONDS:.0f} s"
    written = (getattr(error, "stderr", "") or "").strip().splitlines()
    return (written[-1] if written else str(error) or type(error).__name__)[:200]


def _name(gpu: object) -> str:
    """What TensorFlow calls a GPU, as in NVIDIA A100-SXM4-40GB."""
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(gpu)
    return str(details.get("device_name") or getattr(gpu, "name", "of unknown name"))


def _seen_here() -> list[str]:
    import tensorflow as tf

    return [_name(gpu) for gpu in tf.config.list_physical_devices("GPU")]


if __name__ == "__main__":
    print(json.dumps(_seen_here()))
