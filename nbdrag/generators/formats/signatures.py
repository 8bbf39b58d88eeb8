"""What a file is that holds no checkpoint of ours, by its first and last bytes."""

from __future__ import annotations

import re

PICTURE = "a picture"
SIGNATURES = (
    (rb"\s*<(!doctype|html|head|\?xml)", "a web page: the download may have failed"),
    (rb"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras writes"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|BM....\0\0\0\0", PICTURE),
    (rb"\x93NUMPY", "an array of numpy's"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "a packed archive: unpack it"),
    (rb".{257}ustar", "a tar archive: unpack it"),
    (rb"GGUF|ggml|lmgg", "a language model in GGUF"),
    (rb"\x08[\x01-\x20]\x12.{0,60}?(pytorch|onnx|tf2onnx)", "an ONNX network"),
    (rb"\x08.\x12|\n.{0,8}\x12", "perhaps a graph of TensorFlow's or ONNX'"),
    (rb"%PDF", "a PDF"),
    (rb"\x7fELF|MZ", "a program"),
    (rb".{7}\0\{", "a .safetensors file"),
    (rb"\{\s*\"", "a JSON file"),
)
"""What a file begins with, and what it then is."""

TABLE_END = (0xDB4775248B80FB57).to_bytes(8, "little")


def described(start: bytes, end: bytes) -> str | None:
    """Say what kind of file this is; None if it isn't known.

    Parameters
    ----------
    start, end : bytes
        The first and the last bytes of the file, 512 or so.
    """
    for pattern, description in SIGNATURES:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return description
    if end.endswith(TABLE_END):
        return "the index of a TensorFlow checkpoint"
    if start and not re.search(rb"[\0-\x08\x0e-\x1a\x7f-\xff]", start):
        return "a text"
    return None
