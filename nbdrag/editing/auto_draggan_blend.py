"""Keep a part of a picture while the latent changes: blend the features of two latents.

A latent is about the whole picture. To change a part only, both latents are synthesised side by
side, and after every block the features, and the picture so far, are those of the first latent
outside the mask. A mask of pixels is shrunk to a block's cells by the mean, so that on small blocks
cells at its border are of both.

Outside the mask the result is the first picture, to rounding, provided the two latents agree in the
rows that steer the last block: the last block's mask has all pixels. At the border there may be
a seam, since what is inside was told of what would have been outside. And what ought to move across
the border is cut off there. The result is no latent's picture; who wants one has to look for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from nbdrag.generators.stylegan2 import Generator, Synthesis, SynthesisNetwork


@torch.no_grad()
def blended(
    generator: Generator, ws: Tensor, origin: Tensor, mask: Tensor, *, until: int | None = None
) -> Synthesis:
    """Make the picture of `ws` inside the mask, and that of `origin` outside.

    Parameters
    ----------
    ws, origin : Tensor, shape [N, num_ws, w_dim] and [num_ws, w_dim]
    mask : Tensor, shape [H, W]
        1 where the picture is that of `ws`, 0 where it is that of `origin`.
    until : int, optional
        Resolution of the last block to run. Default: all.

    Returns
    -------
    Synthesis
        With the features of the last block that ran.

    Raises
    ------
    ValueError
        If the generator's synthesis isn't one whose blocks are known here.
    """
    network = generator.synthesis
    if not isinstance(network, SynthesisNetwork):
        raise ValueError("mask can't be used with this generator: its blocks are unknown here.")
    last = generator.resolution if until is None else until
    both = torch.cat([origin[None].to(ws), ws])
    rows = both.unbind(1)
    dtype = network.dtype or both.dtype

    def kept(x: Tensor) -> Tensor:
        share = adaptive_avg_pool2d(mask[None].to(x), (x.shape[2], x.shape[3]))
        return torch.where(share == 1, x, torch.lerp(x[:1].expand_as(x), x, share))

    x, image = network.b4(rows[:2], "const", dtype, {})
    x, image = kept(x), None if image is None else kept(image)
    for i, resolution in enumerate(generator.block_resolutions[1:]):
        if resolution > last:
            break
        block = getattr(network, f"b{resolution}")
        x, image = block(x, image, rows[2 * i + 1 : 2 * i + 4], "const", {})
        x, image = kept(x), None if image is None else kept(image)
    if image is None:
        image = ws.new_empty(len(both), 0, *x.shape[2:])
    return Synthesis(image[1:], {last: x[1:]})
