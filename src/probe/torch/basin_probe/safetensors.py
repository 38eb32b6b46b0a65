"""
The safetensors container (https://github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON
header with dtype, shape and data_offsets of each tensor, then the data. Written without NumPy, which torch does not
require.
"""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

import torch

from .errors import BasinError

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_LARGEST_HEADER = 100_000_000


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor; the caller keeps the tensor alive."""
    count = tensor.numel() * tensor.element_size()
    if count == 0:
        return memoryview(b"")
    return memoryview((ctypes.c_char * count).from_address(tensor.data_ptr())).cast("B")


def kept_dtype(parameter: torch.Tensor) -> torch.dtype:
    """In which a parameter's values are kept in files: float64 as it is, all others in float32, which holds half precision exactly."""
    return torch.float64 if parameter.dtype == torch.float64 else torch.float32


def can_hold(dtype: torch.dtype) -> bool:
    return dtype in _NAMES


def encode_header(
    tensors: Sequence[tuple[str, torch.dtype, Sequence[int]]], metadata: Mapping[str, str]
) -> tuple[bytes, list[int], int]:
    """(header, offset of each tensor behind it, bytes of the data); tensors lie one behind the other as given."""
    header: dict[str, Any] = {}
    if metadata:
        header["__metadata__"] = dict(metadata)
    offsets: list[int] = []
    end = 0
    for name, dtype, shape in tensors:
        begin = end
        count = 1
        for d in shape:
            count *= d
        end += count * torch.empty((), dtype=dtype).element_size()
        offsets.append(begin)
        if name in header:
            raise BasinError("internal", f'Two tensors would be named "{name}" in one file.')
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, offsets, end


def write_file(path: str, tensors: Sequence[tuple[str, torch.Tensor]], metadata: Mapping[str, str]) -> int:
    """Writes beside and renames; gives the bytes written. Wide dtypes come first, so that all data are aligned."""
    ordered = sorted(tensors, key=lambda x: -x[1].element_size())
    header, _, _ = encode_header([(n, t.dtype, list(t.shape)) for n, t in ordered], metadata)
    beside = f"{path}.{os.getpid()}.tmp"
    written = len(header)
    try:
        with open(beside, "wb") as out:
            out.write(header)
            for _, t in ordered:
                data = t.detach().to("cpu").contiguous()
                written += out.write(bytes_of(data))
        os.replace(beside, path)
    except OSError as error:
        if os.path.exists(beside):
            os.unlink(beside)
        raise BasinError("bad-input", f"{path} cannot be written: {error.strerror}.") from error
    return written


@dataclass(frozen=True)
class Entry:
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A file open for reading, tensor by tensor or a stretch of one at a time."""

    def __init__(self, path: str) -> None:
        """:raises BasinError: ``not-found`` or ``corrupt-run``"""
        self.path = path
        try:
            self._file = open(path, "rb")
        except OSError as error:
            raise BasinError("not-found", f"There is no file {path}.") from error
        try:
            self.entries, self.metadata = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def _read_header(self) -> tuple[dict[str, Entry], dict[str, str]]:
        size = os.fstat(self._file.fileno()).st_size
        first = self._file.read(8)
        length = int.from_bytes(first, "little") if len(first) == 8 else -1
        if not 0 <= length <= min(_LARGEST_HEADER, size - 8):
            raise self._corrupt("its header is not whole")
        try:
            raw = json.loads(self._file.read(length))
            metadata = raw.pop("__metadata__", {})
            entries = {}
            for name, x in raw.items():
                begin, end = x["data_offsets"]
                entry = Entry(_DTYPES[x["dtype"]], tuple(x["shape"]), 8 + length + begin, 8 + length + end)
                count = 1
                for d in entry.shape:
                    count *= d
                if count * torch.empty((), dtype=entry.dtype).element_size() != end - begin or entry.end > size:
                    raise self._corrupt(f'tensor "{name}" does not fit')
                entries[name] = entry
        except BasinError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._corrupt("its header is not one") from error
        return entries, metadata

    def _corrupt(self, why: str) -> BasinError:
        return BasinError(
            "corrupt-run",
            f"{self.path} is not a whole safetensors file: {why}.",
            "Delete the file; Basin goes on with the others.",
        )

    def read(self, name: str) -> torch.Tensor:
        entry = self.entries.get(name)
        if entry is None:
            raise self._corrupt(f'it lacks "{name}"')
        return self._elements(entry, 0, None).view(entry.shape)

    def read_into(self, name: str, out: torch.Tensor) -> None:
        """Fills a tensor of the same shape, without a copy on the way where it lies on the CPU as the file does."""
        entry = self.entries.get(name)
        if entry is None:
            raise self._corrupt(f'it lacks "{name}"')
        if entry.dtype != out.dtype or out.device.type != "cpu" or not out.is_contiguous():
            out.copy_(self.read(name))
            return
        self._file.seek(entry.begin)
        if self._file.readinto(bytes_of(out)) != entry.end - entry.begin:
            raise self._corrupt("it ended while it was read")

    def read_part(self, name: str, start: int, count: int) -> torch.Tensor:
        """``count`` elements of a tensor from ``start`` on, flat."""
        entry = self.entries.get(name)
        if entry is None:
            raise self._corrupt(f'it lacks "{name}"')
        return self._elements(entry, start, count)

    def _elements(self, entry: Entry, start: int, count: Optional[int]) -> torch.Tensor:
        width = torch.empty((), dtype=entry.dtype).element_size()
        length = entry.end - entry.begin - start * width if count is None else count * width
        if length == 0:
            return torch.empty(0, dtype=entry.dtype)
        buffer = bytearray(length)
        self._file.seek(entry.begin + start * width)
        if self._file.readinto(buffer) != length:
            raise self._corrupt("it ended while it was read")
        return torch.frombuffer(buffer, dtype=entry.dtype)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "SafetensorsFile":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
