"""Files that torch or pickle wrote -> inert trees with their tensors, running none of their code.

Four ways of writing are known, and told apart by content:

- torch's archive: a zip with the pickle ``data.pkl``, and each storage as a file beside it
- torch's stream, before version 1.6: pickles one after another, then the storages
- a plain pickle
- in a plain pickle, for each tensor, a byte string with a stream in it, for
  ``torch.storage._load_from_bytes`` to load: a second unpickling, with all its powers. Here it
  goes through the same machine as everything else.

Tensors lie in the file where they can (see `tensors`); it is mapped into memory, and only what is
used of it is read.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.archive import content, entries
from nbdrag.generators.formats.names import damaged
from nbdrag.generators.formats.records import Allowance, Call, Global, Makers
from nbdrag.generators.formats.signatures import described
from nbdrag.generators.formats.tensors import TENSORS, flat, storage_type
from nbdrag.generators.formats.unpickle import read_pickle, read_pickle_at

LARGEST_FILE = 4 << 30  # bytes
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a stream
STREAM_PROTOCOL = 1001

SUPPORTED = (
    "Supported are StyleGAN2 generators as NVIDIA (.pkl), rosinality (.pt), PTI (.pt) and "
    "OpenMMLab (.pth) write them, under any name, and our own .safetensors."
)

LOAD = Global("torch.storage", "_load_from_bytes")


def read_inert(path: str | PathLike[str]) -> object:
    """Read what a file of torch's, or a pickle, holds.

    Parameters
    ----------
    path : path-like
        At most 4 GiB. The file must not be changed in place as long as its tensors are used.

    Returns
    -------
    object
        As `read_pickle` gives it, in which tensors, parameters, storages, and arrays and numbers of
        numpy are torch tensors on the CPU.

    Raises
    ------
    CheckpointError
        If the file can't be read, is damaged or of another kind, costs too much to read, or names
        things that no checkpoint needs.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise CheckpointError(f"{str(path)!r} is a folder; name the file in it.")
        if not path.is_file():
            raise CheckpointError(f"there is no file {str(path)!r}.")
        data = mapped(path)
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} can't be read: {error.strerror}.") from None
    try:
        return read_bytes(data)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None


