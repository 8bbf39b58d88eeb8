"""The critic of a StyleGAN2: pictures in, one logit each out.

The network is a pyramid of blocks, one per resolution, each handing features at half its size to
the next. Beside the features walks the picture itself, halved at every block, and each block adds
its own 1x1 view of it (``from_rgb``). So a picture of any size enters at the block of its size,
and the critic of small pictures is the lower part of the critic of large ones, weights and all:

    features(r/2) = from_rgb(r/2)(picture halved) + shortcut(features(r)) + branch(features(r))

A block whose last layers are zero changes nothing below it, which is how training grows to the
next resolution without forgetting (`quieten_above`).

Halving is a 2x2 mean, taken before the convolution rather than after. StyleGAN2's wider binomial
filter protects photographs from aliasing; a drawn portrait has soft edges and little to protect,
while the mean leaves a quarter of the pixels to convolve.

Parameters are stored at unit variance and scaled when used (equalised learning rate), so that one
step size fits all layers. Gains that keep a signal's variance ride on the weights: scaling a few
weights is cheaper than scaling every pixel. Parameters stay float32; `compute_dtype` sets what
convolutions run in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 4
RELU = math.sqrt(2)  # gain that makes up for what a rectifier takes away


class Discriminator(nn.Module):
    """A residual critic that accepts pictures of any power-of-two size up to `resolution`.

    Parameters
    ----------
    resolution : int
        Largest accepted height and width, a power of two, 8 or more.
    channel_base, channel_max : int
        The block at resolution r has ``min(channel_max, channel_base // r)`` channels.
    group_size : int
        How many pictures minibatch standard deviation compares with each other.
    compute_dtype : torch.dtype
        What convolutions compute in unless a call says otherwise; parameters are float32.

    References
    ----------
    Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020, Sec. 4.1;
    Progressive Growing of GANs, ICLR 2018, Sec. 3 (minibatch standard deviation) and 4.1
    (equalised learning rate).
    """

    def __init__(
        self,
        resolution: int = 128,
        *,
        channel_base: int = 2048,
        channel_max: int = 128,
        group_size: int = 4,
        compute_dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if resolution < 2 * SMALLEST or resolution & (resolution - 1):
            raise ValueError(f"resolution is {resolution}; it must be a power of two, 8 or more.")
        self.resolution = resolution
        self.group_size = group_size
        self.compute_dtype = compute_dtype
        self.resolutions = [resolution >> i for i in range(resolution.bit_length() - 2)]

        def channels(size: int) -> int:
            return min(channel_max, channel_base // size)

        self.from_rgb = nn.ModuleDict(
            {str(size): EqualConv(3, channels(size), 1, gain=RELU) for size in self.resolutions}
        )
        self.blocks = nn.ModuleDict(
            {
                str(size): Block(channels(size), channels(size // 2))
                for size in self.resolutions[:-1]
            }
        )
        last = channels(SMALLEST)
        self.last_conv = EqualConv(last + 1, last, 3, gain=RELU)
        self.hidden = EqualLinear(last * SMALLEST**2, last, gain=RELU)
        self.logit = EqualLinear(last, 1, gain=1.0)

    def forward(self, images: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
        """Judge pictures.

        Parameters
        ----------
        images : Tensor, shape [N, 3, r, r], nominally in [-1, 1]
            r is any of `resolutions` above 4.
        dtype : torch.dtype, optional
            What to compute in, this once. Gradients of gradients (R1) want float32.

        Returns
        -------
        Tensor, shape [N], float32
            Logits; positive means real.

        Raises
        ------
        ValueError
            If the pictures have another shape.
        """
        size = images.shape[-1]
        if images.shape[1:] != (3, size, size) or size not in self.resolutions[:-1]:
            raise ValueError(
                f"images has shape {tuple(images.shape)}; expected [N, 3, r, r] with r one of "
                f"{self.resolutions[:-1]}."
            )
        picture = images.to(dtype or self.compute_dtype, memory_format=torch.channels_last)
        x = leaky(self.from_rgb[str(size)](picture))
        while size > SMALLEST:
            block = self.blocks[str(size)]
            size //= 2
            picture = functional.avg_pool2d(picture, 2)
            x = leaky(self.from_rgb[str(size)](picture)) + block(x)
        x = torch.cat([x, minibatch_deviation(x, self.group_size)], dim=1)
        x = leaky(self.last_conv(x)).float().flatten(1)
        logits: Tensor = self.logit(leaky(self.hidden(x))).squeeze(1)
        return logits

    @torch.no_grad()
    def quieten_above(self, size: int) -> None:
        """Zero what the blocks above `size` hand down, so that growing starts from no change."""
        for name, block in self.blocks.items():
            if int(name) > size:
                assert isinstance(block, Block)
                block.conv1.weight.zero_()
                block.shortcut.weight.zero_()


class Block(nn.Module):
    """Two convolutions and a halving, beside a linear shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualConv(inputs, inputs, 3, gain=RELU)
        self.conv1 = EqualConv(inputs, outputs, 3, gain=RELU * math.sqrt(0.5))
        self.shortcut = EqualConv(inputs, outputs, 1, gain=math.sqrt(0.5), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N, C, r, r] to [N, C', r/2, r/2]."""
        branch = functional.avg_pool2d(leaky(self.conv0(x)), 2)
        branch = leaky(self.conv1(branch))
        shortcut: Tensor = self.shortcut(functional.avg_pool2d(x, 2))
        return branch + shortcut


class EqualConv(nn.Module):
    """A same-size convolution with equalised learning rate."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, gain: float, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain = gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve in the dtype of `x`."""
        weight = (self.weight * self.gain).to(x.dtype)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.conv2d(x, weight, bias, padding=self.weight.shape[-1] // 2)


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, *, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply in float32: the last two layers are small and their logits matter."""
        return functional.linear(x, self.weight * self.gain, self.bias)


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU, slope 0.2."""
    return functional.leaky_relu(x, 0.2)


def minibatch_deviation(x: Tensor, group_size: int) -> Tensor:
    """Tell each picture how varied its group is, as one more channel, [N, 1, H, W].

    Collapsed generators produce look-alikes; this lets the critic see that. The batch is cut into
    groups of at most `group_size`; N must be divisible by the size used.
    """
    n, _, height, width = x.shape
    size = math.gcd(n, group_size)
    groups = x.float().reshape(size, n // size, *x.shape[1:])
    deviation: Tensor = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # per group
    return deviation.repeat(size)[:, None, None, None].expand(n, 1, height, width).to(x.dtype)
