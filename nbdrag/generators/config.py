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
        Height of the picture in pixels, a power of two from 4 to 4096. Blocks are named by their
        height: 4, 8, ... `resolution`.
    base_width : int
        Columns, 1 to 16, of the learned constant, which has 4 rows. Every block keeps that shape:
        4 gives square pictures, 2 such as are twice as high as wide (StyleGAN-Human).
    z_dim, w_dim : int
        Length of z and of w.
    num_labels : int
        Number of classes of a conditional generator; 0 for an unconditional one.
    mapping_layers : int
        Number of layers from z to w.
    mapping_width, embed_width : int, optional
        Length of what those layers pass on, and of an embedded label. Default: `w_dim`.
    mapping_learning_rate : float
        Factor on the steps of those layers in training, 1e-4 to 1; their weights are stored
        divided by it.
    channel_base, channel_max : int
        The block at resolution r has ``min(channel_max, channel_base // r)`` channels.
    block_channels : tuple of int, optional
        Channels of the blocks 4, 8, ..., where that rule doesn't hold. A list will do.
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
    base_width: int = 4
    block_channels: tuple[int, ...] | None = None
    mapping_width: int | None = None
    embed_width: int | None = None
    mapping_learning_rate: float = 0.01

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
            ("base_width", 1, 16),
        ):
            require_whole(name, getattr(self, name), least, most)
        for name in ("mapping_width", "embed_width"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), 1, 65536)
        if self.architecture not in ("skip", "resnet", "orig"):
            raise ValueError(
                f"architecture is {self.architecture!r}; it must be 'skip', 'resnet' or 'orig'."
            )
        if self.conv_clamp is not None and not is_number(self.conv_clamp, 0, 1e6):
            raise ValueError(
                f"conv_clamp is {self.conv_clamp!r}; it must be a positive number up to 1e6, or "
                "None."
            )
        if not is_number(self.mapping_learning_rate, 1e-4, 1):
            raise ValueError(
                f"mapping_learning_rate is {self.mapping_learning_rate!r}; it must be a number "
                "from 0.0001 to 1."
            )
        self._check_block_channels()

    def _check_block_channels(self) -> None:
        given = self.block_channels
        if given is None:
            return
        count = len(self.block_resolutions)
        if not isinstance(given, tuple | list) or len(given) != count:
            raise ValueError(
                f"block_channels is {given!r}; it must be None or {count} numbers, one for each "
                f"of the blocks {', '.join(map(str, self.block_resolutions))}."
            )
        for resolution, channels in zip(self.block_resolutions, given, strict=True):
            require_whole(f"block_channels of block {resolution}", channels, 1, 65536)
        # What JSON gives back is a list.
        object.__setattr__(self, "block_channels", tuple(given))

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """Output resolution of every block: 4, 8, ... `resolution`."""
        return tuple(1 << i for i in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """Rows of ws: one per convolution and one for the last ToRGB."""
        return 2 * len(self.block_resolutions)

    @property
    def width(self) -> int:
        """Width of the picture in pixels."""
        return self.width_at(self.resolution)

    def width_at(self, resolution: int) -> int:
        """Columns of the features of the block at `resolution`, which has so many rows."""
        return resolution * self.base_width // SMALLEST

    def channels(self, resolution: int) -> int:
        """Channels of the features at `resolution`."""
        if self.block_channels is not None:
            return self.block_channels[self.block_resolutions.index(resolution)]
        return min(self.channel_max, self.channel_base // resolution)

    def has_rgb(self, resolution: int) -> bool:
        """Tell whether the block at `resolution` makes RGB."""
        return self.architecture == "skip" or resolution == self.resolution


def require_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse a value that is no integer in range, by name."""
    if not is_whole(value, least, most):
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {least} to {most}.")


def is_whole(value: object, least: int, most: int) -> bool:
    """Tell whether a value, perhaps from a file, is an integer in range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: object, least: float, most: float) -> bool:
    """Tell whether a value, perhaps from a file, is a positive number in range."""
    if not isinstance(value, float | int) or isinstance(value, bool):
        return False
    return value > 0 and least <= value <= most  # False for NaN
