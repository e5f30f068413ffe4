"""Tensors of a file that ``torch.save`` wrote before PyTorch 1.6, read without PyTorch or pickle.

Such a file is a row of pickles (magic number, version, machine, tensors, names of storages) and then
the numbers of each storage. A pickle is a program that may call any function. Here nothing of it is
carried out: its instructions are listed, the few that a dictionary of tensors needs build plain values,
and a file with any other instruction or name is refused.
"""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukbench.errors import DataError

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
"""Types of storages by the name that a file has for them, and their numbers."""

_DICT, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_MARK = object()
_PLAIN = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NO_VALUE = {"PROTO", "BINPERSID"}  # a storage stays what it is called by


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor's numbers are: sizes, offset and steps count numbers, not bytes."""

    storage: str
    kind: str
    offset: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]


class _Builder:
    """What the instructions of one pickle build: dictionaries, lists, tuples, plain values, tensors."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: list[Any] = []

    def build(self, stream: io.BytesIO) -> Any:
        """The value of the pickle that begins here; the stream stands after it then."""
        for instruction, argument, _ in pickletools.genops(stream):
            if instruction.name == "STOP":
                break
            self._step(instruction.name, argument)
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PLAIN:
            stack.append(_CONSTANTS.get(name, argument))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
        elif name in ("TUPLE1", "TUPLE2"):
            stack.append(tuple(self._taken(int(name[-1]))))
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("SETITEM", "SETITEMS"):
            pairs = self._taken(2) if name == "SETITEM" else self._since_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name in ("APPEND", "APPENDS"):
            items = self._taken(1) if name == "APPEND" else self._since_mark()
            stack[-1].extend(items)
        elif name in ("BINPUT", "LONG_BINPUT"):
            if argument != len(self.memo):
                raise ValueError("its values are not numbered in order")
            self.memo.append(stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            if argument not in (_DICT, _TENSOR, *STORAGES):
                raise ValueError(f"it names {argument.replace(' ', '.')}, which no tensor needs")
            stack.append(argument)
        elif name == "REDUCE":
            stack.append(_made(*self._taken(2)))
        elif name == "BUILD":
            stack.pop()  # attributes of the dictionary: versions of its layers
        elif name not in _NO_VALUE:
            raise ValueError(f"it has the instruction {name}, which no tensor needs")

    def _taken(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        count = next(n for n, value in enumerate(reversed(self.stack)) if value is _MARK)
        items = self._taken(count + 1)
        return items[1:]


def _made(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == _DICT and not arguments:
        return {}
    if name != _TENSOR:
        raise ValueError(f"it calls {name} otherwise than for a tensor")
    (_, kind, storage, *_), offset, shape, steps, *_ = arguments
    return _Tensor(str(storage), STORAGES[kind], offset, tuple(shape), tuple(steps))


def read_torch_weights(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """The tensors by name, in their order; ``path`` is for messages only.

    `DataError` where the bytes are no such file, or name anything but tensors of float32 and int64.
    """
    stream = io.BytesIO(data)
    try:
        magic, _version, machine, tensors, names = (_Builder().build(stream) for _ in range(5))
        if magic != MAGIC or not machine["little_endian"]:
            raise ValueError("it does not begin as one")
        kinds = {tensor.storage: tensor.kind for tensor in tensors.values()}
        storages = {}
        for name in names:
            size = int.from_bytes(stream.read(8), "little")
            numbers = stream.read(size * np.dtype(kinds[name]).itemsize)
            storages[name] = np.frombuffer(numbers, kinds[name], count=size)
        return {name: _array(tensor, storages[tensor.storage]) for name, tensor in tensors.items()}
    except Exception as error:  # a damaged file raises whatever its content leads to
        raise DataError(
            f"{path} cannot be read as a PyTorch file of tensors ({error}): install its package again."
        ) from error


def _array(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    size = storage.dtype.itemsize
    return np.ndarray(
        tensor.shape,
        storage.dtype,
        storage.data,  # NumPy refuses what does not fit in it
        tensor.offset * size,
        tuple(step * size for step in tensor.steps),
    )
