"""Where a run happened: versions, processor, memory, threads, commit; recorded once a run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from leukbench.records import Environment

PACKAGES = (
    "tensorflow",
    "keras",
    "scikit-learn",
    "opencv-python",
    "numpy",
    "scipy",
    "pandas",
    "joblib",
    "statsmodels",
    "scikit-posthocs",
    "pyarrow",
)


def describe_environment(bfloat16_speedup: Mapping[str, float] | None = None) -> Environment:
    """What the machine is, what is installed, and what was measured of it before."""
    return Environment(
        python=platform.python_version(),
        packages={name: version for name in PACKAGES if (version := package_version(name))},
        cpu=cpu_name(),
        cpu_features=tuple(sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})),
        bfloat16_speedup=dict(bfloat16_speedup or {}),
        cores=available_cores(),
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        os=f"{platform.system()} {platform.release()}",
        machine=machine_id(),
        git_commit=_git_commit(),
    )


@cache
def machine_id() -> str:
    """Short hash that is equal where times and memory may be compared: processor, cores, system."""
    text = "|".join((cpu_name(), str(available_cores()), platform.system(), platform.machine()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def total_memory_mb() -> float:
    """Memory of this machine, or what its container may take of it, MiB."""
    total = float(psutil.virtual_memory().total)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            total = min(total, float(Path("/sys/fs/cgroup", name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such limit, or the word max
            continue
    return total / 2**20


@cache
def cpu_name() -> str:
    """Model of the processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets of the processor, as Linux names them; empty elsewhere."""
    return frozenset(_cpuinfo("flags").split())


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def package_version(package: str) -> str | None:
    """Version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
