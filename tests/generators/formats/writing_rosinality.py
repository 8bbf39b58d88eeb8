"""Writes generators as rosinality's code does, and those that followed it."""

import argparse
import math
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.generators.formats.writing import State


def rosinality_state(state: State) -> dict[str, Tensor]:
    """The state dict under rosinality's names; the average w isn't in it."""
    renamed = OrderedDict()
    for ours, tensor in state.items():
        if (name := rosinality_name(ours)) is not None:
            renamed[name] = rosinality_shape(ours, tensor)
    return renamed


def rosinality_name(ours: str) -> str | None:
    rest = {
        "weight": "conv.weight",
        "affine.weight": "conv.modulation.weight",
        "affine.bias": "conv.modulation.bias",
        "noise_strength": "noise.weight",
        "bias": "activate.bias",
        "resample_filter": "conv.blur.kernel",
    }
    match ours.split("."):
        case ["mapping", "w_avg"] | ["synthesis", "b4", "resample_filter"]:
            return None
        case ["mapping", layer, last]:
            return f"style.{int(layer[2:]) + 1}.{last}"
        case ["synthesis", "b4", "const"]:
            return "input.input"
        case ["synthesis", block, "resample_filter"]:
            return f"to_rgbs.{int(math.log2(int(block[1:]))) - 3}.upsample.kernel"
        case ["synthesis", block, "torgb", *last]:
            level = int(math.log2(int(block[1:])))
            layer = "to_rgb1" if level == 2 else f"to_rgbs.{level - 3}"
            return f"{layer}.bias" if last == ["bias"] else f"{layer}.{rest['.'.join(last)]}"
        case ["synthesis", block, layer, *last]:
            number = 2 * int(math.log2(int(block[1:]))) - 6 + int(layer[-1])
            if last == ["noise_const"]:
                return f"noises.noise_{number + 1}"
            if last == ["resample_filter"] and layer == "conv1":
                return None  # only layers that double the size have one
            return f"{'conv1' if number < 0 else f'convs.{number}'}.{rest['.'.join(last)]}"
    raise AssertionError(ours)


def rosinality_shape(ours: str, tensor: Tensor) -> Tensor:
    if ours.endswith("resample_filter"):
        return 4 * tensor
    if ours.endswith("noise_strength"):
        return tensor[None]
    if ours.endswith("noise_const"):
        return tensor[None, None]
    if ours.endswith("torgb.bias"):
        return tensor[None, :, None, None]
    return tensor[None] if tensor.ndim >= 3 else tensor


def rosinality_file(state: State, path: Path, *, archive: bool = True) -> Path:
    """What its converter writes, to sample from."""
    content = {"g_ema": rosinality_state(state), "latent_avg": state["mapping.w_avg"]}
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    return path


def rosinality_training_file(state: State, path: Path) -> Path:
    """What its training writes: both generators, optimisers, and its arguments."""
    discriminator = nn.Linear(2, 2)
    optimiser = torch.optim.Adam(discriminator.parameters())
    discriminator(torch.ones(2)).sum().backward()
    optimiser.step()
    torch.save(
        {
            "g": {name: t + 1 for name, t in rosinality_state(state).items()},
            "d": discriminator.state_dict(),
            "g_ema": rosinality_state(state),
            "g_optim": optimiser.state_dict(),
            "d_optim": optimiser.state_dict(),
            "args": argparse.Namespace(size=64, n_mlp=8, path="faces", lr=0.002, ckpt=None),
            "ada_aug_p": 0.25,
        },
        path,
    )
    return path


def encoder_file(state: State, path: Path) -> Path:
    """What pSp and e4e write: an encoder and its decoder, and the average w for every layer."""
    decoder = {f"decoder.{name}": t for name, t in rosinality_state(state).items()}
    encoder = {"encoder.input_layer.0.weight": torch.ones(4, 3, 3, 3)}
    torch.save(
        {
            "state_dict": encoder | decoder,
            "latent_avg": state["mapping.w_avg"].repeat(18, 1),
            "opts": {"encoder_type": "Encoder4Editing", "output_size": 64},
        },
        path,
    )
    return path


def openmmlab_file(state: State, path: Path, *, prefix: str = "generator_ema.") -> Path:
    """What mmgeneration publishes and trains."""
    renamed = {}
    for name, tensor in rosinality_state(state).items():
        name = name.replace("input.input", "constant_input.input")
        name = name.replace("noises.noise_", "injected_noise_")
        name = name.replace(".modulation.weight", ".style_modulation.linear.weight_orig")
        name = name.replace(".modulation.bias", ".style_modulation.bias")
        name = name.replace(".conv.weight", ".conv.weight_orig")
        name = name.replace(".noise.weight", ".noise_injector.weight")
        if name.startswith("style."):
            name = "style_mapping." + name[6:].replace("weight", "linear.weight_orig")
        renamed[prefix + name] = tensor
    others = {f"generator.{n[len(prefix) :]}": t + 1 for n, t in renamed.items()}
    trained = others | {"discriminator.convs.0.conv.weight_orig": torch.ones(2, 2)}
    content = {
        "meta": {"mmgen_version": "0.7.1", "epoch": 1, "iter": 800000, "config": "model = dict()"},
        "state_dict": (trained if prefix == "generator_ema." else {}) | renamed,
        "optimizer": {"generator": {"state": {}, "param_groups": [{"lr": 0.002}]}},
    }
    torch.save(content, path)
    return path


def basicsr_file(state: State, path: Path) -> Path:
    """What BasicSR writes; it keeps no filters."""
    renamed = {}
    for name, tensor in rosinality_state(state).items():
        if name.endswith("kernel"):
            continue
        name = name.replace("input.input", "constant_input.weight").replace("noise_", "noise")
        if name.startswith(("conv1.", "convs.")):
            name = f"style_{name}".replace(".noise.weight", ".weight")
        name = name.replace(".conv.", ".modulated_conv.")
        renamed[name.replace("style.", "style_mlp.", 1) if name[:6] == "style." else name] = tensor
    torch.save({"params": {n: t + 1 for n, t in renamed.items()}, "params_ema": renamed}, path)
    return path
