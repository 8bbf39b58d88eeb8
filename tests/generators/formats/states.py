"""Small generators to write into files."""

import dataclasses

import torch
from hypothesis import strategies as st
from torch import Tensor

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.formats import Checkpoint
from nbdrag.generators.stylegan2 import Generator

SMALL = StyleGAN2Config(
    resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=16
)
OTHER_WIDTHS = dataclasses.replace(
    SMALL,
    resolution=32,
    z_dim=5,
    num_labels=3,
    mapping_width=7,
    embed_width=4,
    mapping_learning_rate=0.1,
    conv_clamp=256.0,
    architecture="resnet",
)
OBLONG = dataclasses.replace(SMALL, base_width=2, architecture="orig")


def make_state(config: StyleGAN2Config, seed: int = 0) -> dict[str, Tensor]:
    """Weights all of which matter; quarters, so that sums with ones are exact."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in Generator(config, rng).state_dict().items():
        if not name.endswith("resample_filter"):
            tensor = torch.randint(-16, 17, tensor.shape, generator=rng) / 8
        state[name] = tensor
    return state


def assert_same(found: Checkpoint, state: dict[str, Tensor], *but: str) -> None:
    """All weights are there, bit for bit, and no others; but those named."""
    assert found.weights.keys() == state.keys()
    for name, tensor in state.items():
        if name not in but:
            assert found.weights[name].shape == tensor.shape, name
            assert torch.equal(found.weights[name], tensor), name


@st.composite
def configs(draw: st.DrawFn, **fixed: object) -> StyleGAN2Config:
    """Constructions of all kinds, small ones."""
    resolution = draw(st.sampled_from([4, 8, 16, 32]))
    blocks = resolution.bit_length() - 2
    values = {
        "resolution": resolution,
        "base_width": draw(st.sampled_from([1, 2, 4, 6])),
        "z_dim": draw(st.integers(1, 9)),
        "w_dim": draw(st.integers(1, 9)),
        "num_labels": draw(st.integers(0, 3)),
        "mapping_layers": draw(st.integers(1, 3)),
        "mapping_width": draw(st.none() | st.integers(1, 9)),
        "embed_width": draw(st.none() | st.integers(1, 9)),
        "mapping_learning_rate": draw(st.sampled_from([0.01, 0.1, 1.0])),
        "block_channels": draw(st.none() | st.tuples(*[st.integers(1, 9) for _ in range(blocks)])),
        "channel_base": draw(st.integers(32, 300)),
        "channel_max": draw(st.integers(1, 20)),
        "architecture": draw(st.sampled_from(["skip", "resnet", "orig"])),
        "conv_clamp": draw(st.none() | st.sampled_from([256.0, 0.5])),
    }
    return StyleGAN2Config(**(values | fixed))


def canonical(config: StyleGAN2Config, **fixed: object) -> StyleGAN2Config:
    """The same construction, with all said that is said by default, and nothing idle."""
    blocks = config.block_resolutions
    embed_width = config.embed_width or config.w_dim
    return dataclasses.replace(
        config,
        block_channels=tuple(map(config.channels, blocks)),
        channel_base=32768,
        channel_max=512,
        mapping_width=(config.mapping_width or config.w_dim) if config.mapping_layers > 1 else None,
        embed_width=embed_width if config.num_labels else None,
        **fixed,
    )
