"""Files of torch and pickle give the tensors that torch and numpy wrote, or say what is wrong."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from numpy._core.numeric import _frombuffer

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.records import Call, Global
from nbdrag.generators.formats.torchfile import LARGEST_FILE, read_bytes, read_inert
from tests.generators.formats.corpus import assorted, same, write_corpus

# ------------------------------------------------------------------------------------- what is read


def dumped(tree, path, protocol):
    path.write_bytes(pickle.dumps(tree, protocol))


def saved(tree, path, protocol):
    torch.save(tree, path, pickle_protocol=protocol)


def streamed(tree, path, protocol):
    torch.save(tree, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "protocol"),
    [(dumped, p) for p in range(6)] + [(w, p) for w in (saved, streamed) for p in (2, 3, 4, 5)],
)
def test_tensors_and_arrays_are_what_was_written(tmp_path, write, protocol):
    tree = assorted()
    write(tree, tmp_path / "x", protocol)
    found = read_inert(tmp_path / "x")
    assert found.keys() == tree.keys()
    assert [name for name, tensor in tree.items() if not same(found[name], tensor)] == []


@pytest.mark.parametrize("write", [saved, streamed])
def test_tensors_that_share_memory_still_do(tmp_path, write):
    write(assorted(), tmp_path / "x", 2)
    found = read_inert(tmp_path / "x")
    found["view"][0, 0] = 77
    assert found["base"][1, 0] == found["transposed"][0, 1] == 77


def test_tensors_lie_in_the_file_where_they_can(tmp_path):
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(1000)}, buffer)
    data = bytearray(buffer.getvalue())
    weights = read_bytes(memoryview(data))["w"]
    start = data.index(torch.ones(1000).numpy().tobytes())
    data[start : start + 4] = struct.pack("<f", 7)
    assert weights[0] == 7


def test_what_is_written_to_tensors_changes_no_file(tmp_path):
    torch.save({"w": torch.ones(1000)}, tmp_path / "x")
    read_inert(tmp_path / "x")["w"].zero_()
    assert torch.load(tmp_path / "x")["w"].all()


@pytest.mark.parametrize("archive", [True, False])
def test_storages_by_themselves_are_flat_tensors(tmp_path, archive):
    values = torch.tensor([1.0, 2.0])
    path = tmp_path / "x"
    torch.save(values.untyped_storage(), path, _use_new_zipfile_serialization=archive)
    assert torch.equal(read_inert(path).view(torch.float32), values)


def test_arrays_of_other_things_stay_calls(tmp_path):
    tree = {"names": np.array(["a", "b"]), "things": np.array([{}, None]), "w": np.ones(2)}
    for protocol in range(6):
        dumped(tree, tmp_path / "x", protocol)
        found = read_inert(tmp_path / "x")
        assert isinstance(found["names"], Call)
        assert isinstance(found["things"], Call)
        assert same(found["w"], tree["w"])


@pytest.mark.parametrize("write", [saved, streamed])
def test_whole_modules_are_calls_of_their_classes(tmp_path, write):
    """Streams carry the source code of the classes, which is a text."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    write(network, tmp_path / "x", 2)
    found = read_inert(tmp_path / "x")
    assert found.function == Global("torch.nn.modules.container", "Sequential")
    layer = found.state["_modules"]["0"]
    assert layer.function == Global("torch.nn.modules.linear", "Linear")
    assert same(layer.state["_parameters"]["weight"], network[0].weight)


def test_a_number_laid_out_by_columns_is_a_number(tmp_path):
    """numpy writes none so; a fuzzer did."""

    class Odd:
        def __reduce__(self):
            return _frombuffer, (np.float32(7).tobytes(), np.dtype("<f4"), (), "F")

    dumped(Odd(), tmp_path / "x", 4)
    found = read_inert(tmp_path / "x")
    assert found.shape == ()
    assert found == 7


def test_an_array_that_is_there_twice_is_one(tmp_path):
    array = np.ones(3, np.float32)
    dumped([array, array], tmp_path / "x", 4)
    first, second = read_inert(tmp_path / "x")
    assert first is second


def test_a_tensor_of_a_subclass_is_a_tensor(tmp_path):
    class Marked(torch.Tensor):
        pass

    Marked.__module__, Marked.__qualname__ = "torch", "Tensor"
    values = torch.ones(2).as_subclass(Marked)
    values.mark = 1
    buffer = io.BytesIO()
    reduced = values.__reduce_ex__(2)
    assert reduced[0].__name__ == "_rebuild_from_type_v2"
    function, _, args, state = reduced[1]
    torch.save(Rebuilt(reduced[0], function, torch.Tensor, args, state), buffer)
    (tmp_path / "x").write_bytes(buffer.getvalue())
    assert same(read_inert(tmp_path / "x"), torch.ones(2))


class Rebuilt:
    def __init__(self, rebuild, *args):
        self.reduced = rebuild, args

    def __reduce__(self):
        return self.reduced


