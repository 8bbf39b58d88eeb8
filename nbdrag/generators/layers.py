"""The layers of StyleGAN2: modulated convolutions and the resampling between sizes.

How w steers a convolution. An affine layer turns w into styles s, one per input channel. StyleGAN2
scales the weights, w'[o,i] = s[i] w[o,i], and then divides by the norm of each output filter
("demodulation"), which keeps signals at unit variance. Both factors are constant over the picture,
so they can move out of the convolution:

    conv(x, s w) / norm  =  conv(s x, w) / norm

The right-hand side is what we compute. All pictures of a batch share one weight tensor, so there is
no grouped convolution; and when a drag needs gradients only for ws, the weights need none, which
halves the backward pass.

Parameters are stored at unit variance and scaled when used (equalised learning rate), so that one
step size suits all layers. They keep their type; features may be computed in another, and then the
styles and the demodulation still are not.

References
----------
Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020, Sec. 2.2.
Karras et al., Progressive Growing of GANs, ICLR 2018, Sec. 4.1 (equalised learning rate).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbdrag.generators.config import StyleGAN2Config

SLOPE = 0.2  # of the leaky rectifier
RELU_GAIN = math.sqrt(2)  # makes up for the variance that the rectifier takes away

Noise: TypeAlias = Literal["const", "none"] | torch.Generator


class StyledConv(nn.Module):
    """A modulated and demodulated 3x3 convolution, noise, bias, leaky rectifier.

    Parameters
    ----------
    config : StyleGAN2Config
    inputs : int
        Channels of the input.
    resolution : int
        Of the output, in pixels.
    rng : torch.Generator
        Source of the initial weights.
    upsamples : bool
        Whether the input has half the resolution.
    gain : float
        Factor on the output.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        config: StyleGAN2Config,
        inputs: int,
        resolution: int,
        rng: torch.Generator,
        *,
        upsamples: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        outputs = config.channels(resolution)
        size = resolution, config.width_at(resolution)
        self.affine = Dense(config.w_dim, inputs, rng, bias=1.0)
        weight = torch.randn(outputs, inputs, 3, 3, generator=rng)
        if upsamples:
            weight = channels_last(weight.transpose(0, 1)).transpose(0, 1)
        self.weight = nn.Parameter(weight if upsamples else channels_last(weight))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("resample_filter", binomial_filter())
        self.register_buffer("noise_const", torch.randn(*size, generator=rng))
        self.upsamples = upsamples
        self.gain = gain * RELU_GAIN
        self.clamp = None if config.conv_clamp is None else config.conv_clamp * gain

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """Convolve features [N, C, h, h'] as told by w, [N, w_dim]."""
        styles = self.affine(w)
        weight = self.weight.to(x.dtype)
        x = x * styles.to(x.dtype)[:, :, None, None]
        if self.upsamples:
            x = upsampling_conv(x, weight, self.resample_filter)
        else:
            x = functional.conv2d(x, weight, padding=1)
        # The rectifier is linear along every ray, so its gain can be applied to what goes in.
        scale = (demodulation(self.weight, styles) * self.gain).to(x.dtype)
        x = x * scale[:, :, None, None]
        x += (self.bias * self.gain).to(x.dtype)[:, None, None]
        if noise != "none":
            x += (self.draw(noise, len(x)) * (self.noise_strength * self.gain)).to(x.dtype)
        x = functional.leaky_relu_(x, SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def draw(self, noise: Noise, n: int) -> Tensor:
        """Give the learned noise, [h, h'], or fresh noise for n pictures, [n, 1, h, h']."""
        if not isinstance(noise, torch.Generator):
            return self.noise_const
        fresh = torch.randn(n, 1, *self.noise_const.shape, generator=noise, device=noise.device)
        return fresh.to(self.noise_const)

    if TYPE_CHECKING:
        __call__ = forward


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to three channels, not demodulated."""

    def __init__(self, config: StyleGAN2Config, resolution: int, rng: torch.Generator) -> None:
        super().__init__()
        inputs = config.channels(resolution)
        self.affine = Dense(config.w_dim, inputs, rng, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1, generator=rng))
        self.bias = nn.Parameter(torch.zeros(3))
        self.gain = 1 / math.sqrt(inputs)
        self.clamp = config.conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N, C, h, h'] to RGB [N, 3, h, h'] in the type of w.

        Three output channels make the modulated weights, [N, 3, C], far smaller than the features,
        so here they are what is scaled.
        """
        n, _, height, width = x.shape
        weight = self.weight[:, :, 0, 0] * (self.affine(w) * self.gain)[:, None]
        # Pixels are rows here, as they are in memory with channels last.
        rgb = torch.bmm(x.flatten(2).transpose(1, 2), weight.to(x.dtype).transpose(1, 2))
        rgb = (rgb.to(w.dtype) + self.bias).transpose(1, 2).reshape(n, 3, height, width)
        return rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)

    if TYPE_CHECKING:
        __call__ = forward


