"""The names that a pickle may mention, and those whose calls have a plain meaning.

This is a list of what checkpoints of generators contain: their own classes, those of the options
that they were trained with, and what torch and numpy need to say what an array is. All of them
stay names; that a name is here gives it no power.
"""

from __future__ import annotations

import re

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.records import Allowance, Call, Global, Makers, as_keys

KNOWN: dict[str, str] = {
    "builtins": "set frozenset bytes bytearray list tuple dict object slice range complex int "
    "float str bool",
    "collections": "OrderedDict defaultdict Counter deque",
    "copyreg": "_reconstructor __newobj__",
    "_codecs": "encode",
    "argparse": "Namespace",
    "types": "SimpleNamespace",
    "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "datetime": "datetime date time timedelta timezone",
    # arrays
    "numpy": "ndarray dtype bool_ int8 int16 int32 int64 uint8 float16 float32 float64",
    "numpy.core.multiarray": "scalar _reconstruct",
    "numpy.core.numeric": "_frombuffer",
    "numpy.random": "__RandomState_ctor",
    "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "torch": "Size Tensor device Generator "
    "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 "
    "DoubleStorage FloatStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage "
    "CharStorage ByteStorage BoolStorage UntypedStorage strided contiguous_format channels_last",
    "torch.cuda": "DoubleStorage FloatStorage HalfStorage BFloat16Storage LongStorage IntStorage "
    "ShortStorage CharStorage ByteStorage BoolStorage",
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
    "_rebuild_parameter_with_state",
    "torch._tensor": "_rebuild_from_type _rebuild_from_type_v2",
    "torch.storage": "_load_from_bytes UntypedStorage TypedStorage _UntypedStorage _TypedStorage",
    "torch.serialization": "_get_layout",
    "torch.nn.parameter": "Parameter Buffer",
    # modules of torch's own inside of networks
    "torch.nn.modules.container": "Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "torch.nn.modules.linear": "Linear Identity",
    "torch.nn.modules.conv": "Conv2d ConvTranspose2d",
    "torch.nn.modules.activation": "LeakyReLU ReLU Tanh Sigmoid SiLU GELU",
    "torch.nn.modules.upsampling": "Upsample",
    "torch.nn.modules.pooling": "AvgPool2d",
    "torch.nn.parallel.data_parallel": "DataParallel",
    # generators, and options of trainings
    "torch_utils.persistence": "_reconstruct_persistent_obj",
    "dnnlib.tflib.network": "Network",
    "tfutil": "Network",
    "dnnlib.util": "EasyDict",
    "dnnlib": "EasyDict",
    "addict.addict": "Dict",
    "mmcv.utils.config": "ConfigDict Config",
    "mmengine.config.config": "ConfigDict Config",
    "mmengine.logging.history_buffer": "HistoryBuffer",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.nodes": "AnyNode StringNode IntegerNode FloatNode BooleanNode",
    "typing": "Any",
    "pytorch_lightning.callbacks.model_checkpoint": "ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping": "EarlyStopping",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
}

RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "torch.tensor": "torch._tensor",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
}
"""Modules that have had other names."""

GLOBALS = {Global(module, name) for module, names in KNOWN.items() for name in names.split()}


def modern(module: str, name: str) -> Global:
    """Give a name as a `Global`, whichever versions wrote it."""
    return Global(RENAMED.get(module, module), name)


def is_known(name: Global) -> bool:
    """Tell whether checkpoints need this name."""
    return name in GLOBALS


# ------------------------------------------------------------------------- calls of plain meaning


def make_members(call: Call, allowance: Allowance) -> object:
    """``set([...])``, ``frozenset([...])``."""
    match call.args:
        case ():
            members = []
        case (list() | tuple() as things,):
            allowance.copy(64 * len(things))
            members = as_keys(things, allowance)
        case _:
            raise damaged(call)
    return set(members) if call.function.name == "set" else frozenset(members)


def make_dict(call: Call, allowance: Allowance) -> object:
    """``OrderedDict()``, ``defaultdict(factory)``; in Python 2 ``OrderedDict([[key, value]])``."""
    pairs = call.args[0] if call.args and call.function.name == "OrderedDict" else []
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs
    ):
        raise damaged(call)
    allowance.copy(64 * len(pairs))
    return dict(
        zip(as_keys((key for key, _ in pairs), allowance), (v for _, v in pairs), strict=True)
    )


def make_bytes(call: Call, allowance: Allowance) -> object:
    """``encode(text, "latin1")``, which writes bytes in protocols 0 to 2, ``bytearray(bytes)``."""
    match call.args:
        case ():
            return b""
        case (str() as text, str() as encoding) if re.fullmatch("latin-?1", encoding):
            allowance.copy(len(text))
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise damaged(call) from None
        case (bytes() | memoryview() as found,):
            return found
    raise damaged(call)


def make_tuple(call: Call, allowance: Allowance) -> object:
    """``Size((1, 2))``."""
    match call.args:
        case (tuple() as sizes,):
            return sizes
    raise damaged(call)


def make_instance(call: Call, allowance: Allowance) -> object:
    """``_reconstructor(cls, base, content)``, ``__newobj__(cls, *args)``: a call of the class."""
    if not call.args or not isinstance(call.args[0], Global):
        raise damaged(call)
    function = call.args[0]
    if call.function.name == "__newobj__":
        return Call(function, call.args[1:])
    content = call.args[2] if len(call.args) == 3 else None
    if isinstance(content, dict):
        allowance.copy(64 * len(content))
        return Call(function, entries=list(content.items()))
    if isinstance(content, list):
        allowance.copy(8 * len(content))
        return Call(function, items=list(content))
    return Call(function)


def damaged(call: Call) -> CheckpointError:
    """The error for a known call with strange arguments."""
    return CheckpointError(f"the pickle is damaged: strange arguments for {call.function}.")


PLAIN: Makers = {
    Global("builtins", "set"): make_members,
    Global("builtins", "frozenset"): make_members,
    Global("builtins", "bytes"): make_bytes,
    Global("builtins", "bytearray"): make_bytes,
    Global("_codecs", "encode"): make_bytes,
    Global("collections", "OrderedDict"): make_dict,
    Global("collections", "defaultdict"): make_dict,
    Global("torch", "Size"): make_tuple,
    Global("copyreg", "_reconstructor"): make_instance,
    Global("copyreg", "__newobj__"): make_instance,
}
