"""StyleGAN2: a latent code in, a picture and its features out.

Two networks in a row. *Mapping* turns a normal sample z into an intermediate latent w, in which
directions mean something. *Synthesis* grows a learned 4-pixel constant to a picture, doubling its
size block by block; every convolution is told by its own copy of w which of its input channels to
amplify. Those copies, one row per convolution plus one for the last ToRGB, are ``ws``: all rows
equal is the space W, independent rows are W+.

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
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from nbdrag.generators.config import SMALLEST, StyleGAN2Config
from nbdrag.generators.identity import generator_hash, summary
from nbdrag.generators.layers import (
    Noise,
    Shortcut,
    StyledConv,
    ToRGB,
    binomial_filter,
    channels_last,
    doubling_matrix,
    upsample,
)
from nbdrag.generators.mapping import Mapping
from nbdrag.generators.prepared import Layers, Prepared
from nbdrag.generators.segmenter import Segmentation, Segmenter, segment
from nbdrag.generators.sheet import sheet_png

__all__ = ["Generator", "Noise", "StyleGAN2Config", "Synthesis"]


class Synthesis(NamedTuple):
    """What synthesis returns.

    Attributes
    ----------
    image : Tensor, shape [N, 3, r, r']
        RGB, nominally in [-1, 1]; r is the resolution of the last block that ran, r' its width,
        which is r too where pictures are square. It has no channels, [N, 0, r, r'], where
        synthesis stopped before the first ToRGB.
    features : dict of int to Tensor, shape [N, C, r, r']
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
    height, width : int
        Of the picture, in pixels; `resolution` is the height.
    source : str
        Where the weights come from, such as "ffhq-512"; empty if nobody said.
    recommended : dict
        Options found to suit these weights, by editing method: ``{"drag": {...}}``. Saved along.
    segmenter : Segmenter or None
        What tells the parts in its pictures. It goes where the generator goes (``.to``), and has a
        file of its own: neither `content_hash` nor `save_generator` take notice of it.
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
        self.height, self.width = config.resolution, config.width
        self.source = ""
        self.recommended: dict[str, dict[str, object]] = {}
        self.segmenter: Segmenter | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "segmenter":  # not a submodule, lest it be in the state dict
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Generator:
        """What `.to()` and the like come down to."""
        if self.segmenter is not None:
            self.segmenter._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    @property
    def w_avg(self) -> Tensor:
        """Mean of w over all z, shape [w_dim]: the centre that truncation pulls towards."""
        return self.mapping.w_avg

    @property
    def content_hash(self) -> str:
        """Identify construction and weights: 16 hexadecimal digits, computed anew at every call."""
        return generator_hash(self)

    def __repr__(self) -> str:
        return summary(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """What a notebook shows: a small sheet of samples."""
        return {"text/plain": repr(self), "image/png": sheet_png(self)}

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        *,
        truncation: float = 1.0,
        noise: Noise = "const",
    ) -> Tensor:
        """Make pictures, [N, 3, height, width], from z, [N, z_dim]."""
        ws = self.mapping(z, labels, truncation=truncation)
        return self.synthesis(ws, noise=noise).image

    def segment(self, ws: Tensor) -> Segmentation:
        """Make pictures, and tell for every pixel which part it shows; one synthesis for both.

        Parameters
        ----------
        ws : Tensor, shape [N, num_ws, w_dim]
            Gradients flow to it from image and logits.

        Returns
        -------
        Segmentation
            Pictures, logits and labels. The label is an index into ``segmenter.parts``.

        Raises
        ------
        ValueError
            If there is no `segmenter`, or ws has another shape.
        """
        return segment(self, ws)


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
        self.b4 = FirstBlock(config, rng)
        for resolution in config.block_resolutions[1:]:
            self.add_module(f"b{resolution}", Block(config, resolution, rng))

    def forward(
        self,
        ws: Tensor,
        *,
        until: int | None = None,
        taps: Collection[int] = (),
        noise: Noise = "const",
        dtype: torch.dtype | None = None,
        prepared: Prepared | None = None,
    ) -> Synthesis:
        """Synthesise pictures, or the first part of them.

        Parameters
        ----------
        ws : Tensor, shape [N, num_ws, w_dim]
            Row i steers convolution i. A block's ToRGB shares the row of the next convolution;
            the last one has a row of its own.
        until : int, optional
            Resolution of the last block to run; nothing above it is computed. Its picture is the
            RGB accumulated so far; "resnet" and "orig" have none before the last block. Default:
            all blocks.
        taps : collection of int
            Resolutions of the blocks whose output features are wanted.
        noise : {"const", "none"} or torch.Generator
            The learned noise, no noise, or fresh noise drawn from the generator given.
        dtype : torch.dtype, optional
            What convolutions compute in, this once: bfloat16 is fast where the processor has it.
            Parameters keep their type, and RGB is accumulated in it. Default: `dtype` of the
            network.
        prepared : Prepared, optional
            What `nbdrag.generators.prepared.prepare` gave for ws that differ from these in their
            movable rows only. With it goes its own dtype, and the learned noise.

        Returns
        -------
        Synthesis
            The picture and the tapped features.

        Raises
        ------
        ValueError
            If ws has another shape, `until` or `taps` name blocks that are not there or do not run,
            or `noise` or `dtype` is something else.
        """
        config = self.config
        last = config.resolution if until is None else until
        check_request(config, ws, last, taps, noise)
        ws = ws.to(self.b4.const.dtype)
        layers: Layers = {}
        if prepared is not None:
            if noise != "const":
                raise ValueError(f"noise is {noise!r}; what is prepared has the learned, 'const'.")
            layers, dtype = prepared
        dtype = dtype or self.dtype or ws.dtype
        if dtype == torch.float16:
            raise ValueError("dtype is torch.float16, which overflows here; use torch.bfloat16.")

        rows = ws.unbind(1)
        x, image = self.b4(rows[:2], noise, dtype, layers)
        features = {SMALLEST: x} if SMALLEST in taps else {}
        for i, resolution in enumerate(config.block_resolutions[1:]):
            if resolution > last:
                break
            block = getattr(self, f"b{resolution}")
            x, image = block(x, image, rows[2 * i + 1 : 2 * i + 4], noise, layers)
            if resolution in taps:
                features[resolution] = x
        if image is None:
            image = ws.new_empty(len(ws), 0, last, config.width_at(last))
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

    def __init__(self, config: StyleGAN2Config, rng: torch.Generator) -> None:
        super().__init__()
        channels = config.channels(SMALLEST)
        size = SMALLEST, config.width_at(SMALLEST)
        self.const = nn.Parameter(torch.randn(channels, *size, generator=rng))
        self.register_buffer("resample_filter", binomial_filter())
        self.conv1 = StyledConv(config, channels, SMALLEST, rng)
        self.torgb = ToRGB(config, SMALLEST, rng) if config.has_rgb(SMALLEST) else None

    def forward(
        self, rows: tuple[Tensor, ...], noise: Noise, dtype: torch.dtype, layers: Layers
    ) -> tuple[Tensor, Tensor | None]:
        """Return features [N, C, 4, 4'] and RGB [N, 3, 4, 4'], if this block makes any."""
        x = self.const.to(dtype).expand(len(rows[0]), -1, -1, -1)
        # Channels last is what the filters after a transposed convolution are fastest in.
        x = layers.get(self.conv1, self.conv1)(channels_last(x), rows[0], noise)
        return x, None if self.torgb is None else self.torgb(x, rows[1])

    if TYPE_CHECKING:
        __call__ = forward


class Block(nn.Module):
    """A convolution that doubles the size, one that keeps it, and perhaps RGB or a shortcut."""

    doubling: Tensor
    doubling_across: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int, rng: torch.Generator) -> None:
        super().__init__()
        inputs, outputs = config.channels(resolution // 2), config.channels(resolution)
        residual = config.architecture == "resnet"
        # The sum of two paths has twice the variance, so each is scaled by sqrt(1/2).
        gain = math.sqrt(0.5) if residual else 1.0
        self.register_buffer("resample_filter", binomial_filter())
        # By the number of pixels in a column of the input, and in a row.
        down, across = resolution // 2, config.width_at(resolution // 2)
        self.register_buffer("doubling", doubling_matrix(down), persistent=False)
        self.register_buffer("doubling_across", doubling_matrix(across), persistent=False)
        self.conv0 = StyledConv(config, inputs, resolution, rng, upsamples=True)
        self.conv1 = StyledConv(config, outputs, resolution, rng, gain=gain)
        self.torgb = ToRGB(config, resolution, rng) if config.has_rgb(resolution) else None
        self.skip = Shortcut(inputs, outputs, rng, gain=gain) if residual else None

    def forward(
        self,
        x: Tensor,
        image: Tensor | None,
        rows: tuple[Tensor, ...],
        noise: Noise,
        layers: Layers,
    ) -> tuple[Tensor, Tensor | None]:
        """Map features and RGB of size r/2 to those of size r."""
        shortcut = None if self.skip is None else self.upsampled(self.skip(x))
        x = layers.get(self.conv0, self.conv0)(x, rows[0], noise)
        x = layers.get(self.conv1, self.conv1)(x, rows[1], noise)
        if shortcut is not None:
            x = x + shortcut
        if image is not None:
            image = self.upsampled(image)
        if self.torgb is not None:
            rgb = self.torgb(x, rows[2])
            image = rgb if image is None else image + rgb
        return x, image

    def upsampled(self, x: Tensor) -> Tensor:
        """Double the size of [N, C, r/2, r'/2] without convolving."""
        return upsample(x, self.doubling, self.doubling_across)

    if TYPE_CHECKING:
        __call__ = forward
