"""From the bytes in a file, and what it says of them, to tensors: checked, and where they lie.

Torch writes flat storages, and calls that view them as tensors; numpy writes bytes, and calls that
say what array they are. Both are read here into torch tensors. Whatever a file says is checked
against the bytes that are there, so no view reaches beyond them, and none is larger than they are:
a tensor of stride zero can claim a million times its storage, and would become that large with the
first sum.

Tensors lie in the file's own memory where they can: where its bytes are aligned for their type, in
the order of this machine, and writable.
"""

from __future__ import annotations

import math
import re
import sys

import torch
from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.names import damaged
from nbdrag.generators.formats.records import Allowance, Call, Global, Makers, kind

Bytes = bytes | bytearray | memoryview

LARGEST = 1 << 40  # items, steps: whatever torch multiplies stays far below 2^63
MOST_AXES = 16

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
TYPES = {str(dtype).removeprefix("torch."): dtype for dtype in STORAGES.values()}
ARRAYS = {
    "f8": torch.float64,
    "f4": torch.float32,
    "f2": torch.float16,
    "i8": torch.int64,
    "i4": torch.int32,
    "i2": torch.int16,
    "i1": torch.int8,
    "u1": torch.uint8,
    "b1": torch.bool,
}


def flat(data: Bytes, dtype: torch.dtype, order: str, allowance: Allowance) -> Tensor:
    """Give bytes as a tensor of one axis.

    Parameters
    ----------
    data : bytes-like
        Of a length that the type divides.
    dtype : torch.dtype
    order : {"little", "big"}
        Of the bytes in a number.
    """
    size = dtype.itemsize
    if not len(data):
        return torch.empty(0, dtype=dtype)
    view = memoryview(data)
    if view.readonly:
        allowance.copy(len(view))
        view = memoryview(bytearray(view))
    values = torch.frombuffer(view, dtype=torch.uint8)
    if dtype == torch.bool:
        allowance.copy(len(view))
        return values != 0  # other values than 0 and 1 would be neither true nor false
    if order != sys.byteorder and size > 1:
        allowance.copy(len(view))
        values = values.view(-1, size).flip(1).reshape(-1)
    elif values.data_ptr() % size:
        allowance.copy(len(view))
        values = values.clone()
    return values.view(dtype)


def viewed(storage: Tensor, offset: object, shape: object, strides: object) -> Tensor:
    """View a flat tensor in a shape, as a file asks for it.

    Raises
    ------
    CheckpointError
        If that is no shape, or reaches beyond the storage, or has more items than it.
    """
    shape, strides = sizes(shape), whole(strides)
    (start,) = whole((offset,))
    if len(shape) != len(strides):
        raise CheckpointError(
            f"the file is damaged: a tensor of {len(shape)} axes has {len(strides)} strides."
        )
    items = math.prod(shape)
    last = sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if items and (items > storage.numel() or start + last >= storage.numel()):
        raise CheckpointError(
            f"the file declares a tensor of shape {shape} in a storage of {storage.numel():,} "
            f"numbers; it is cut off or damaged."
        )
    if not items:
        return storage.new_empty(shape)
    return storage.as_strided(shape, strides, storage.storage_offset() + start)


def whole(numbers: object) -> tuple[int, ...]:
    """Check the lengths or strides of a tensor's axes, each by itself."""
    if not isinstance(numbers, tuple | list) or len(numbers) > MOST_AXES:
        raise CheckpointError("the file is damaged: it has a tensor without a sensible shape.")
    for number in numbers:
        if type(number) is not int or not 0 <= number < LARGEST:
            raise CheckpointError("the file is damaged: it has a tensor without a sensible shape.")
    return tuple(numbers)


def sizes(shape: object) -> tuple[int, ...]:
    """Check the lengths of a tensor's axes, also together."""
    numbers = whole(shape)
    if math.prod(max(number, 1) for number in numbers) >= LARGEST:
        raise CheckpointError("the file is damaged: it has a tensor without a sensible shape.")
    return numbers


# ------------------------------------------------------------------------------------------ torch


def storage_type(name: object) -> torch.dtype:
    """Give the type of what is in a storage, by its class."""
    if isinstance(name, Global) and name.name.lstrip("_") in STORAGES:
        return STORAGES[name.name.lstrip("_")]
    raise CheckpointError(
        f"the file is damaged: something of type {kind(name)} stands for the type of a storage."
    )


def make_tensor(call: Call, allowance: Allowance) -> object:
    """``_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, metadata)``."""
    match call.args:
        case (Tensor() as storage, offset, shape, strides, *rest):
            if len(rest) > 2 and isinstance(rest[2], dict) and rest[2]:
                raise CheckpointError("the file has conjugated tensors; they are not supported.")
            return viewed(storage, offset, shape, strides)
    raise damaged(call)


