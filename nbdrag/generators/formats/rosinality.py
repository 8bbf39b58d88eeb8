"""StyleGAN2 as rosinality's stylegan2-pytorch writes it, and much that was built on it.

A file is a dict of state dicts: "g_ema", and from a training "g", "d" and optimisers beside it.
pSp and e4e keep the same generator as their "decoder"; StyleGAN-Human has an oblong one. The
average w, "latent_avg", stands beside the state dicts, or isn't there, and is sampled when needed.

The weights are those of NVIDIA's code under other names; all convolutions that come after the first
block are numbered, two to a block, and so are the noise maps. BasicSR renames once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.construction import Weights, complete, construction
from nbdrag.generators.formats.contents import Contents, find_network
from nbdrag.generators.formats.found import Checkpoint

ANCHOR = r"input\.input|(?:conv1|to_rgb1)\.conv\.modulation\.weight"
BASICSR = r"constant_input\.weight|(?:style_conv1|to_rgb1)\.modulated_conv\.weight"
ANCHORS = (ANCHOR, BASICSR)

FROM_BASICSR = (
    (r"style_mlp\.", r"style."),
    (r"constant_input\.weight$", r"input.input"),
    (r"style_conv(1|s\.\d+)\.weight$", r"conv\1.noise.weight"),
    (r"style_conv(1|s\.\d+)\.", r"conv\1."),
    (r"(conv1|convs\.\d+|to_rgb1|to_rgbs\.\d+)\.modulated_conv\.", r"\1.conv."),
    (r"noises\.noise(\d+)$", r"noises.noise_\1"),
)

MODULATED = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
}
CONVOLUTION = MODULATED | {
    "conv.blur.kernel": "resample_filter",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
}
RGB = MODULATED | {"bias": "bias"}


def read(found: Contents) -> Checkpoint:
    """Read a generator; of BasicSR, if there is none of rosinality's.

    Raises
    ------
    CheckpointError
        If there is none, or one that is not supported.
    """
    if find_network(found, ANCHOR):
        return read_as("rosinality StyleGAN2", found, ANCHOR)
    return read_as("BasicSR StyleGAN2", found, BASICSR, FROM_BASICSR)


def read_as(
    project: str, found: Contents, anchor: str, renamings: Iterable[tuple[str, str]] = ()
) -> Checkpoint:
    """Read a generator of rosinality's, or of a project that has renamed its weights.

    Parameters
    ----------
    project : str
        What to call it.
    found : Contents
        The file. The average w may stand anywhere in it.
    anchor : str
        The names to find the generator by.
    renamings : iterable of tuple of str
        Regular expressions and what to replace them by, at the beginning of names, one after the
        other, to have rosinality's names.
    """
    network = find_network(found, anchor)
    if network is None:
        raise CheckpointError("it holds no generator.")
    weights: Weights = {}
    for name, tensor in network.tensors.items():
        for pattern, replacement in renamings:
            name = re.sub(rf"^(?:{pattern})", replacement, name)
        ours = our_name(name)
        if ours in weights:
            raise CheckpointError(f"it holds {ours} twice.")
        weights[ours] = our_shape(ours, tensor)
    kind = f"{project}, {network.name}" if network.name else project
    w_avg = average(found)
    if w_avg is None:
        kind += ", average w sampled"
    else:
        weights["mapping.w_avg"] = w_avg
    config = construction(weights)
    weights, notes = complete(weights, config)
    return Checkpoint(config, weights, kind, notes)


def average(found: Contents) -> Tensor | None:
    """The average w; encoders keep a row of it for each layer."""
    for name, tensor in found.tensors.items():
        if name.split(".")[-1] in ("latent_avg", "truncation_latent") and tensor.numel():
            rows = tensor.reshape(-1, tensor.shape[-1] if tensor.ndim else 1)
            alike = len(rows) == 1 or bool((rows == rows[:1]).all())
            return rows[0] if alike else rows.float().mean(0)
    return None


# ----------------------------------------------------------------------------------- names, shapes


def our_name(name: str) -> str:
    """Translate a name; an unknown one stays as it is."""
    if match := re.fullmatch(r"style\.([1-9]\d{0,3})\.(weight|bias)", name):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if name == "input.input":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", name):
        return f"synthesis.{convolution(int(match[1]))}.noise_const"
    if match := re.fullmatch(r"to_rgbs\.(\d{1,2})\.upsample\.kernel", name):
        return f"synthesis.b{8 << int(match[1])}.resample_filter"
    if match := re.fullmatch(r"(conv|to_rgb)(?:1|s\.(\d{1,2}))\.(.+)", name):
        kind, index, rest = match.groups()
        number = 0 if index is None else int(index) + 1
        if kind == "conv" and rest in CONVOLUTION:
            return f"synthesis.{convolution(number)}.{CONVOLUTION[rest]}"
        if kind == "to_rgb" and rest in RGB:
            return f"synthesis.b{4 << number}.torgb.{RGB[rest]}"
    return name


def convolution(number: int) -> str:
    """Name a convolution by its number from the first: "b4.conv1", "b8.conv0", "b8.conv1", ..."""
    return f"b{4 << (number + 1) // 2}.conv{(number + 1) % 2}"


def our_shape(ours: str, tensor: Tensor) -> Tensor:
    """Drop axes of length one, and the factor 4 that their filters have for zeros in between."""
    *_, layer, name = f".{ours}".rsplit(".", 2)
    if name == "resample_filter":
        return tensor / 4
    if name == "noise_strength" and tensor.shape == (1,):
        return tensor[0]
    if name == "noise_const" and tensor.ndim == 4 and tensor.shape[:2] == (1, 1):
        return tensor[0, 0]
    if name == "bias" and tensor.ndim == 4 and tensor.shape == (1, tensor.shape[1], 1, 1):
        return tensor[0, :, 0, 0]
    axes = 5 if name == "weight" and layer != "affine" else 4
    if name in ("weight", "const") and tensor.ndim == axes and tensor.shape[0] == 1:
        return tensor[0]
    return tensor
