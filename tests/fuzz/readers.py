"""Every reader of files from outside, as one function of bytes that may raise `LeukbenchError` alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from leukbench.audit.describe import file_properties
from leukbench.audit.findings import AuditReport
from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.data.decode import decode_image, describe_image
from leukbench.data.folder import synthetic_groups
from leukbench.data.npz import _read_parts
from leukbench.data.tables import read_facts
from leukbench.data.task import relabel
from leukbench.errors import LeukbenchError
from leukbench.multiverse.definition import parse_definition
from leukbench.protocol import load_protocol, parse_protocol
from leukbench.published.reading import read_tables
from leukbench.records import RunDescription, read_record, read_stored
from leukbench.robustness.properties import read_properties
from leukbench.runfolder import read_split, read_table
from leukbench.score.arrays import arrays_of
from leukbench.trials.status import read_status, status_lines

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "synthetic-smoke"


@dataclass(frozen=True)
class Reader:
    """A reader: what it does with the bytes of a file in a folder, and files that it reads well."""

    name: str
    read: Callable[[Path, bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    """What a mutation may put in."""

    def accepts(self, folder: Path, data: bytes) -> bool:
        """Read some bytes: whether they are accepted; anything but one printable sentence is a crash."""
        try:
            self.read(folder, data)
        except LeukbenchError as error:
            sentence = str(error)
            assert sentence.isprintable() and 10 < len(sentence) < 2000, sentence[:2000]
            return False
        return True


def stored(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and give its path."""
    path = folder / name
    path.write_bytes(data)
    return path


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def protocol(folder: Path, data: bytes) -> None:
    found = load_protocol(str(stored(folder, "own.toml", data)))
    assert len(found.fingerprint) == 64


def class_map(folder: Path, data: bytes) -> None:
    """The section [task] of a protocol, used on images of three classes."""
    found = parse_protocol('name = "x"\n[task]\n' + text(data), "own.toml")
    records = tuple(ImageRecord(f"{name}/1.png", name, "0") for name in "ABC")
    relabelled = relabel(Dataset("x", folder, records), found.task)
    assert 2 <= len(relabelled.classes) <= 3


def multiverse(folder: Path, data: bytes) -> None:
    parse_definition(text(data), "multiverse.toml")


def check_table(folder: Path, data: bytes) -> None:
    tables = read_tables(stored(folder, "table.csv", data))
    assert all(table.rows or table.classes for table in tables)


def labels(folder: Path, data: bytes) -> None:
    """Ground truth of images: a table of labels, patients and parts."""
    images = ["A/1.png", "A/2.png", "B/1.png"]
    file = stored(folder, "labels.csv", data)
    found = read_facts(file, ["label"], ["group", "part"], folder, images)
    assert set(found) == set(images) and all(one["label"] for one in found.values())


def synthetic_truth(folder: Path, data: bytes) -> None:
    groups = synthetic_groups(stored(folder, "leukbench-synthetic.json", data))
    assert all(isinstance(group, str) for group in groups.values())


def predictions(folder: Path, data: bytes) -> None:
    stored(folder, "predictions.parquet", data)
    arrays = arrays_of(read_table(folder, None, "predictions.parquet"))
    assert len(arrays.truth) == len(arrays.images) > 0
    assert arrays.probabilities is None or (arrays.probabilities >= 0).all()


def split(folder: Path, data: bytes) -> None:
    read_split(stored(folder, "split.csv", data))


def properties(folder: Path, data: bytes) -> None:
    read_properties(text(data), folder / "properties.csv")


def record(folder: Path, data: bytes) -> None:
    read_record(stored(folder, "record.json", data))


def run_description(folder: Path, data: bytes) -> None:
    read_stored(stored(folder, "run.json", data), RunDescription, "name another run folder")


def audit_report(folder: Path, data: bytes) -> None:
    read_stored(stored(folder, "audit.json", data), AuditReport, "run the audit again")


def status(folder: Path, data: bytes) -> None:
    """What another process left: its lock, and how far it came."""
    (folder / ".work").mkdir(exist_ok=True)
    stored(folder, ".work/progress.json", data)
    stored(folder, ".work/lock", data)
    assert list(status_lines(read_status(folder)))


def image(folder: Path, data: bytes) -> None:
    pixels = decode_image(data, "x.png")
    assert pixels.dtype == np.uint8 and pixels.ndim == 3
    assert describe_image(data, "x.png")[:2] == pixels.shape[:2]
    file_properties(data, pixels.shape)


def arrays(folder: Path, data: bytes) -> None:
    _read_parts(stored(folder, "own.npz", data))


