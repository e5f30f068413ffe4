"""What the audit keeps of each image: one pass over the files, in parallel, each decoded once."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from leukbench.audit.hashes import cosine_coefficients, oriented_hashes, sign_hashes
from leukbench.data.dataset import Dataset
from leukbench.data.decode import decode_image, image_bytes, read_image

THUMBNAIL = 32
WORKING_SIDE = 256
PATCH_SAMPLES = 16
KEYPOINTS = 120
_CONTRAST = 2.0
_BATCH = 32

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Described:
    """Arrays over the images of a dataset, shape ``(n,)``, and over the keypoints of all, ``(k,)``."""

    pixels: tuple[str, ...]
    """Hash of size and decoded pixels of each image."""
    properties: dict[str, tuple[str, ...]]
    """What a file says without its pixels: size, format, colour mode, encoder settings."""
    hashes: NDArray[np.uint64]
    """Perceptual hash under the eight orientations, shape ``(n, 8)``."""
    flat: NDArray[np.bool_]
    """Whether the image has next to no contrast."""
    thumbnails: NDArray[np.float16]
    """The image at 32x32 without its illumination, as a unit vector, shape ``(n, 1024)``."""
    owner: NDArray[np.int32]
    """Image that each keypoint belongs to, ascending."""
    x: NDArray[np.int16]
    y: NDArray[np.int16]
    """Position of each keypoint in the working image, in pixels."""
    patches: NDArray[np.uint64]
    """Hash of the patch around each keypoint."""
    step: float
    """Distance between the samples of a patch, in pixels; see `choose_step`."""

    @property
    def keypoints(self) -> NDArray[np.int64]:
        """Number of keypoints of each image, shape ``(n,)``."""
        return np.bincount(self.owner, minlength=len(self.pixels))


def describe(dataset: Dataset, jobs: int = -1) -> Described:
    """Read every image once and keep what the audit compares; `jobs` threads, as joblib counts them."""
    step = choose_step(dataset)
    rows = Parallel(n_jobs=jobs, prefer="threads", batch_size=_BATCH)(
        delayed(_describe_one)(dataset, index, step) for index in range(len(dataset))
    )
    coefficients = np.stack([row.coefficients for row in rows])
    names = rows[0].properties
    return Described(
        pixels=tuple(row.pixels for row in rows),
        properties={name: tuple(row.properties[name] for row in rows) for name in names},
        hashes=oriented_hashes(coefficients),
        flat=np.array([row.flat for row in rows]),
        thumbnails=np.stack([row.thumbnail for row in rows]),
        owner=np.repeat(np.arange(len(rows), dtype=np.int32), [len(row.x) for row in rows]),
        x=np.concatenate([row.x for row in rows]),
        y=np.concatenate([row.y for row in rows]),
        patches=np.concatenate([row.patches for row in rows]),
        step=step,
    )


def choose_step(dataset: Dataset) -> float:
    """Pixels between the samples of a patch, from up to 32 evenly spaced images.

    A patch is 16 steps wide: about a fifth of the image's shorter side, at least 24 pixels.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, 32).astype(int))
    sides = [min(working_image(read_image(dataset.absolute(i))).shape) for i in chosen]
    return max(1.5, round(2 * float(np.median(sides)) / 75) / 2)


def working_image(image: NDArray[np.uint8]) -> Grey:
    """Grey image in which positions are measured: the longer side at most 256 pixels."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    factor = WORKING_SIDE / max(grey.shape)
    if factor < 1:
        size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, dtype=np.uint8)


def file_properties(data: bytes, shape: tuple[int, ...]) -> dict[str, str]:
    """Size, format, colour mode and encoder settings, as text, from a file's header."""
    kind = mode = encoder = "unknown"
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind, mode = picture.format or kind, picture.mode
            encoder = str(picture.info.get("compression", kind))
            if isinstance(picture, JpegImagePlugin.JpegImageFile):
                tables = repr(sorted(picture.quantization.items())).encode()
                sampling = JpegImagePlugin.get_sampling(picture)
                progressive = "progressive" if "progressive" in picture.info else "baseline"
                name = hashlib.sha256(tables).hexdigest()[:8]
                encoder = f"JPEG {progressive}, sampling {sampling}, quantisation {name}"
    except Exception:  # Pillow raises whatever a damaged file leads to
        pass  # OpenCV could decode it; what Pillow cannot name stays unknown
    return {
        "image size": f"{shape[1]}x{shape[0]}",
        "file format": kind,
        "colour mode": mode,
        "encoder settings": encoder,
    }


@dataclass(frozen=True)
class _Row:
    pixels: str
    properties: dict[str, str]
    coefficients: NDArray[np.float32]
    flat: bool
    thumbnail: NDArray[np.float16]
    x: NDArray[np.int16]
    y: NDArray[np.int16]
    patches: NDArray[np.uint64]


def _describe_one(dataset: Dataset, index: int, step: float) -> _Row:
    path = dataset.absolute(index)
    data = image_bytes(path)
    image = decode_image(data, path)
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    grey = working_image(image)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    x, y, patches = keypoint_hashes(grey, step)
    return _Row(
        pixels=digest.hexdigest(),
        properties=file_properties(data, image.shape),
        coefficients=cosine_coefficients(small[None].astype(np.float32))[0],
        flat=bool(small.std() < _CONTRAST),
        thumbnail=unit_thumbnail(small),
        x=x,
        y=y,
        patches=patches,
    )


def unit_thumbnail(small: Grey) -> NDArray[np.float16]:
    """A thumbnail less its blur over an eighth of its side, as a vector of length one."""
    plain = small.astype(np.float32)
    vector = (plain - cv2.GaussianBlur(plain, (0, 0), THUMBNAIL / 8)).ravel()
    vector -= vector.mean()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float16)


def keypoint_hashes(
    grey: Grey, step: float
) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.uint64]]:
    """Positions that are seen again in a shifted field, in pixels, and a hash of the patch around each.

    Keypoints are the strongest extrema of a difference of Gaussians at one scale (Lowe 2004,
    doi:10.1023/B:VISI.0000029664.99615.94, section 3), whole patches only, at most `KEYPOINTS`.
    """
    half = int(np.ceil(step * PATCH_SAMPLES / 2))
    if min(grey.shape) < 2 * half + 1:
        return np.empty(0, np.int16), np.empty(0, np.int16), np.empty(0, np.uint64)
    plain = grey.astype(np.float32)
    fine = cv2.GaussianBlur(plain, (0, 0), step / 2)
    response = np.abs(fine - cv2.GaussianBlur(plain, (0, 0), step))
    window = np.ones((int(2 * step) + 1, int(2 * step) + 1), np.uint8)
    peak = (response >= cv2.dilate(response, window)) & (response > _CONTRAST)
    inside = np.zeros_like(peak)
    inside[half:-half, half:-half] = True
    y, x = np.nonzero(peak & inside)
    if len(y) > KEYPOINTS:
        strongest = np.argpartition(-response[y, x], KEYPOINTS)[:KEYPOINTS]
        y, x = y[strongest], x[strongest]
    offsets = np.round((np.arange(PATCH_SAMPLES) - (PATCH_SAMPLES - 1) / 2) * step).astype(int)
    rows, columns = y[:, None] + offsets, x[:, None] + offsets
    tiles = fine[rows[:, :, None], columns[:, None, :]]
    return x.astype(np.int16), y.astype(np.int16), sign_hashes(cosine_coefficients(tiles))
