"""The construction of a StyleGAN2 generator, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SMALLEST = 4  # pixels; where synthesis starts


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
        Bound on the magnitude of every layer's output, as in checkpoints trained in float16; at
        most 1e6.

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
        if not is_whole(r, SMALLEST, 4096) or r & (r - 1):
            raise ValueError(f"resolution is {r!r}; it must be a power of two from 4 to 4096.")
        for name, least, most in (
            ("z_dim", 1, 65536),
            ("w_dim", 1, 65536),
            ("num_labels", 0, 1 << 20),
            ("mapping_layers", 1, 64),
            ("channel_base", r, 1 << 20),  # less would leave the last block without channels
            ("channel_max", 1, 65536),
        ):
            value = getattr(self, name)
            if not is_whole(value, least, most):
                raise ValueError(
                    f"{name} is {value!r}; it must be a whole number from {least} to {most}."
                )
        if self.architecture not in ("skip", "resnet", "orig"):
            raise ValueError(
                f"architecture is {self.architecture!r}; it must be 'skip', 'resnet' or 'orig'."
            )
        clamp = self.conv_clamp
        is_number = isinstance(clamp, float | int) and not isinstance(clamp, bool)
        if clamp is not None and not (is_number and 0 < clamp <= 1e6):
            raise ValueError(
                f"conv_clamp is {clamp!r}; it must be a positive number up to 1e6, or None."
            )

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

    def has_rgb(self, resolution: int) -> bool:
        """Tell whether the block at `resolution` makes RGB."""
        return self.architecture == "skip" or resolution == self.resolution


def is_whole(value: object, least: int, most: int) -> bool:
    """Tell whether a value, perhaps from a file, is an integer in range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
