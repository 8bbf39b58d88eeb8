"""LPIPS: the perceptual distance by VGG16, from files that the user has.

VGG16's thirteen convolutions come in five groups; the features of a stage are the output of the
last rectifier of its group, before the next pooling. The weights of channels were fitted to the
answers of people who were asked which of two pictures is nearer to a third.

Two files are needed, neither of which is ours to ship: the weights of VGG16 as torchvision names
them ("features.0.weight", ...; without its classifier will do), and the linear weights of LPIPS
0.1 as its authors name them ("lin0.model.1.weight", ...). Either may be .pth or .safetensors;
none of their code is run.

References
----------
Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018.
Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from nbdrag.editing.perceptual import Comparison, feature_distance, shrunk

HEIGHT = 256  # pixels; larger pictures are shrunk to it, as StyleGAN2's projection does

# Of every group: where its convolutions stand in torchvision's sequence, and their channels.
GROUPS = (
    ((0, 2), (3, 64, 64)),
    ((5, 7), (64, 128, 128)),
    ((10, 12, 14), (128, 256, 256, 256)),
    ((17, 19, 21), (256, 512, 512, 512)),
    ((24, 26, 28), (512, 512, 512, 512)),
)

# VGG16 expects colours from 0 to 1, less their mean, by their spread. Here for colours in [-1, 1].
MEAN, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

Group: TypeAlias = Sequence[tuple[Tensor, Tensor]]
"""Weight and bias of each convolution."""


def lpips(vgg16: str | PathLike[str], linear: str | PathLike[str], like: Tensor) -> Comparison:
    """Give LPIPS (version 0.1, VGG16).

    Parameters
    ----------
    vgg16 : path-like
        State dict of torchvision's VGG16, trained on ImageNet.
    linear : path-like
        State dict of the linear weights.
    like : Tensor
        Type and device to compute in; `generator.w_avg`, say.

    Returns
    -------
    Comparison
        For `nbdrag.paint(..., perceptual=...)`. Pictures higher than 256 pixels are shrunk to it.

    Raises
    ------
    ValueError
        If a file can't be read, or lacks a weight or has one of another shape.
    """
    groups = read_vgg16(Path(vgg16), like)
    weights = read_linear(Path(linear), like)
    mean, spread = (like.new_tensor(values)[:, None, None] for values in (MEAN, SPREAD))

    def stages(image: Tensor) -> list[Tensor]:
        return vgg16_stages((shrunk(image, HEIGHT) - mean) / spread, groups)

    return feature_distance(stages, weights)


def vgg16_stages(x: Tensor, groups: Sequence[Group]) -> list[Tensor]:
    """Features of the five stages: [N, 64, H, W] to [N, 512, H / 16, W / 16]."""
    features: list[Tensor] = []
    for group in groups:
        if features:
            x = max_pool2d(x, 2)
        for weight, bias in group:
            x = relu(conv2d(x, weight, bias, padding=1))
        features.append(x)
    return features


# --------------------------------------------------------------------------------------- the files


def read_vgg16(path: Path, like: Tensor) -> list[Group]:
    """Read the convolutions of VGG16, group by group."""
    found = read_weights(path)
    return [
        [
            (
                take(found, f"features.{place}.weight", (outputs, inputs, 3, 3), path).to(like),
                take(found, f"features.{place}.bias", (outputs,), path).to(like),
            )
            for place, inputs, outputs in zip(places, channels, channels[1:], strict=False)
        ]
        for places, channels in GROUPS
    ]


def read_linear(path: Path, like: Tensor) -> list[Tensor]:
    """Read the weight of every channel of every stage."""
    found = read_weights(path)
    return [
        take(found, f"lin{i}.model.1.weight", (1, channels[-1], 1, 1), path).to(like).flatten()
        for i, (_, channels) in enumerate(GROUPS)
    ]


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict, running no code.

    Raises
    ------
    ValueError
        If there is no such file, or something else is in it.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{str(path)!r} can't be read ({reason}); expected a state dict, .pth or .safetensors."
        ) from None
    if not isinstance(found, Mapping) or not all(isinstance(t, Tensor) for t in found.values()):
        raise ValueError(f"{str(path)!r} holds something else than a state dict of tensors.")
    return found


def take(found: Mapping[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    """Find one tensor of a state dict. Raises ValueError if it isn't there, or of another shape."""
    if name not in found:
        raise ValueError(f'{str(path)!r} has no "{name}"; is it the right one of the two files?')
    tensor = found[name]
    if tensor.shape != shape:
        raise ValueError(f'"{name}" in {str(path)!r} is {list(tensor.shape)}, not {list(shape)}.')
    return tensor.detach()