class Shortcut(nn.Module):
    """The linear path around a residual block: a 1x1 convolution, to be doubled in size."""

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator, *, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1, generator=rng))
        self.register_buffer("resample_filter", binomial_filter())
        self.gain = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N, C, h, h'] to [N, C', h, h']."""
        return functional.conv2d(x, (self.weight * self.gain).to(x.dtype))

    if TYPE_CHECKING:
        __call__ = forward


class Dense(nn.Module):
    """A linear layer; `learning_rate` scales all its steps."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rng: torch.Generator,
        *,
        bias: float = 0.0,
        learning_rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, generator=rng) / learning_rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.weight_gain = learning_rate / math.sqrt(inputs)
        self.bias_gain = learning_rate

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs] to [N, outputs]."""
        bias = self.bias if self.bias_gain == 1 else self.bias * self.bias_gain
        return torch.addmm(bias, x, self.weight.T, alpha=self.weight_gain)

    if TYPE_CHECKING:
        __call__ = forward


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """One over the norm of every modulated output filter, shape [N, O] (CVPR 2020, Eq. 3)."""
    squared = weight.square().sum(dim=(2, 3))
    return (styles.square() @ squared.T + 1e-8).rsqrt()


def channels_last(x: Tensor) -> Tensor:
    """Lay a tensor out with its channels last, as processors convolve fastest."""
    return x.contiguous(memory_format=torch.channels_last)


# ----------------------------------------------------------------------------------- resampling


def binomial_filter() -> Tensor:
    """The resampling filter [1, 3, 3, 1] in both axes, [4, 4], summing to one.

    Official checkpoints carry it in every layer; so do ours.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def upsampling_conv(x: Tensor, weight: Tensor, taps: Tensor) -> Tensor:
    """Double the size while convolving with `weight`, [O, C, 3, 3].

    A transposed convolution puts zeros between the pixels and convolves, without computing with
    the zeros; the filter follows, one channel at a time.
    """
    channels = len(weight)
    x = functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    kernel = (4 * taps).to(x.dtype).expand(channels, 1, 4, 4)
    return functional.conv2d(x, kernel, padding=1, groups=channels)


def upsample(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Double the size of [N, C, h, h'] without convolving.

    Zeros between the pixels, then the filter: linear along rows and along columns, so a small
    matrix from either side does it: `down` the columns, `across` the rows. For a few channels that
    is the fastest way.
    """
    return down.to(x.dtype) @ x @ across.to(x.dtype).T


def doubling_matrix(size: int) -> Tensor:
    """The matrix, [2 size, size], that doubles a row of pixels with the filter [1, 3, 3, 1] / 4."""
    matrix = torch.zeros(2 * size + 2, size)
    pixels = torch.arange(size)
    for offset, tap in enumerate((0.25, 0.75, 0.75, 0.25)):
        matrix[2 * pixels + offset, pixels] = tap
    return matrix[1:-1].contiguous()
