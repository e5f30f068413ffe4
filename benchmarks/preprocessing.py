"""From files to one array of small grey images: leukbench's stage against the plain loop."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from benchmarks.process import Settings, alternate, call
from benchmarks.result import TARGETS, Line, Outcome, ratios, seconds_of


def measure(settings: Settings) -> Outcome:
    """Both sides in turn in fresh processes; imports are counted on neither side.

    The files lie in the system's page cache for both. leukbench's own cache is empty when cold; a
    dataset's first reading, which hashes and checks every file, has a row of its own.
    """
    for path in sorted(settings.images.rglob("*")):
        if path.is_file():
            path.read_bytes()

    def own_side() -> dict[str, Any]:
        work: dict[str, Any] = {"cache": settings.fresh("cache"), "data": str(settings.images)}
        return {name: call("benchmarks.preprocessing:own", **work) for name in ("cold", "warm")}

    def plain_side() -> dict[str, Any]:
        return call("benchmarks.preprocessing:plain", data=str(settings.images))

    own, plain = alternate(own_side, plain_side, settings.repeats)
    digests = [side["sha256"] for side in plain] + [side["cold"]["sha256"] for side in own]
    if len(set(digests)) > 1:
        raise ValueError("the two sides did not make the same array")
    cold, warm = ([side[name]["stage"] for side in own] for name in ("cold", "warm"))
    read = [side["cold"]["read"] for side in own]
    last = own[0]["warm"]
    loop = [side["seconds"] for side in plain]
    both = [a + b for a, b in zip(read, cold, strict=True)]
    images = last["images"]
    return Outcome(
        [
            Line(
                f"{images} images, cold",
                ratios(loop, cold),
                "x",
                TARGETS["preprocessing cold"],
                f"{seconds_of('plain loop', loop)}, {seconds_of('leukbench', cold)}",
            ),
            Line(
                f"{images} images, cold, with the first reading (hash and check of every file)",
                ratios(loop, both),
                "x",
                None,
                f"{seconds_of('leukbench', both)}; the plain loop checks nothing",
            ),
            Line(
                f"{images} images, warm, the first batch of 64 included",
                tuple(warm),
                "s",
                TARGETS["preprocessing warm"],
                f"{last['resident_mb']:.1f} MiB became resident, the array has "
                f"{last['array_mb']:.1f} MiB: pages are read as they are used",
            ),
        ],
        ["Both sides gave the same array, byte for byte. The files were in the page cache."],
    )


def own(data: str) -> dict[str, Any]:
    """Read the folder, then leukbench's stage and a first batch."""
    from leukbench.data.folder import load_folder
    from leukbench.data.preprocess import preprocess_dataset
    from leukbench.protocol import load_protocol

    settings = load_protocol("paper").preprocessing
    begun = time.perf_counter()
    dataset = load_folder(Path(data))
    read = time.perf_counter()
    before = _resident_mb()
    array = preprocess_dataset(dataset, settings)
    batch = array[:64].copy()
    ended = time.perf_counter()
    resident = _resident_mb() - before
    return {
        "images": len(dataset),
        "read": read - begun,
        "stage": ended - read,
        "resident_mb": resident - batch.nbytes / 2**20,
        "array_mb": array.nbytes / 2**20,
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }


def plain(data: str) -> dict[str, Any]:
    """The plain script's loop."""
    from benchmarks.plain_script import load_images

    begun = time.perf_counter()
    images, _ = load_images(Path(data))
    return {
        "seconds": time.perf_counter() - begun,
        "sha256": hashlib.sha256(images.tobytes()).hexdigest(),
    }


def _resident_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20
