"""Get known datasets through the packages that know how (extra ``leukbench[data]``)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from leukbench.data.catalog import CatalogEntry, get_entry
from leukbench.data.npz import unpack_npz
from leukbench.errors import DataError, UsageError
from leukbench.files import writable_cache


def fetch_dataset(name: str, out: Path | None = None) -> Path:
    """Download a dataset of the catalogue to `out` or the cache, and return the folder of its images.

    Raises
    ------
    UsageError
        Where the dataset is unknown, or the package that fetches it is not installed.
    DataError
        Where it cannot be downloaded; the sentence says how to get it by hand.
    """
    entry = get_entry(name)
    kind, _, source = entry.fetch.partition(":")
    folder = out or writable_cache("datasets", name)
    if kind == "kaggle":
        return _from_kaggle(entry, source, out)
    if kind == "medmnist":
        return _from_medmnist(entry, source, folder)
    raise UsageError(f"{name} is not downloaded: {entry.by_hand}.")


def _from_kaggle(entry: CatalogEntry, source: str, out: Path | None) -> Path:
    try:
        import kagglehub
    except ImportError as error:
        raise _needs_extra("kagglehub", entry) from error
    try:
        found = Path(kagglehub.dataset_download(source))
    except Exception as error:
        raise _by_hand(entry, error) from error
    if out is not None:
        shutil.copytree(found, out, dirs_exist_ok=True)
        return out
    return found


def _from_medmnist(entry: CatalogEntry, source: str, folder: Path) -> Path:
    try:
        import medmnist
    except ImportError as error:
        raise _needs_extra("medmnist", entry) from error
    target = folder / entry.name
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as work:
        try:
            loader = getattr(medmnist, medmnist.INFO[source]["python_class"])
            loader(split="train", download=True, root=work)
        except Exception as error:
            raise _by_hand(entry, error) from error
        return unpack_npz(Path(work) / f"{source}.npz", target)


def _needs_extra(package: str, entry: CatalogEntry) -> UsageError:
    return UsageError(
        f"Fetching {entry.name} needs the package {package}: pip install 'leukbench[data]', or "
        f"{entry.by_hand}."
    )


def _by_hand(entry: CatalogEntry, error: Exception) -> DataError:
    cause = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return DataError(f"{entry.name} could not be downloaded ({cause}): {entry.by_hand}.")
