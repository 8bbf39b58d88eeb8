"""From the shapes of a generator's weights to its construction.

Whatever project a file comes from, its weights are first given the names of our state dict. Then
their shapes tell nearly all: the names of blocks tell the resolution, their channels, where RGB is
made tells the architecture. What shapes can't tell (the clamp, the mapping's learning rate) the
format has to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from nbdrag.generators.config import SMALLEST, StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.layers import binomial_filter
from nbdrag.generators.mapping import Mapping as MappingNetwork
from nbdrag.generators.stylegan2 import Generator

Weights = dict[str, Tensor]
Architecture = Literal["skip", "resnet", "orig"]

LARGEST = 4096
BROADEST = 1 << 20  # channel_base
SAMPLES = 4096  # of w, for its mean, as their codes take


def construction(
    weights: Mapping[str, Tensor],
    *,
    architecture: Architecture = "skip",
    conv_clamp: float | None = None,
    learning_rate: float = 0.01,
    rule: tuple[int, int] | None = None,
) -> StyleGAN2Config:
    """Tell a generator's construction.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Under our names.
    architecture : {"skip", "resnet", "orig"}
        Of a generator of one block, whose names don't tell.
    conv_clamp, learning_rate : float, optional
        As in the config.
    rule : tuple of int, optional
        `channel_base` and `channel_max` as the file has them; they count if they hold. Default: the
        usual ones if they hold, else the least that do.

    Raises
    ------
    CheckpointError
        If a network or a block isn't there, or the construction is none of ours.
    """
    blocks = numbers(r"synthesis\.b(\d{1,6})\.", weights)
    layers = numbers(r"mapping\.fc(\d{1,6})\.", weights)
    if not blocks or not layers:
        lacking = "mapping" if blocks else "synthesis"
        raise CheckpointError(
            f"the file has no {lacking} network; a generator is a mapping network, from z to w, "
            f"and a synthesis network, from w to a picture."
        )
    resolution, count = max(blocks), max(layers) + 1
    channels = block_channels(weights, resolution)
    refuse_other_shapes(weights, blocks)

    last, embed = f"mapping.fc{count - 1}", "mapping.embed.weight"
    w_dim = first_size(weights, (f"{last}.weight", 0), (f"{last}.bias", 0)) or 512
    width = first_size(weights, ("mapping.fc0.weight", 0), ("mapping.fc0.bias", 0)) or w_dim
    embed_width = first_size(weights, (embed, 0)) or 0
    inputs = first_size(weights, ("mapping.fc0.weight", 1)) or w_dim + embed_width
    if inputs <= embed_width:
        raise CheckpointError("the generator takes no z, labels alone; that is not supported.")
    usual = StyleGAN2Config.channel_base, StyleGAN2Config.channel_max
    rules = (rule, usual, least_rule(channels))
    base, most = next((rule for rule in rules if rule and holds(rule, channels)), (None, None))
    try:
        return StyleGAN2Config(
            resolution=resolution,
            base_width=first_size(weights, ("synthesis.b4.const", 2)) or SMALLEST,
            z_dim=inputs - embed_width,
            w_dim=w_dim,
            num_labels=first_size(weights, (embed, 1)) or 0,
            mapping_layers=count,
            mapping_width=None if width == w_dim or count == 1 else width,
            embed_width=None if embed_width in (0, w_dim) else embed_width,
            mapping_learning_rate=learning_rate,
            channel_base=base or StyleGAN2Config.channel_base,
            channel_max=most or StyleGAN2Config.channel_max,
            block_channels=tuple(channels.values()) if base is None else None,
            architecture=architecture if resolution == SMALLEST else told(weights, resolution),
            conv_clamp=conv_clamp,
        )
    except ValueError as error:
        raise CheckpointError(f"the generator's construction is not supported: {error}") from None


def numbers(pattern: str, names: Mapping[str, object]) -> set[int]:
    """The numbers in those names that begin as a pattern says."""
    return {int(match[1]) for name in names if (match := re.match(pattern, name))}


def first_size(weights: Mapping[str, Tensor], *axes: tuple[str, int]) -> int | None:
    """Length of the first of some axes of weights that is there."""
    for name, axis in axes:
        if name in weights and weights[name].ndim > axis:
            return weights[name].shape[axis]
    return None


def block_channels(weights: Mapping[str, Tensor], resolution: int) -> dict[int, int]:
    """Channels of every block up to the last."""
    if not SMALLEST <= resolution <= LARGEST or resolution & (resolution - 1):
        raise CheckpointError(
            f"the generator has a block {resolution}; blocks are named by their height in pixels, "
            f"a power of two from {SMALLEST} to {LARGEST}."
        )
    channels = {}
    for r in (1 << i for i in range(2, resolution.bit_length())):
        block = f"synthesis.b{r}"
        found = first_size(
            weights, (f"{block}.conv1.bias", 0), (f"{block}.conv1.weight", 0), (f"{block}.const", 0)
        )
        if not found:
            raise CheckpointError(
                f"the generator has a block {resolution}, but of block {r} no convolution."
            )
        channels[r] = found
    return channels


def refuse_other_shapes(weights: Mapping[str, Tensor], blocks: set[int]) -> None:
    """Refuse generators that start from another size, or don't make RGB."""
    rows = first_size(weights, ("synthesis.b4.const", 1))
    if rows not in (None, SMALLEST):
        raise CheckpointError(
            f"the generator's learned constant has {rows} rows; {SMALLEST} are supported."
        )
    for r in blocks:
        made = first_size(weights, (f"synthesis.b{r}.torgb.weight", 0))
        if made not in (None, 3):
            raise CheckpointError(
                f"the generator makes pictures of {made} channels; 3, for RGB, are supported."
            )