def make_typed_tensor(call: Call, allowance: Allowance) -> object:
    """``_rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype)``."""
    match call.args:
        case (Tensor() as storage, offset, shape, strides, _, _, Global("torch", name), *_):
            dtype = TYPES.get(name)
            if dtype and storage.numel() * storage.element_size() % dtype.itemsize == 0:
                return viewed(storage.view(dtype), offset, shape, strides)
    raise damaged(call)


def make_parameter(call: Call, allowance: Allowance) -> object:
    """``_rebuild_parameter(data, requires_grad, hooks)``, also with a state at the end."""
    match call.args:
        case (Tensor() as data, *_):
            return data
    raise damaged(call)


def make_subclass(call: Call, allowance: Allowance) -> object:
    """``_rebuild_from_type_v2(function, class, args, state)``."""
    match call.args:
        case (Global() as function, Global(), tuple() as args, *_) if function in REBUILD:
            return REBUILD[function](Call(function, args), allowance)
    raise damaged(call)


# ------------------------------------------------------------------------------------------ numpy


def array_type(description: object) -> tuple[torch.dtype, str] | None:
    """Give type and byte order of a numpy dtype; None if torch has no such type."""
    match description:
        case Call(Global("numpy", "dtype"), args=(str() as code, *_), state=state):
            match = re.fullmatch(r"([<>|=]?)([a-z]\d)", code.replace("bool", "b1"))
            if match and match[2] in ARRAYS:
                given = state[1] if isinstance(state, tuple) and len(state) > 1 else match[1]
                return ARRAYS[match[2]], "big" if isinstance(
                    given, str
                ) and given == ">" else "little"
    return None


def make_array(call: Call, allowance: Allowance) -> object:
    """``_reconstruct(ndarray, (0,), b"b")``, and the array as its state."""
    match call.state:
        case (_, shape, dtype, fortran, data):
            return array(
                call, allowance, data, dtype, shape, isinstance(fortran, int) and fortran == 1
            )
        case None:
            return call
    raise damaged(call)


def make_array_in_place(call: Call, allowance: Allowance) -> object:
    """``_frombuffer(data, dtype, shape, order, axes)``, as protocol 5 writes arrays."""
    match call.args:
        case (data, dtype, shape, "K", tuple() as axes):  # from numpy 2.3 on
            made = array(call, allowance, data, dtype, shape, False)
            if isinstance(made, Tensor) and sorted(whole(axes)) == list(range(made.ndim)):
                return made.permute(whole(axes))
        case (data, dtype, shape, order, *_):
            return array(
                call, allowance, data, dtype, shape, isinstance(order, str) and order == "F"
            )
    raise damaged(call)


def make_scalar(call: Call, allowance: Allowance) -> object:
    """``scalar(dtype, data)``; a tensor without axes."""
    match call.args:
        case (dtype, data):
            return array(call, allowance, data, dtype, (), False)
    return call


def array(
    call: Call, allowance: Allowance, data: object, dtype: object, shape: object, fortran: bool
) -> object:
    """Make an array of numbers; what is none stays a call."""
    found = array_type(dtype)
    if isinstance(data, str):  # Python 2
        data = data.encode("latin-1", "replace")
        allowance.copy(len(data))
    if found is None or not isinstance(data, bytes | memoryview):
        return call
    numbers, (type_, order) = sizes(shape), found
    if len(data) != math.prod(numbers) * type_.itemsize:
        raise CheckpointError(
            f"the file declares an array of shape {numbers} in {len(data):,} bytes; it is damaged."
        )
    values = flat(data, type_, order, allowance)
    if fortran:
        return values.view(numbers[::-1]).permute(tuple(reversed(range(len(numbers)))))
    return values.view(numbers)


REBUILD: Makers = {
    Global("torch._utils", "_rebuild_tensor"): make_tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): make_tensor,
    Global("torch._utils", "_rebuild_tensor_v3"): make_typed_tensor,
    Global("torch._utils", "_rebuild_parameter"): make_parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): make_parameter,
}

TENSORS: Makers = {
    **REBUILD,
    Global("torch._tensor", "_rebuild_from_type"): make_subclass,
    Global("torch._tensor", "_rebuild_from_type_v2"): make_subclass,
    Global("numpy.core.multiarray", "_reconstruct"): make_array,
    Global("numpy.core.multiarray", "scalar"): make_scalar,
    Global("numpy.core.numeric", "_frombuffer"): make_array_in_place,
}
"""What calls mean that make tensors and arrays."""
