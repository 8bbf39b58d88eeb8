"""StyleGAN2: a latent code in, a picture and its features out.

Two networks in a row. *Mapping* turns a normal sample z into an intermediate latent w, in which
directions mean something. *Synthesis* grows a learned 4-pixel constant to a picture, doubling its
size block by block; every convolution is told by its own copy of w which of its input channels to
amplify. Those copies, one row per convolution plus one for the last ToRGB, are ``ws``: all rows
equal is the space W, independent rows are W+.

How w steers a convolution. An affine layer turns w into styles s, one per input channel. StyleGAN2
scales the weights, w'[o,i] = s[i] w[o,i], and then divides by the norm of each output filter
("demodulation"), which keeps signals at unit variance. Both factors are constant over the picture,
so they can move out of the convolution:

    conv(x, s w) / norm  =  conv(s x, w) / norm

The right-hand side is what we compute. All pictures of a batch share one weight tensor, so there is
no grouped convolution; and when a drag needs gradients only for ws, the weights need none, which
halves the backward pass.

The picture itself is a sum ("skip" architecture): every block adds its own RGB contribution to the
enlarged sum so far. Stopping early, ``until=64``, hence still gives a picture, a small one, free.

Module names are chosen so that the keys of the state dict are those of the official checkpoints.

References
----------
Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020.
Karras et al., Training Generative Adversarial Networks with Limited Data, NeurIPS 2020.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 4  # pixels; where synthesis starts
SLOPE = 0.2  # of the leaky rectifier
RELU_GAIN = math.sqrt(2)  # makes up for the variance that the rectifier takes away

Noise: TypeAlias = "Literal['const', 'none'] | torch.Generator"


@dataclass(frozen=True)
class StyleGAN2Config:
    """The construction of a generator; with a state dict, all there is to know about one.

    Parameters
    ----------
    resolution : int
        Height and width of the picture in pixels, a power of two from 4 to 4096.
    z_dim, w_dim : int
        Length of z and of w.
    num_labels : int
        Number of classes of a conditional generator; 0 for an unconditional one.
    mapping_layers : int
        Number of layers from z to w.
    channel_base, channel_max : int
        The block at resolution r has ``min(channel_max, channel_base // r)`` channels.
    architecture : {"skip", "resnet", "orig"}
        Where RGB comes from: a sum over all blocks ("skip"), or the last block alone, whose blocks
        then have shortcuts ("resnet") or not ("orig").
    conv_clamp : float, optional
        Bound on the magnitude of every layer's output, as in checkpoints trained in float16.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    resolution: int = 128
    z_dim: int = 512
    w_dim: int = 512
    num_labels: int = 0
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Literal["skip", "resnet", "orig"] = "skip"
    conv_clamp: float | None = None

    def __post_init__(self) -> None:
        r = self.resolution
        if not isinstance(r, int) or not SMALLEST <= r <= 4096 or r & (r - 1):
            raise ValueError(f"resolution is {r!r}; it must be a power of two from 4 to 4096.")
        for name in ("z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= 1 << 20:
                raise ValueError(f"{name} is {value!r}; it must be a whole number, 1 or more.")
        if not isinstance(self.num_labels, int) or not 0 <= self.num_labels <= 1 << 20:
            raise ValueError(
                f"num_labels is {self.num_labels!r}; it must be a whole number, 0 or more."
            )
        if self.channel_base < r:
            raise ValueError(
                f"channel_base is {self.channel_base}, which leaves the {r}-pixel block without "
                f"channels; it must be at least {r}."
            )
        if self.architecture not in ("skip", "resnet", "orig"):
            raise ValueError(
                f"architecture is {self.architecture!r}; it must be 'skip', 'resnet' or 'orig'."
            )
        if self.conv_clamp is not None and not 0 < self.conv_clamp < math.inf:
            raise ValueError(f"conv_clamp is {self.conv_clamp!r}; it must be positive, or None.")

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """Output resolution of every block: 4, 8, ... `resolution`."""
        return tuple(1 << i for i in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """Rows of ws: one per convolution and one for the last ToRGB."""
        return 2 * len(self.block_resolutions)

    def channels(self, resolution: int) -> int:
        """Channels of the features at `resolution`."""
        return min(self.channel_max, self.channel_base // resolution)


class Synthesis(NamedTuple):
    """What synthesis returns.

    Attributes
    ----------
    image : Tensor, shape [N, 3, r, r]
        RGB, nominally in [-1, 1]; r is the resolution of the last block that ran.
    features : dict of int to Tensor, shape [N, C, r, r]
        The output of every tapped block, by its resolution.
    """

    image: Tensor
    features: dict[int, Tensor]


class Generator(nn.Module):
    """Mapping and synthesis together.

    Parameters
    ----------
    config : StyleGAN2Config
    rng : torch.Generator, optional
        Source of the initial weights. Default: a new one, seeded with 0.

    Attributes
    ----------
    mapping : Mapping
        ``mapping(z, labels=None, *, truncation=1.0) -> ws``
    synthesis : SynthesisNetwork
        ``synthesis(ws, *, until=None, taps=(), noise="const", dtype=None) -> Synthesis``
    """

    def __init__(self, config: StyleGAN2Config, rng: torch.Generator | None = None) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config = config
        self.synthesis = SynthesisNetwork(config, rng)
        self.mapping = Mapping(config, rng)
        self.z_dim, self.w_dim = config.z_dim, config.w_dim
        self.num_ws, self.num_labels = config.num_ws, config.num_labels
        self.resolution, self.block_resolutions = config.resolution, config.block_resolutions

    @property
    def w_avg(self) -> Tensor:
        """Mean of w over all z, shape [w_dim]: the centre that truncation pulls towards."""
        return self.mapping.w_avg

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        *,
        truncation: float = 1.0,
        noise: Noise = "const",
    ) -> Tensor:
        """Make pictures, [N, 3, resolution, resolution], from z, [N, z_dim]."""
        ws = self.mapping(z, labels, truncation=truncation)
        return self.synthesis(ws, noise=noise).image


# ------------------------------------------------------------------------------------ z -> ws


class Mapping(nn.Module):
    """From z, and a label if there are any, to ws."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config, rng: torch.Generator) -> None:
        super().__init__()
        self.config = config
        inputs = config.z_dim
        if config.num_labels:
            self.embed = Dense(config.num_labels, config.w_dim, rng)
            inputs += config.w_dim
        for i in range(config.mapping_layers):
            layer = Dense(inputs, config.w_dim, rng, learning_rate=0.01)
            self.add_module(f"fc{i}", layer)
            inputs = config.w_dim
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        *,
        truncation: float = 1.0,
        truncated_rows: int | None = None,
    ) -> Tensor:
        """Map z to ws.

        Parameters
        ----------
        z : Tensor, shape [N, z_dim]
            Standard normal samples.
        labels : Tensor, shape [N, num_labels], optional
            One-hot class labels; required by, and only by, a conditional generator.
        truncation : float
            ψ: 1 changes nothing, 0 gives the mean picture. What lies between trades variety for
            quality (StyleGAN, CVPR 2019, Appendix B).
        truncated_rows : int, optional
            Truncate only that many first rows. Default: all.

        Returns
        -------
        Tensor, shape [N, num_ws, w_dim]

        Raises
        ------
        ValueError
            If z or labels have another shape.
        """
        config = self.config
        if z.ndim != 2 or z.shape[1] != config.z_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected [N, {config.z_dim}].")
        x = unit_rms(z.to(self.w_avg.dtype))
        if config.num_labels:
            if labels is None or labels.shape != (len(z), config.num_labels):
                given = "None" if labels is None else f"of shape {tuple(labels.shape)}"
                raise ValueError(
                    f"labels is {given}; this generator is conditional and expects one-hot labels "
                    f"of shape [{len(z)}, {config.num_labels}]."
                )
            x = torch.cat([x, unit_rms(self.embed(labels.to(x.dtype)))], dim=1)
        elif labels is not None:
            raise ValueError("labels were given, but this generator has none; pass labels=None.")
        for i in range(config.mapping_layers):
            x = self.get_submodule(f"fc{i}")(x)
            x = functional.leaky_relu(x, SLOPE) * RELU_GAIN
        ws = x[:, None].repeat(1, config.num_ws, 1)
        if truncation == 1:
            return ws
        rows = config.num_ws if truncated_rows is None else truncated_rows
        near = torch.lerp(self.w_avg, ws[:, :rows], truncation)
        return torch.cat([near, ws[:, rows:]], dim=1)

    if TYPE_CHECKING:
        __call__ = forward


# ------------------------------------------------------------------------------- ws -> picture


class SynthesisNetwork(nn.Module):
    """From ws to a picture, block by block.

    Attributes
    ----------
    dtype : torch.dtype, optional
        What convolutions compute in unless a call says otherwise. Default: as the parameters.
    """

    def __init__(self, config: StyleGAN2Config, rng: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.dtype: torch.dtype | None = None
        self.blocks: list[tuple[int, str]] = []
        for resolution in config.block_resolutions:
            block = FirstBlock if resolution == SMALLEST else Block
            self.add_module(f"b{resolution}", block(config, resolution, rng))

    def forward(
        self,
        ws: Tensor,
        *,
        until: int | None = None,
        taps: Collection[int] = (),
        noise: Noise = "const",
        dtype: torch.dtype | None = None,
    ) -> Synthesis:
        """Synthesise pictures, or the first part of them.

        Parameters
        ----------
        ws : Tensor, shape [N, num_ws, w_dim]
            Row i steers convolution i. A block's ToRGB shares the row of the next convolution;
            the last one has a row of its own.
        until : int, optional
            Resolution of the last block to run; nothing above it is computed. Its picture is the
            RGB accumulated so far. Default: all blocks.
        taps : collection of int
            Resolutions of the blocks whose output features are wanted.
        noise : {"const", "none"} or torch.Generator
            The learned noise, no noise, or fresh noise drawn from the generator given.
        dtype : torch.dtype, optional
            What convolutions compute in, this once: bfloat16 is fast where the processor has it.
            Parameters keep their type, and RGB is accumulated in it. Default: `dtype` of the
            network.

        Returns
        -------
        Synthesis
            The picture and the tapped features.

        Raises
        ------
        ValueError
            If ws has another shape, or `until` or `taps` name blocks that are not there or do not
            run, or `until` stops a "resnet" or "orig" generator before its only ToRGB.
        """
        config = self.config
        last = config.resolution if until is None else until
        check_request(config, ws, last, taps, noise)
        first = self.get_submodule(f"b{SMALLEST}")
        ws = ws.to(first.const.dtype)
        dtype = dtype or self.dtype or ws.dtype
        if dtype == torch.float16:
            raise ValueError("dtype is torch.float16, which overflows here; use torch.bfloat16.")

        rows = ws.unbind(1)
        x, image = first(rows[:2], noise, dtype)
        features = {SMALLEST: x} if SMALLEST in taps else {}
        for i, resolution in enumerate(config.block_resolutions[1:]):
            if resolution > last:
                break
            block = self.get_submodule(f"b{resolution}")
            x, image = block(x, image, rows[2 * i + 1 : 2 * i + 4], noise)
            if resolution in taps:
                features[resolution] = x
        return Synthesis(image, features)

    if TYPE_CHECKING:
        __call__ = forward


def check_request(
    config: StyleGAN2Config, ws: Tensor, last: int, taps: Collection[int], noise: Noise
) -> None:
    """Refuse what synthesis cannot do, naming the argument and the remedy."""
    if ws.ndim != 3 or ws.shape[1:] != (config.num_ws, config.w_dim):
        raise ValueError(
            f"ws has shape {tuple(ws.shape)}; expected [N, {config.num_ws}, {config.w_dim}]."
        )
    if last not in config.block_resolutions:
        raise ValueError(f"until is {last!r}; the blocks are {config.block_resolutions}.")
    if last < config.resolution and config.architecture != "skip":
        raise ValueError(
            f"until is {last}, but a generator of architecture {config.architecture!r} makes RGB "
            f"only in its last block; leave until out and use taps for features."
        )
    for tap in taps:
        if tap not in config.block_resolutions or tap > last:
            raise ValueError(
                f"taps contains {tap!r}; the blocks that run are "
                f"{tuple(r for r in config.block_resolutions if r <= last)}."
            )
    if noise not in ("const", "none") and not isinstance(noise, torch.Generator):
        raise ValueError(
            f"noise is {noise!r}; it must be 'const', 'none', or a torch.Generator to draw it from."
        )


class FirstBlock(nn.Module):
    """The learned constant and one convolution."""

    def __init__(self, config: StyleGAN2Config, resolution: int, rng: torch.Generator) -> None:
        super().__init__()
        channels = config.channels(resolution)
        self.const = nn.Parameter(torch.randn(channels, resolution, resolution, generator=rng))
        self.register_buffer("resample_filter", binomial_filter())
        self.conv1 = StyledConv(config, channels, resolution, rng)
        self.torgb = ToRGB(config, channels, rng) if has_rgb(config, resolution) else None

    def forward(
        self, rows: tuple[Tensor, ...], noise: Noise, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        """Return features [N, C, 4, 4] and RGB [N, 3, 4, 4], if this block makes any."""
        x = self.const.to(dtype).expand(len(rows[0]), -1, -1, -1)
        x = self.conv1(x.contiguous(memory_format=torch.channels_last), rows[0], noise)
        return x, None if self.torgb is None else self.torgb(x, rows[1])


class Block(nn.Module):
    """A convolution that doubles the size, one that keeps it, and perhaps RGB or a shortcut."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int, rng: torch.Generator) -> None:
        super().__init__()
        inputs, outputs = config.channels(resolution // 2), config.channels(resolution)
        self.register_buffer("resample_filter", binomial_filter())
        self.conv0 = StyledConv(config, inputs, resolution, rng, upsamples=True)
        # The sum of two paths has twice the variance, so each is scaled by sqrt(1/2).
        resnet = config.architecture == "resnet"
        gain = math.sqrt(0.5) if resnet else 1.0
        self.conv1 = StyledConv(config, outputs, resolution, rng, gain=gain)
        self.skip = Shortcut(inputs, outputs, rng, gain=gain) if resnet else None
        self.torgb = ToRGB(config, outputs, rng) if has_rgb(config, resolution) else None

    def forward(
        self, x: Tensor, image: Tensor | None, rows: tuple[Tensor, ...], noise: Noise
    ) -> tuple[Tensor, Tensor | None]:
        """Map features and RGB of size r/2 to those of size r."""
        shortcut = None if self.skip is None else self.skip(x)
        x = self.conv0(x, rows[0], noise)
        x = self.conv1(x, rows[1], noise)
        if shortcut is not None:
            x = x + shortcut
        if image is not None:
            image = upsample(image, self.resample_filter)
        if self.torgb is not None:
            rgb = self.torgb(x, rows[2])
            image = rgb if image is None else image + rgb
        return x, image


class StyledConv(nn.Module):
    """A modulated and demodulated 3x3 convolution, noise, bias, leaky rectifier."""

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
        self.affine = Dense(config.w_dim, inputs, rng, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3, generator=rng))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("resample_filter", binomial_filter())
        self.register_buffer("noise_const", torch.randn(resolution, resolution, generator=rng))
        self.upsamples = upsamples
        self.gain = gain * RELU_GAIN
        self.clamp = None if config.conv_clamp is None else config.conv_clamp * gain

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """Convolve features [N, C, h, h] as told by w, [N, w_dim]."""
        styles = self.affine(w)
        weight = self.weight.to(x.dtype)
        x = x * styles.to(x.dtype)[:, :, None, None]
        if self.upsamples:
            x = upsampling_conv(x, weight, self.resample_filter)
        else:
            x = functional.conv2d(x, weight, padding=1)
        # The rectifier is linear along every ray, so its gain can be applied to what goes in.
        scale = demodulation(self.weight, styles) * self.gain
        bias = self.bias * self.gain
        x = torch.addcmul(bias.to(x.dtype)[:, None, None], x, scale.to(x.dtype)[:, :, None, None])
        if noise != "none":
            strength = self.noise_strength * self.gain
            x = x + (self.draw(noise, len(x)) * strength).to(x.dtype)
        x = functional.leaky_relu(x, SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def draw(self, noise: Noise, n: int) -> Tensor:
        """Give the learned noise, [h, h], or fresh noise for each of n pictures, [n, 1, h, h]."""
        if not isinstance(noise, torch.Generator):
            return self.noise_const
        fresh = torch.randn(n, 1, *self.noise_const.shape, generator=noise, device=noise.device)
        return fresh.to(self.noise_const)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to three channels, not demodulated."""

    def __init__(self, config: StyleGAN2Config, inputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.affine = Dense(config.w_dim, inputs, rng, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1, generator=rng))
        self.bias = nn.Parameter(torch.zeros(3))
        self.gain = 1 / math.sqrt(inputs)
        self.clamp = config.conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N, C, h, h] to RGB [N, 3, h, h] in the type of w.

        Three output channels make the modulated weights, [N, 3, C], far smaller than the features,
        so here they are what is scaled.
        """
        n, _, height, width = x.shape
        weight = self.weight[:, :, 0, 0] * (self.affine(w) * self.gain)[:, None]
        rgb = torch.bmm(weight.to(x.dtype), x.flatten(2)).to(w.dtype) + self.bias[:, None]
        rgb = rgb.view(n, 3, height, width)
        return rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)


class Shortcut(nn.Module):
    """The linear path around a residual block: 1x1 convolution, then doubling."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator, *, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1, generator=rng))
        self.register_buffer("resample_filter", binomial_filter())
        self.gain = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N, C, h, h] to [N, C', 2h, 2h]."""
        x = functional.conv2d(x, (self.weight * self.gain).to(x.dtype))
        return upsample(x, self.resample_filter)


class Dense(nn.Module):
    """A linear layer with equalised learning rate (ICLR 2018, Sec. 4.1).

    Parameters are stored so that one step size suits all layers, and scaled when used.
    """

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
        return functional.linear(x, self.weight * self.weight_gain, bias)


# ----------------------------------------------------------------------------------- arithmetic


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """One over the norm of every modulated output filter, shape [N, O] (CVPR 2020, Eq. 3)."""
    squared = weight.square().sum(dim=(2, 3))
    return (styles.square() @ squared.T + 1e-8).rsqrt()


def unit_rms(x: Tensor) -> Tensor:
    """Scale each row to a root mean square of one."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def has_rgb(config: StyleGAN2Config, resolution: int) -> bool:
    """Tell whether the block at `resolution` has a ToRGB."""
    return config.architecture == "skip" or resolution == config.resolution


def binomial_filter() -> Tensor:
    """The resampling filter [1, 3, 3, 1] in both axes, [4, 4], summing to one.

    Kept in the state dict because official checkpoints do.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def upsample(x: Tensor, taps: Tensor) -> Tensor:
    """Double the size of [N, C, H, W]: zeros in between, then the filter."""
    channels = x.shape[1]
    kernel = (4 * taps).to(x.dtype).expand(channels, 1, 4, 4)
    return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def upsampling_conv(x: Tensor, weight: Tensor, taps: Tensor) -> Tensor:
    """Double the size while convolving with `weight`, [O, C, 3, 3].

    A transposed convolution puts the zeros in between and convolves, without computing with the
    zeros; the filter follows, one channel at a time.
    """
    channels = len(weight)
    x = functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    kernel = (4 * taps).to(x.dtype).expand(channels, 1, 4, 4)
    return functional.conv2d(x, kernel, padding=1, groups=channels)


def downsample(x: Tensor, taps: Tensor) -> Tensor:
    """Halve the size of [N, C, H, W]: the filter, then every other pixel."""
    channels = x.shape[1]
    kernel = taps.to(x.dtype).expand(channels, 1, 4, 4)
    return functional.conv2d(x, kernel, stride=2, padding=1, groups=channels)