def test_tensors_of_machines_of_the_other_kind(tmp_path):
    """Big-endian numbers, in both of torch's formats."""
    path = tmp_path / "x"
    values = torch.arange(5, dtype=torch.float32) - 2
    swapped = torch.from_numpy(values.numpy().byteswap())
    torch.save({"w": swapped, "n": np.int16(5)}, path)
    path.write_bytes(path.read_bytes().replace(b"little", b"big\0\0\0"))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "y", "w") as new:
        for name in old.namelist():
            content = old.open(name)
            content._expected_crc = None
            data = content.read()
            new.writestr(name, b"big" if name.endswith("byteorder") else data)
    assert same(read_inert(tmp_path / "y")["w"], values)
    torch.save({"w": swapped}, path, _use_new_zipfile_serialization=False)
    little = b"little_endianq\x02\x88"
    assert little in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(little, little[:-1] + b"\x89"))
    assert same(read_inert(path)["w"], values)


def test_parts_of_storages_as_before_torch_0_4(tmp_path):
    """A reference may name a part of a storage."""
    buffer = io.BytesIO()
    torch.save(torch.arange(6.0), buffer, _use_new_zipfile_serialization=False)
    stream = buffer.getvalue()
    whole = b"cpuq\x04K\x06Ntq\x05QK\x00K\x06\x85"
    assert whole in stream
    part = b"cpuq\x04K\x06X\x01\0\0\0vK\x02K\x03\x87tq\x05QK\x01K\x02\x85"
    stream = stream.replace(whole, part)
    (tmp_path / "x").write_bytes(stream)
    assert torch.equal(read_inert(tmp_path / "x"), torch.tensor([3.0, 4.0]))


def test_values_of_truths_are_true_or_false(tmp_path):
    """Another byte than 0 and 1 would be both, or neither."""
    data = pickle.dumps(np.array([True, False, True]), 4)
    assert data.count(b"C\x03\x01\x00\x01") == 1
    (tmp_path / "x").write_bytes(data.replace(b"C\x03\x01\x00\x01", b"C\x03\x07\x00\xff"))
    found = read_inert(tmp_path / "x")
    assert found.view(torch.uint8).tolist() == [1, 0, 1]


# --------------------------------------------------------------------------------- what is damaged


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return list(write_corpus(tmp_path_factory.mktemp("corpus")))


def test_files_that_are_cut_off(corpus, tmp_path):
    """Anywhere: at every byte of the beginning and of the end, and at some between."""
    for path in corpus:
        data = path.read_bytes()
        end = len(data)
        for size in {*range(20), *range(20, end, max(end // 9, 1)), *range(end - 8, end)}:
            (tmp_path / "x").write_bytes(data[:size])
            with pytest.raises(CheckpointError, match=r"\Ax: "):
                read_inert(tmp_path / "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x/data/0": None}, "has no storage '0'"),
        ({"x/data/0": b"\0" * 4}, "declares a storage of 6 numbers where 1 are"),
        ({"x/byteorder": b"middle"}, "no order of bytes"),
        ({"x/data.pkl": None}, "not one that torch.save wrote"),
        ({"y/data.pkl": b"N."}, "several of torch's archives in one"),
        ({"x/data.pkl": b""}, "ends early"),
        ({"x/constants.pkl": b"N."}, "a TorchScript program"),
        ({"x/code/__torch__.py": b"1"}, "a TorchScript program"),
    ],
)
def test_archives_that_are_not_as_torch_writes_them(tmp_path, change, message):
    torch.save({"w": torch.arange(6.0)}, tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "x") as old, zipfile.ZipFile(tmp_path / "y", "w") as new:
        for name, data in ({name: old.read(name) for name in old.namelist()} | change).items():
            if data is not None:
                new.writestr(name, data)
    with pytest.raises(CheckpointError, match=message):
        read_inert(tmp_path / "y")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_that_another_program_packed(tmp_path, method):
    """They are read if they are stored, but not compressed."""
    torch.save({"w": torch.arange(6.0)}, tmp_path / "x")
    with (
        zipfile.ZipFile(tmp_path / "x") as old,
        zipfile.ZipFile(tmp_path / "y", "w", method) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name), method)
    if method == zipfile.ZIP_STORED:
        assert same(read_inert(tmp_path / "y")["w"], torch.arange(6.0))
    else:
        with pytest.raises(CheckpointError, match="is compressed"):
            read_inert(tmp_path / "y")


def test_traced_programs_are_refused(tmp_path):
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as file:
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            file.writestr(f"model/{name}", b"\x80\x02}.")
    (tmp_path / "x").write_bytes(program.getvalue())
    with pytest.raises(CheckpointError, match="TorchScript program"):
        read_inert(tmp_path / "x")


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