@cache
def images() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    found = [
        cv2.imencode(end, pixels)[1].tobytes() for end in (".jpg", ".png", ".bmp", ".tif", ".webp")
    ]
    deep = pixels.astype(np.uint16) * 257
    found += [cv2.imencode(end, deep)[1].tobytes() for end in (".png", ".tif")]
    picture = Image.fromarray(pixels)
    for kind, options in (
        ("GIF", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("WEBP", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("TIFF", {"save_all": True, "append_images": [picture], "compression": "tiff_lzw"}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
    ):
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        found.append(stream.getvalue())
    stream = io.BytesIO()
    picture.convert("CMYK").save(stream, "JPEG")
    return [*found, stream.getvalue()]


@cache
def parquets() -> list[bytes]:
    frame = pd.DataFrame({
        "image": ["a", "b", "c"], "y_true": ["A", "B", "A"], "y_pred": ["A", "B", "B"],
        "p_A": [0.9, 0.2, 0.4], "p_B": [0.1, 0.8, 0.6],
    })  # fmt: skip
    odd = [
        frame, frame.assign(image=[1, 2, 3]), frame.assign(p_A="x"), frame.assign(p_A=None),
        frame.assign(y_true=[["A"], ["B"], ["A"]]), frame.assign(image=[b"a", b"b", b"\xff"]),
        frame.assign(p_A=[1 + 0j, 0.2, 0.4]).astype({"p_A": str}), frame.drop(columns="p_B"),
        frame.astype({"y_true": "category"}), frame.set_index("image"), frame.iloc[:0],
        frame.assign(p_A=pd.Timestamp("2020-01-01")), frame.assign(p_A=True), frame.assign(image=None),
    ]  # fmt: skip
    return [one.to_parquet() for one in odd]


@cache
def npz() -> list[bytes]:
    stream = io.BytesIO()
    parts = {}
    for part in ("train", "val", "test"):
        parts[f"{part}_images"] = np.zeros((2, 4, 4, 3), np.uint8)
        parts[f"{part}_labels"] = np.array([[0], [1]])
    np.savez(stream, **parts)
    return [stream.getvalue()]


def protocols() -> list[bytes]:
    folder = ROOT / "leukbench" / "protocols"
    return [file.read_bytes() for file in sorted(folder.glob("*.toml"))]


MULTIVERSE = b"""name = "own"
protocol = "smoke"
models = ["naive_bayes"]
seeds = [0, 1]
[vary]
"preprocessing.size" = [32, 50]
"training.epochs" = [1, 2]
"""
TABLES = [
    b"algorithm,accuracy,precision,recall,specificity,f1,support\nX,97.5%,0.98,0.97,0.99,0.97,106/186\n",
    b"model;accuracy;kind\nY;96.8 +- 0.3;macro\n",
    b"              precision    recall  f1-score   support\n\n     A       0.9  0.8  0.85  10\n"
    b"     B       0.7  0.8  0.75  12\n\n    accuracy                           0.80        22\n",
    b"class,precision,recall,support\nA,0.5,0.25,4\nB,0.4,0.5,4\n",
    b"10,2\n3,20\n",
]
LABELS = [
    b"image,label,group,part\nA/1.png,x,p,train\nA/2.png,x,q,test\nB/1.png,y,r,test\n",
    "filename;class\nA\\1.png;é\nA\\2;é\nB/1.png;z\n".encode("utf-16"),
]
STATUS = [
    b'{"beat": "2026-01-01T00:00:00+00:00", "planned": {"k": "tree, fold 0"}, "running": [{"name":'
    b' "tree", "since": "2026-01-01T00:00:00+00:00", "heard": "2026-01-01T00:00:00+00:00", "epoch": 1,'
    b' "epochs": 2}]}',
    b'{"process": 1, "host": "x", "started": "2026-01-01"}',
]


def committed(pattern: str) -> Callable[[], list[bytes]]:
    """Up to three small files of a committed run."""
    return lambda: [file.read_bytes() for file in sorted(RESULTS.glob(pattern))[:3]]


NUMBERS = (
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b"0",
    b"true",
    b"null",
    b"0x7fffffffffffffff",
)
TOML = (
    *NUMBERS, b"[", b"]", b"[[", b"=", b'"""', b"\n[split]\n", b"[" * 3000, b"\\ud800", b"{",
    b"1979-05-27",
)  # fmt: skip
JSON = (
    *NUMBERS, b"[" * 3000, b'{"a":' * 3000, b"\\ud800", b"{}", b"[]", b'""', b"..", b"NaN", b"Infinity",
)  # fmt: skip
CSV = (
    *NUMBERS, b",", b";", b"\t", b'"', b"\n", b"\r", b"\0", b"%", b"/", b"\xef\xbb\xbf", b"x" * 140_000,
    b"=1+1", "²".encode(), "٣".encode(),
)  # fmt: skip
BYTES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80", b"\xff\xd9", b"\0" * 64)
TASK = (*TOML, b'A = "x"\n', b'B = "y"\n', b'C = ""\n', b'"A.b" = 1\n')
PROPERTIES = b"image,brightness,sharpness,cells,size\na,1,2,3,4\n"

READERS = {
    one.name: one
    for one in (
        Reader("protocol", protocol, protocols, TOML),
        Reader("class-map", class_map, lambda: [b'A = "x"\nB = "y"\nC = "y"\n'], TASK),
        Reader("multiverse", multiverse, lambda: [MULTIVERSE], TOML),
        Reader("check-table", check_table, lambda: TABLES, CSV),
        Reader("labels", labels, lambda: LABELS, CSV),
        Reader("synthetic-truth", synthetic_truth, lambda: [b'{"groups": {"A/1.png": "p1"}}'], JSON),
        Reader("predictions", predictions, parquets, BYTES),
        Reader("split", split, lambda: [f[:600] for f in committed("split.csv")()], CSV),
        Reader("properties", properties, lambda: [PROPERTIES], CSV),
        Reader("record", record, committed("trials/*/record.json"), JSON),
        Reader("run", run_description, committed("run.json"), JSON),
        Reader("audit", audit_report, committed("audit.json"), JSON),
        Reader("status", status, lambda: STATUS, JSON),
        Reader("image", image, images, BYTES),
        Reader("arrays", arrays, npz, BYTES),
    )
}  # fmt: skip