def least_rule(channels: Mapping[int, int]) -> tuple[int, int]:
    """The smallest `channel_base` and `channel_max` that allow these channels."""
    return max(number * r for r, number in channels.items()), max(channels.values())


def holds(rule: tuple[int, int], channels: Mapping[int, int]) -> bool:
    """Tell whether the channels are as `channel_base` and `channel_max` say."""
    base, most = rule
    fit = all(number == min(most, base // r) for r, number in channels.items())
    return fit and base <= BROADEST


def told(weights: Mapping[str, Tensor], resolution: int) -> Architecture:
    """Tell the architecture by where shortcuts and RGB are."""
    if numbers(r"synthesis\.b(\d+)\.skip\.", weights):
        return "resnet"
    return "skip" if numbers(r"synthesis\.b(\d+)\.torgb\.", weights) - {resolution} else "orig"


# ----------------------------------------------------------------------------- what may be left out


def complete(weights: Weights, config: StyleGAN2Config) -> tuple[Weights, tuple[str, ...]]:
    """Add what a file may leave out: filters, noise and the average w.

    Returns
    -------
    tuple
        The weights, and a note on each thing whose lack shows in pictures.
    """
    with torch.device("meta"):  # no memory, however large
        expected = Generator(config).state_dict()
    added: Weights = {}
    for name in expected.keys() - weights.keys():
        if name.endswith(".resample_filter"):
            added[name] = binomial_filter()
        elif name.endswith((".noise_const", ".noise_strength")):
            added[name] = torch.zeros(()).expand(expected[name].shape)
        elif name == "mapping.w_avg":
            added[name] = mean_w(weights, config)
    silent = (name for name in added if name.endswith(".noise_const"))
    if any(name.replace("_const", "_strength") in weights for name in silent):
        return weights | added, ("the fixed noise isn't in the file; pictures are without it.",)
    return weights | added, ()


def mean_w(weights: Mapping[str, Tensor], config: StyleGAN2Config) -> Tensor:
    """Mean of w over many z, shape [w_dim]; zero for a conditional generator.

    The files of some projects don't hold it; their codes sample it as is done here.
    """
    mean = torch.zeros(config.w_dim)
    with torch.device("meta"):
        mapping = MappingNetwork(config, torch.Generator())
    found = {name[8:]: t.float() for name, t in weights.items() if name.startswith("mapping.")}
    found["w_avg"] = mean
    expected = {name: tensor.shape for name, tensor in mapping.state_dict().items()}
    if config.num_labels or {name: t.shape for name, t in found.items()} != expected:
        return mean
    mapping.load_state_dict(found, assign=True)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        batches = (torch.randn(512, config.z_dim, generator=rng) for _ in range(SAMPLES // 512))
        return torch.stack([mapping(z)[:, 0].mean(0) for z in batches]).mean(0)