@pytest.mark.parametrize(
    ("count", "offset", "shape", "strides"),
    [
        (8, 0, (3, 3), (3, 1)),  # beyond the end
        (8, 8, (1,), (1,)),
        (8, 5, (2, 2), (2, 1)),
        (9, 0, (8,), (1,)),
        (8, -1, (2,), (1,)),
        (8, 0, (-8,), (1,)),
        (8, 7, (8,), (-1,)),
        (8, 0, (1 << 40, 1 << 40), (0, 0)),
        (8, 0, (3, 3), (0, 0)),  # more than the storage has
        (8, 0, (1 << 63, 0), (1, 1)),
        (8, 0, (1,), (1 << 70,)),
        (8, 1 << 70, (1,), (1,)),
        (8, 0, (8,), (1, 1)),
        (8, 0, (1,) * 20, (1,) * 20),
        (8, 0, 8, 1),
        (8, 0, (8.0,), (1,)),
        (8, 0, (True,), (1,)),
        (8, 0.0, (8,), (1,)),
        (-8, 0, (8,), (1,)),
        (1 << 70, 0, (8,), (1,)),
        ("8", 0, (8,), (1,)),
    ],
)
def test_views_that_their_storage_does_not_have(tmp_path, count, offset, shape, strides):
    write_view(tmp_path / "x", count, offset, shape, strides)
    with pytest.raises(CheckpointError, match="damaged"):
        read_inert(tmp_path / "x")


def test_views_that_their_storage_just_has(tmp_path):
    for offset, shape, strides in [(5, (2, 2), (1, 1)), (0, (2, 2), (4, 3)), (8, (0, 7), (7, 1))]:
        write_view(tmp_path / "x", 8, offset, shape, strides)
        wanted = torch.arange(8.0).as_strided(shape, strides, offset)
        assert same(read_inert(tmp_path / "x"), wanted)


def write_view(path, count, offset, shape, strides):
    """An archive with a tensor of eight numbers, as told."""
    out = io.BytesIO()
    pickler = pickle._Pickler(out, 2)
    pickler.persistent_id = lambda thing: thing.reference if isinstance(thing, Stored) else None
    stored = Stored(("storage", torch.FloatStorage, "0", "cpu", count))
    rebuild = torch._utils._rebuild_tensor_v2
    pickler.dump(Rebuilt(rebuild, stored, offset, shape, strides, False, {}))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x/data.pkl", out.getvalue())
        file.writestr("x/data/0", struct.pack("<8f", *range(8)))


class Stored:
    def __init__(self, reference):
        self.reference = reference


# ------------------------------------------------------------------------------------ other files

OTHERS = {
    b"<!DOCTYPE html><html>not found</html>": "a web page: the download may have failed",
    b"\n <html lang='en'>": "a web page",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "a web page",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "Git LFS pointer",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x89PNG\r\n\x1a\n": "a picture",
    b"\xff\xd8\xff\xe0": "a picture",
    b"RIFF\0\0\0\0WEBP": "a picture",
    b"\x93NUMPY\x01\0": "an array of numpy's",
    b"\x1f\x8b\x08": "a packed archive: unpack it",
    bytes(257) + b"ustar\0": "a tar archive: unpack it",
    b"GGUF\x03": "a language model",
    b"\x08\x07\x12\x07pytorch\x1a": "an ONNX network",
    b"%PDF-1.7": "a PDF",
    struct.pack("<Q", 2) + b"{}": "a .safetensors file",
    b'{"model": "stylegan2"}': "a JSON file",
    b"import torch\n": "a text",
    b"channels: 512\n": "a text",
    b"(see the other folder)\n": "a text",
    bytes(30) + (0xDB4775248B80FB57).to_bytes(8, "little"): "the index of a TensorFlow checkpoint",
    bytes(100): "of a kind that is not known",
    b"PK\x03\x04" + bytes(60): "cut off or damaged",
}


@pytest.mark.parametrize("content", OTHERS)
def test_other_files_are_named(tmp_path, content):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(CheckpointError, match=OTHERS[content]) as raised:
        read_inert(tmp_path / "x.pkl")
    assert str(raised.value).startswith("x.pkl: ")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["[Content_Types].xml", "word/document.xml"], "an office document"),
        (["config.json", "model.weights.h5"], "a Keras network"),
        (["a.npy", "b.npy"], "an archive of numpy's arrays"),
        (["files/network.pkl", "readme.txt"], "with 'files/network.pkl' in it: unpack it"),
        (["readme.txt"], "not one that torch.save wrote"),
    ],
)
def test_other_archives_are_named(tmp_path, names, message):
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, b"content")
    with pytest.raises(CheckpointError, match=message):
        read_inert(tmp_path / "x")


def test_what_is_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        read_inert(tmp_path)
    with pytest.raises(CheckpointError, match="there is no file"):
        read_inert(tmp_path / "x")
    (tmp_path / "x").touch()
    with pytest.raises(CheckpointError, match="is empty"):
        read_inert(tmp_path / "x")


def test_files_that_are_too_large(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)  # without taking the space
    with pytest.raises(CheckpointError, match="up to 4 are read"):
        read_inert(tmp_path / "x")