def mapped(path: Path) -> memoryview:
    """Map a file into memory. It can be written to there; that changes no file."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if not size:
            return memoryview(b"")
        if size > LARGEST_FILE:
            raise CheckpointError(
                f"{path.name} has {size / (1 << 30):.1f} GiB; checkpoints of StyleGAN2 have less "
                f"than 2, and up to {LARGEST_FILE >> 30} are read."
            )
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def read_bytes(data: memoryview) -> object:
    """Read what a file holds, given its bytes."""
    if not data:
        raise CheckpointError("the file is empty; the download may have failed.")
    allowance = Allowance.of_file(len(data))
    start = data[:512].tobytes()
    if start.startswith(b"PK\x03\x04"):
        return read_archive(data, allowance)
    if not could_be_pickle(data):
        known = described(start, data[-512:].tobytes()) or "of a kind that is not known"
        raise CheckpointError(f"it is {known}. {SUPPORTED}")
    makers: Makers = {**TENSORS, LOAD: nested_loader()}
    tree, position = read_pickle_at(data, 0, makers=makers, allowance=allowance)
    if isinstance(tree, int) and tree == MAGIC:
        return read_stream(data, position, makers, allowance)
    return tree


def could_be_pickle(data: memoryview) -> bool:
    """Tell by the first byte; where texts begin with it, too, also by the last.

    Protocols 0 and 1 begin with a mark, a name, or an empty tuple, list or dict; all pickles end
    with a full stop.
    """
    return data[0] == 0x80 or (data[0] in b"(c)]}" and data[-1] == ord("."))


# -------------------------------------------------------------------------------- torch's archives


def read_archive(data: memoryview, allowance: Allowance) -> object:
    """Read a zip that torch.save wrote."""
    files = entries(data)
    pickles = [name for name in files if re.fullmatch(r"[^/]+/data\.pkl", name)]
    if len(pickles) != 1:
        raise CheckpointError(f"it is {other_archive(list(files))}. {SUPPORTED}")
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "constants.pkl" in files or any(n.startswith(folder + "code/") for n in files):
        raise CheckpointError(
            "it is a TorchScript program, whose weights can't be had without its code. Save the "
            "generator's state dict with torch.save."
        )

    def located(key: str) -> memoryview:
        name = f"{folder}data/{key}"
        if name not in files:
            raise CheckpointError(f"the archive is damaged: it has no storage {key[:40]!r}.")
        return content(data, name, files[name])

    order = "little"
    if folder + "byteorder" in files:
        name = folder + "byteorder"
        order = str(content(data, name, files[name])[:8], "latin-1")
    return read_pickle(
        content(data, pickles[0], files[pickles[0]]),
        persistent=storage_finder(located, order, allowance),
        makers={**TENSORS, LOAD: nested_loader()},
        allowance=allowance,
    )


def other_archive(names: list[str]) -> str:
    """Say what zip it is that isn't torch's."""
    if "word/document.xml" in names or "[Content_Types].xml" in names:
        return "an office document"
    if "model.weights.h5" in names:
        return "a Keras network"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of numpy's arrays"
    if sum(name.endswith("/data.pkl") for name in names) > 1:
        return "several of torch's archives in one"
    inside = [name for name in names if re.search(r"\.(pkl|pt|pth|safetensors)$", name)]
    if inside:
        return f"a zip archive with {inside[0][:80]!r} in it: unpack it"
    return "a zip archive, but not one that torch.save wrote"


# --------------------------------------------------------------------------------- torch's streams


def read_stream(data: memoryview, position: int, makers: Makers, allowance: Allowance) -> object:
    """Read what torch wrote before version 1.6, and still does for single storages.

    The storages come last, and the types of their items are in the pickle that refers to them. So
    it is read twice: for the types, and with the storages.
    """
    protocol, position = read_pickle_at(data, position, allowance=allowance)
    machine, position = read_pickle_at(data, position, allowance=allowance)
    if protocol != STREAM_PROTOCOL or not isinstance(machine, dict):
        raise CheckpointError("the file begins like torch's, but goes on otherwise; it is damaged.")
    types: dict[str, int] = {}

    def note(reference: object) -> object:
        if (class_ := module_class(reference)) is not None:
            return class_
        type_, key, _, _ = parsed(reference)
        types.setdefault(key, storage_type(type_).itemsize)
        return None

    start = position
    _, position = read_pickle_at(data, start, persistent=note, allowance=allowance)
    keys, position = read_pickle_at(data, position, allowance=allowance)
    storages: dict[str, memoryview] = {}
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in types or key in storages:
            raise CheckpointError("the file is damaged: its list of storages is none.")
        count = int.from_bytes(data[position : position + 8], "little")
        position += 8
        size = count * types[key]
        if position + size > len(data):
            raise CheckpointError(
                f"the file declares {size:,} bytes, more than are left; it is cut off or damaged."
            )
        storages[key] = data[position : position + size]
        position += size

    def located(key: str) -> memoryview:
        if key not in storages:
            raise CheckpointError(f"the file is damaged: it has no storage {key[:40]!r}.")
        return storages[key]

    order = "little" if machine.get("little_endian", True) else "big"
    finder = storage_finder(located, order, allowance)
    tree, _ = read_pickle_at(data, start, persistent=finder, makers=makers, allowance=allowance)
    return tree


def nested_loader() -> Callable[[Call, Allowance], object]:
    """Make what gives the storage in a byte string; one that is used twice is read once."""
    known: dict[int, tuple[object, Tensor]] = {}

    def load(call: Call, allowance: Allowance) -> object:
        match call.args:
            case (bytes() | memoryview() as payload,):
                pass
            case _:
                raise damaged(call)
        if id(payload) not in known:
            data = memoryview(payload)
            magic, position = read_pickle_at(data, 0, allowance=allowance)
            if magic != MAGIC:
                raise damaged(call)
            storage = read_stream(data, position, {LOAD: refuse_nesting}, allowance)
            if not isinstance(storage, Tensor):
                raise damaged(call)
            known[id(payload)] = payload, storage
        return known[id(payload)][1]

    return load


def refuse_nesting(call: Call, allowance: Allowance) -> object:
    """Refuse a load in what is loaded."""
    raise CheckpointError("the file has loads nested in loads; no checkpoint has.")


# --------------------------------------------------------------------------------------- storages


def storage_finder(
    located: Callable[[str], memoryview], order: str, allowance: Allowance
) -> Callable[[object], object]:
    """Make what gives the storage that a pickle refers to, as a flat tensor.

    Parameters
    ----------
    located : callable
        Gives a storage's bytes by its key.
    order : {"little", "big"}
        Of the bytes in a number.
    """
    if order not in ("little", "big"):
        raise CheckpointError("the file is damaged: its numbers have no order of bytes.")
    found: dict[tuple[str, object], Tensor] = {}

    def find(reference: object) -> object:
        if (class_ := module_class(reference)) is not None:
            return class_
        type_, key, count, part = parsed(reference)
        dtype = storage_type(type_)
        if (key, dtype) not in found:
            data = located(key)
            whole = len(data) - len(data) % dtype.itemsize
            found[key, dtype] = flat(data[:whole], dtype, order, allowance)
        storage = found[key, dtype]
        if part is not None:
            offset, count = part
            storage = storage[offset:]
        if count > len(storage):
            raise CheckpointError(
                f"the file declares a storage of {count:,} numbers where {len(storage):,} are; it "
                f"is cut off or damaged."
            )
        return storage[:count]

    return find


def module_class(reference: object) -> Global | None:
    """Give the class that a reference is to; beside it stands its source code."""
    match reference:
        case ("module", Global() as class_, *_):
            return class_
    return None


def parsed(reference: object) -> tuple[object, str, int, tuple[int, int] | None]:
    """Take apart a reference: class, key, number of items, and perhaps which part of them."""
    match reference:
        case ("storage", type_, str() as key, _, int() as count, *rest) if 0 <= count < 1 << 40:
            match rest:
                case [] | [None]:
                    return type_, key, count, None
                case [(_, int() as offset, int() as length)] if min(offset, length) >= 0:
                    if max(offset, length) < 1 << 40:
                        return type_, key, count, (offset, length)
    raise CheckpointError("the file is damaged: it refers to something that is no storage.")
