"""DragGAN the published way: the plain reference that `benchmarks.drag` measures ours against.

Everything here is done as the papers' own programs do it, in float32:

- styles scale the *weights*, a set of them made anew for every picture (StyleGAN2, Eq. 1-3);
- the whole picture is synthesised in every step, with a graph for gradients through all of it;
- the features of the middle block, as many channels as it has, are resized to the picture;
- the mask's term compares two such maps as large as the picture;
- handles are looked for in the resized map.

The loss and the optimiser are those of `nbdrag.editing.draggan`, and so are the weights, read from
our generator by name; so both take the same trajectory, and only what a step costs differs. It is
for unconditional square "skip" generators only.

References
----------
Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020, Sec. 2.2.
Pan et al., Drag Your GAN, SIGGRAPH 2023, Sec. 3.2-3.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from nbdrag.editing.draggan import DragOptions
from nbdrag.generators.stylegan2 import Generator


def plain_drag(
    generator: Generator,
    ws: Tensor,
    handles: Tensor,
    targets: Tensor,
    mask: Tensor | None,
    options: DragOptions,
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Drag; yields ws [num_ws, w_dim], points [P, 2] and the loss after every update.

    The arguments are those of `nbdrag.editing.draggan.drag`.
    """
    size, layers = generator.resolution, options.movable_layers
    block = options.feature_block or min(128, size // 2)
    weights = generator.synthesis.state_dict()
    movable = ws[:layers].clone().requires_grad_()
    optimizer = torch.optim.Adam([movable], lr=options.learning_rate)
    offsets = torch.arange(-math.ceil(options.patch_radius), math.ceil(options.patch_radius) + 1.0)
    patch = torch.cartesian_prod(offsets, offsets)
    patch = patch[patch.norm(dim=1) < options.patch_radius]
    points, first = handles, None

    def forward() -> Tensor:
        latent = torch.cat([movable, ws[layers:]])
        _image, features = synthesise(generator, weights, latent, tap=block)
        return functional.interpolate(features, (size, size), mode="bilinear", align_corners=False)

    resized = forward()
    first = resized.detach()
    wanted = read(first, handles)
    while True:
        # All patches at once; one after another would need a gradient of the whole map for each.
        pixels = (points[:, None] + patch).flatten(0, 1)
        direction = functional.normalize(targets - points, dim=1).repeat_interleave(len(patch), 0)
        loss = (read(resized, pixels + direction) - read(resized.detach(), pixels)).abs().sum()
        if mask is not None:
            outside = (~mask).float()
            changed = (resized * outside - first * outside).abs().sum() / outside.numel()
            loss = loss + options.mask_weight * len(patch) * changed
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        resized = forward()
        points = track(resized.detach(), wanted, points, options.search_radius)
        yield torch.cat([movable.detach(), ws[layers:]]), points, loss.item()


def read(resized: Tensor, points: Tensor) -> Tensor:
    """Values [Q, C] of a map [1, C, H, H] at points [Q, 2] in pixels."""
    grid = (points / resized.shape[-1] * 2 - 1)[None, None]
    values = functional.grid_sample(resized, grid, padding_mode="border", align_corners=False)
    return values[0, :, 0].T


def track(resized: Tensor, wanted: Tensor, points: Tensor, radius: float) -> Tensor:
    """Where, about each point, the features are nearest to those wanted (Eq. 2)."""
    reach = math.ceil(radius) - 1
    offsets = torch.arange(-reach, reach + 1.0)
    window = torch.cartesian_prod(offsets, offsets)
    window = window[window.norm(dim=1).argsort(stable=True)]
    found = []
    for point, feature in zip(points, wanted, strict=True):
        places = point + window
        distance = (read(resized, places) - feature).abs().sum(1)
        outside = ((places < 0) | (places > resized.shape[-1])).any(1)
        found.append(places[distance.masked_fill(outside, math.inf).argmin()])
    return torch.stack(found)


# --------------------------------------------------------------------- synthesis, weights modulated


def synthesise(
    generator: Generator, weights: dict[str, Tensor], ws: Tensor, *, tap: int
) -> tuple[Tensor, Tensor]:
    """The picture [1, 3, H, H], and the features [1, C, tap, tap] of one block on the way."""
    row, features = 0, None
    x = weights["b4.const"][None]
    image: Tensor | None = None
    for resolution in generator.block_resolutions:
        name = f"b{resolution}"
        for conv in ("conv0", "conv1"):
            if f"{name}.{conv}.weight" not in weights:  # the first block has one convolution
                continue
            x = styled_conv(x, weights, f"{name}.{conv}", ws[row], upsamples=conv == "conv0")
            row += 1
        rgb = to_rgb(x, weights, f"{name}.torgb", ws[row])
        image = rgb if image is None else enlarge(image, weights[f"{name}.resample_filter"]) + rgb
        if resolution == tap:
            features = x
    if image is None or features is None:
        raise ValueError(f"tap is {tap}; the blocks are {generator.block_resolutions}.")
    return image, features


def styled_conv(
    x: Tensor, weights: dict[str, Tensor], name: str, w: Tensor, *, upsamples: bool
) -> Tensor:
    """Modulate and demodulate the weights, convolve, add noise and bias, rectify."""
    weight = modulated(weights, name, w)
    weight = weight * (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).rsqrt()
    if upsamples:
        x = functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        x = filtered(functional.pad(x, [1, 1, 1, 1]), 4 * weights[f"{name}.resample_filter"])
    else:
        x = functional.conv2d(x, weight, padding=1)
    x = x + weights[f"{name}.noise_const"] * weights[f"{name}.noise_strength"]
    x = x + weights[f"{name}.bias"][:, None, None]
    return functional.leaky_relu(x, 0.2) * math.sqrt(2)


def to_rgb(x: Tensor, weights: dict[str, Tensor], name: str, w: Tensor) -> Tensor:
    """A modulated 1x1 convolution to three channels."""
    weight = modulated(weights, name, w) / math.sqrt(x.shape[1])
    return functional.conv2d(x, weight) + weights[f"{name}.bias"][:, None, None]


def modulated(weights: dict[str, Tensor], name: str, w: Tensor) -> Tensor:
    """The weights [O, C, k, k], every input channel scaled by its style."""
    affine = weights[f"{name}.affine.weight"]
    styles = affine @ w / math.sqrt(len(w)) + weights[f"{name}.affine.bias"]
    return weights[f"{name}.weight"] * styles[:, None, None]


def enlarge(x: Tensor, taps: Tensor) -> Tensor:
    """Double the size: zeros between the pixels, then the filter."""
    n, channels, height, width = x.shape
    spread = x.new_zeros(n, channels, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = x
    spread = spread.reshape(n, channels, 2 * height, 2 * width)
    return filtered(functional.pad(spread, [2, 1, 2, 1]), 4 * taps)


def filtered(x: Tensor, taps: Tensor) -> Tensor:
    """Filter every channel by itself."""
    channels = x.shape[1]
    return functional.conv2d(x, taps.expand(channels, 1, 4, 4), groups=channels)
