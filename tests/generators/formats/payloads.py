"""Pickles that do harm where pickles are obeyed, and those that cost too much.

Each of the live ones makes a file, the canary, when Python's own unpickler reads it; the tests see
to that, too, so that none of them is harmless by a slip.
"""

import io
import pickle
import struct
import zipfile

import torch

NAMES = """
builtins.eval builtins.exec builtins.getattr builtins.__import__ builtins.open
builtins.compile builtins.globals builtins.setattr builtins.breakpoint builtins.type
builtins.object.__subclasses__ builtins.set.__class__ __builtin__.apply __builtin__.eval
os.system posix.system nt.system os.popen subprocess.Popen pty.spawn shutil.rmtree
importlib.import_module runpy.run_path marshal.loads types.FunctionType types.CodeType
ctypes.CDLL socket.socket webbrowser.open timeit.timeit cProfile.run pdb.run code.interact
functools.partial functools.reduce operator.attrgetter operator.methodcaller
pickle.loads _pickle.loads pickle.Unpickler copyreg.add_extension copyreg._extension_registry
codecs.open _codecs.lookup _codecs.register pathlib.Path.unlink pathlib.os.system
argparse._os.system argparse.FileType collections._sys.modules collections.abc.sys.modules
numpy.load numpy.fromfile numpy.memmap numpy.testing._private.utils.runstring
numpy.core.multiarray.fromfile numpy.ndarray.tofile numpy.f2py.crackfortran.myeval
torch.load torch.save torch.hub.load torch.hub._load_local torch.ops.load_library
torch.classes.load_library torch.serialization.load torch.package.PackageImporter
torch.jit.load torch.jit.unsupported_tensor_ops.execWrapper torch.utils.cpp_extension.load
torch.storage.UntypedStorage.from_file torch.storage.io.open torch.utils.collect_env.run
torch._utils._import_dotted_name torch._utils.sys.modules torch._tensor.os.system
torch._inductor.codecache.compile_file torch.fx.graph_module.reduce_graph_module
torch.utils._config_module.load_config torch.distributed.rpc.internal._run_function
torch_utils.persistence._src_to_module torch_utils.persistence.import_hook
dnnlib.util.open_url dnnlib.util.call_func_by_name dnnlib.submit.run_wrapper
dnnlib.tflib.network.Network.__class__ nbdrag.generators.formats.unpickle.Machine
. . ..
""".split()  # noqa: SIM905
"""Names that no checkpoint mentions."""


def text(string: str) -> bytes:
    encoded = string.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def on_stack(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def in_lines(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def live_payloads(canary: str) -> dict[str, bytes]:
    """Pickles that make the file `canary`, by the trick they use."""
    code = f"open({canary!r}, 'w').close()"
    shell = f"touch {canary}"
    system, evaluate = in_lines("os", "system"), in_lines("builtins", "eval")
    called = system + text(shell) + b"\x85R"
    namespace = in_lines("argparse", "Namespace") + b")R"
    evil = b"\x80\x02" + called + b"."
    return {
        "GLOBAL": called + b".",
        "STACK_GLOBAL": b"\x80\x04" + on_stack("os", "system") + text(shell) + b"\x85R.",
        "through another module": b"\x80\x04"
        + on_stack("argparse", "_os.system")
        + called[11:]
        + b".",
        "INST": b"(V" + shell.encode() + b"\nios\nsystem\n.",
        "OBJ": b"(" + system + text(shell) + b"o.",
        "builtins.eval": b"\x80\x02" + evaluate + text(code) + b"\x85R.",
        "builtins.exec": b"\x80\x02" + in_lines("builtins", "exec") + text(code) + b"\x85R.",
        "Python 2's eval": b"\x80\x02" + in_lines("__builtin__", "eval") + text(code) + b"\x85R.",
        "os.mkdir": in_lines("os", "mkdir") + text(canary) + b"\x85R.",
        "__import__, getattr": b"\x80\x04"
        + in_lines("builtins", "getattr")
        + in_lines("builtins", "__import__")
        + text("os")
        + b"\x85R"
        + text("system")
        + b"\x86R"
        + text(shell)
        + b"\x85R.",
        "BUILD with __setstate__": b"\x80\x02"
        + namespace
        + b"}"
        + text("__setstate__")
        + system
        + b"sb"
        + text(shell)
        + b"b.",
        "functools.partial": b"\x80\x02"
        + in_lines("functools", "partial")
        + system
        + text(shell)
        + b"\x86R)R.",
        "in a list": b"\x80\x02](K\x01" + called + b"e.",
        "in a dict's key": b"\x80\x02}(" + called + b"K\x01u.",
        "in a persistent id": b"\x80\x02" + called + b"Q.",
        "thrown away": b"\x80\x02" + called + b"0N.",
        "before it is cut off": b"\x80\x02" + called,
        "nested in a storage": b"\x80\x03"
        + in_lines("torch.storage", "_load_from_bytes")
        + b"B"
        + struct.pack("<I", len(evil))
        + evil
        + b"\x85R.",
        "nested twice": pickle.dumps(Nest(pickle.dumps(Nest(evil), 2)), 2),
        "inside a known call": b"\x80\x02"
        + in_lines("collections", "OrderedDict")
        + b"](]("
        + text("state")
        + called
        + b"ee\x85R.",
        "a class to make": b"\x80\x02"
        + in_lines("copyreg", "_reconstructor")
        + called
        + in_lines("builtins", "object")
        + b"N\x87R.",
    }


class Nest:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


def as_files(payload: bytes) -> dict[str, bytes]:
    """All the files of torch's that a pickle can be put into, by where it stands there."""
    valid = io.BytesIO()
    torch.save({"w": torch.ones(2)}, valid, _use_new_zipfile_serialization=False)
    stream = valid.getvalue()
    magic, protocol = 15, 21
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x/data.pkl", payload)
        file.writestr("x/version", b"3\n")
    return {
        "a pickle": payload,
        "an archive": archive.getvalue(),
        "a stream's object": stream[:magic] + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + payload,
        "a stream's protocol": stream[:magic] + payload,
        "a stream's machine": stream[:protocol] + payload,
        "a stream's keys": stream[:protocol] + pickle.dumps({}, 2) + pickle.dumps({}, 2) + payload,
    }
