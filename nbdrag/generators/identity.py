"""Which generator is it? A hash of what it is, and one line of what to expect of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


def generator_hash(generator: Generator) -> str:
    """Identify a generator by construction and weights.

    Weights count in half precision, so that a generator, its file, and any of its conversions
    agree. Of the construction only what differs from the default counts: a way of building
    generators that is added one day leaves the hashes of all others as they are.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    digest = hashlib.sha256(json.dumps(peculiarities(generator.config), sort_keys=True).encode())
    for name, tensor in sorted(half_precision(generator).items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def summary(generator: Generator) -> str:
    """One line: the picture's size, the latents, the layers, and where it comes from."""
    config = generator.config
    blocks = config.block_resolutions
    size = f"{generator.width}x{generator.height} px"
    if config.num_labels:
        size += f", {config.num_labels} classes"
    latents = f"z of {config.z_dim}, {config.num_ws} ws of {config.w_dim}"
    layers = (
        f"{config.mapping_layers} + {config.num_ws - 1} layers of "
        f"{min(map(config.channels, blocks))} to {max(map(config.channels, blocks))} channels"
    )
    source = f" from {generator.source!r}" if generator.source else ""
    return f"<Generator{source}: {size}, {latents}, {layers}>"


def half_precision(generator: Generator) -> dict[str, Tensor]:
    """Give all parameters and buffers in float16, on the CPU."""
    state: dict[str, Tensor] = generator.state_dict()
    return {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in state.items()
    }


def peculiarities(config: StyleGAN2Config) -> dict[str, object]:
    """What of a construction isn't as usual, said in one way whichever way it was said.

    Channels and widths are those that the layers have, not the rules that they follow.
    """
    said_otherwise = {"channel_base", "channel_max", "block_channels"}
    values = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in said_otherwise and getattr(config, field.name) != field.default
    }
    for width in ("mapping_width", "embed_width"):
        if values.get(width) == config.w_dim:
            del values[width]
    return {**values, "channels": [config.channels(r) for r in config.block_resolutions]}
