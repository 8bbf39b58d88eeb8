"""A valid file of every kind, as small as they come: to cut, to bend, and to begin fuzzing with."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from nbdrag.generators.config import StyleGAN2Config
from tests.generators.formats.states import make_state
from tests.generators.formats.writing import (
    nvidia_module,
    nvidia_pickle,
    nvidia_snapshot,
    pti_file,
)
from tests.generators.formats.writing_rosinality import (
    basicsr_file,
    encoder_file,
    openmmlab_file,
    rosinality_file,
    rosinality_training_file,
)
from tests.generators.formats.writing_tensorflow import tensorflow_networks, tensorflow_pickle

TINY = StyleGAN2Config(
    resolution=8, z_dim=2, w_dim=2, mapping_layers=1, channel_base=16, channel_max=2
)


def write_corpus(folder: Path, config: StyleGAN2Config = TINY) -> Iterator[Path]:
    """Write the files, and give their paths; all of them hold the same generator."""
    state = make_state(config)
    for protocol in range(6):
        module = {"G_ema": nvidia_module(state, config)}
        yield nvidia_pickle(module, folder / f"nvidia{protocol}.pkl", protocol=protocol)
    yield nvidia_snapshot(state, config, folder / "snapshot.pkl")
    for protocol in (2, 3, 4, 5):
        networks = tensorflow_networks(state, config)
        yield tensorflow_pickle(networks, folder / f"tensorflow{protocol}.pkl", protocol=protocol)
    yield pti_file(state, config, folder / "pti.pt")
    yield pti_file(state, config, folder / "old_pti.pt", archive=False)
    yield rosinality_file(state, folder / "rosinality.pt")
    yield rosinality_file(state, folder / "old_rosinality.pt", archive=False)
    yield rosinality_training_file(state, folder / "training.pt")
    yield encoder_file(state, folder / "e4e.pt")
    yield openmmlab_file(state, folder / "openmmlab.pth")
    yield basicsr_file(state, folder / "basicsr.pth")


def assorted() -> dict[str, object]:
    """Tensors and arrays of all sorts, as torch.save and pickle write them."""
    rng = torch.Generator().manual_seed(0)
    base = torch.randn(5, 6, generator=rng)
    marked = torch.nn.Parameter(torch.randn(3, generator=rng))
    marked.note = "kept with the parameter"  # type: ignore[attr-defined]
    return {
        "parameter": torch.nn.Parameter(torch.randn(3, 4, generator=rng)),
        "parameter with a state": marked,
        "base": base,
        "view": base[1:4, ::2],
        "transposed": base.t(),
        "last": base[-1:],
        "no axes": torch.tensor(2.5),
        "none": torch.zeros(0, 3),
        "float64": torch.randn(2, generator=rng, dtype=torch.float64),
        "float16": torch.randn(3, generator=rng).half(),
        "bfloat16": torch.randn(3, generator=rng).bfloat16(),
        "int64": torch.arange(-2, 5),
        "int32": torch.arange(5, dtype=torch.int32),
        "int16": torch.arange(5, dtype=torch.int16),
        "int8": torch.arange(-5, 5, dtype=torch.int8),
        "uint8": torch.arange(250, 256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "array": np.arange(6.0).reshape(2, 3),
        "array by columns": np.asfortranarray(np.arange(6.0, dtype=np.float32).reshape(2, 3)),
        "array of any order": np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(1, 0, 2),
        "array of big ends": np.arange(3, dtype=">f4"),
        "array of half precision": np.arange(3, dtype=np.float16),
        "array of truths": np.array([True, False]),
        "array without axes": np.array(1.5),
        "array of none": np.zeros((2, 0), np.float32),
        "large array": np.arange(1000, dtype=np.float32),
        "number": np.float32(1.5),
        "whole number": np.int64(-3),
        "truth": np.bool_(True),
    }


def same(found: object, wanted: object) -> bool:
    """Tell whether a tensor is what torch makes of a tensor or an array: type, shape and values."""
    if isinstance(wanted, np.ndarray | np.generic):
        wanted = torch.from_numpy(np.array(wanted, wanted.dtype.newbyteorder("="), order="C"))
    assert isinstance(wanted, torch.Tensor)
    return (
        isinstance(found, torch.Tensor)
        and found.dtype == wanted.dtype
        and found.shape == wanted.shape
        and torch.equal(found, wanted.detach())
    )
