"""The segmentation branch: what a generator's features say about which part each pixel shows.

A generator that draws faces well has to know what an eye is, and its features do: a small
classifier that looks at one pixel's features, from all blocks at once, learns the parts from a
handful of labelled pictures (DatasetGAN). Picture and part labels then come from one latent, and
who changes that latent for the sake of the labels changes the picture with them (EditGAN).

The classifier is a perceptron of three layers, or several (an ensemble) whose logits are averaged.
As published, every block's features are enlarged to the size of the picture by repeated bilinear
doubling, U, and stacked: thousands of channels for each pixel. We never build that stack. The first
layer is linear in it, W [f4, f8, ...] = W4 f4 + W8 f8 + ..., and a linear map of the channels
commutes with enlarging, which acts on the pixels. So every block's slice of W is applied at the
block's own size, and only its few outputs are enlarged, all of them together on the way up, as in
Horner's rule:

    h = W4 f4;   h = U h + W8 f8;   h = U h + W16 f16;   ...

The picture itself can be looked at, too (`looks`), at the finest sizes: p, the colours of each cell
and of the eight around it. Coarse blocks plan a picture, and in a latent that was found, by
projection or by an edit, finer ones may paint over their plan; colours tell what came of it. That
is one more linear term,

    h = U h + W64 f64 + V64 p64;   h = U h + W128 f128 + V128 p128.

That is exact, and all blocks but the last, at a quarter of the pixels each time, cost no more than
a third of what the last one does. The last doubling and the two layers after it go strip by strip,
so that what they need fits into a processor's cache.

References
----------
Zhang et al., DatasetGAN: Efficient Labeled Data Factory with Minimal Human Effort, CVPR 2021.
Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.1-3.2, A.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbdrag.generators.config import SMALLEST
from nbdrag.generators.parts import Part, check_parts

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import Generator

__all__ = ["Part", "Segmentation", "Segmenter", "segment"]

STRIP = 1 << 20  # numbers in the first hidden layer of a strip
AROUND = 3  # a cell and its neighbours, along each axis


class Segmentation(NamedTuple):
    """Pictures, and which part their pixels show.

    Attributes
    ----------
    image : Tensor, shape [N, 3, H, W]
        As `Synthesis` has it.
    logits : Tensor, shape [N, K, H, W]
        For each of K parts; a softmax over them gives probabilities.
    labels : Tensor, shape [N, H, W], uint8
        The likeliest part's index.
    """

    image: Tensor
    logits: Tensor
    labels: Tensor


class Segmenter(nn.Module):
    """Per-pixel classifiers on the outputs of a generator's blocks.

    Parameters
    ----------
    channels : mapping of int to int
        How many channels each block has, by its resolution: 4, 8, 16, ..., none left out and at
        least two.
    parts : sequence of Part
        2 to 255 of them, with different names.
    hidden : (int, int)
        Widths of the two hidden layers of every member.
    members : int
        So many perceptrons; their logits are averaged.
    looks : int
        At so many of the finest sizes the picture's colours are seen beside the features.
    generator_hash : str
        `content_hash` of the generator that it was trained for; empty if there is none.
    rng : torch.Generator, optional
        Source of the initial weights. Default: a new one, seeded with 0.

    Raises
    ------
    ValueError
        If channels, parts or sizes are none that a segmenter can have.
    """

    def __init__(
        self,
        channels: Mapping[int, int],
        parts: Sequence[Part],
        *,
        hidden: tuple[int, int] = (48, 32),
        members: int = 2,
        looks: int = 0,
        generator_hash: str = "",
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.resolutions = tuple(sorted(channels))
        self.parts = check_parts(parts)
        self.hidden, self.members = hidden, members
        self.generator_hash = generator_hash
        check_sizes(self.resolutions, [*channels.values(), *hidden, members], looks)
        self.looks = self.resolutions[len(self.resolutions) - looks :]

        def normal(*shape: int, inputs: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=rng) * math.sqrt(2 / inputs))

        wide, narrow = hidden
        seen = 3 * AROUND**2
        stacked = sum(channels.values()) + seen * looks
        self.first = nn.ParameterDict(
            {str(r): normal(members * wide, channels[r], inputs=stacked) for r in self.resolutions}
        )
        self.colours = nn.ParameterDict(
            {str(r): normal(members * wide, seen, inputs=stacked) for r in self.looks}
        )
        self.first_bias = nn.Parameter(torch.zeros(members * wide))
        self.second = normal(members, wide, narrow, inputs=wide)
        self.second_bias = nn.Parameter(torch.zeros(members, 1, narrow))
        self.third = normal(members, narrow, len(self.parts), inputs=narrow)
        self.third_bias = nn.Parameter(torch.zeros(members, len(self.parts)))

    def forward(
        self, features: Mapping[int, Tensor], image: Tensor, learning: slice | None = None
    ) -> Tensor:
        """Classify every pixel.

        Parameters
        ----------
        features : mapping of int to Tensor, shape [N, C, r, r']
            The outputs of all blocks, as `Synthesis.features` has them. Computed with in their
            type; fastest with channels last.
        image : Tensor, shape [N, 3, H, W]
            The picture.
        learning : slice, optional
            Rows of pixels, from an even number to another, whose gradients are wanted. Those of all
            others are then none, and cost nothing. Default: all rows.

        Returns
        -------
        Tensor, shape [N, K, H, W]
            Logits, the members' mean, in the type of the parameters. Gradients flow to features,
            picture and parameters.

        Raises
        ------
        ValueError
            If a block's features are missing, or something is of another shape.
        """
        self.check(features, image)
        n, _, height, width = features[self.resolutions[-1]].shape
        colours = self.seen(image)
        h = self.coarse(features, colours)
        deep = max(2, STRIP // (n * width * len(self.first_bias)) // 2 * 2)
        begin, end, _ = (learning or slice(None)).indices(height)
        strips = []
        for first, last, learns in ((0, begin, False), (begin, end, True), (end, height, False)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
                strips += [
                    self.rows(h, features, colours, top, min(top + deep, last))
                    for top in range(first, last, deep)
                ]
        return torch.cat(strips, dim=1).permute(0, 3, 1, 2)

    if TYPE_CHECKING:
        __call__ = forward

    @property
    def slices(self) -> list[Tensor]:
        """The first layer's weights: for features, from coarse to fine, then for colours.

        The dictionaries themselves sort "16" before "4".
        """
        return [self.first[str(r)] for r in self.resolutions] + [
            self.colours[str(r)] for r in self.looks
        ]

    def seen(self, image: Tensor) -> dict[int, Tensor]:
        """The picture in every size r that is looked at, framed: [N, 3, r + 2, r' + 2]."""
        return {r: framed(image, r) for r in self.looks}

    def coarse(self, features: Mapping[int, Tensor], colours: Mapping[int, Tensor]) -> Tensor:
        """What all blocks but the last, and colours there, add to the first hidden layer.

        Returns
        -------
        Tensor, shape [N, H / 2, W / 2, members * wide]
        """
        # Pixels are rows here, as they are in memory with channels last: [N, r, r', C].
        least = features[SMALLEST].permute(0, 2, 3, 1)
        # Doubling leaves constants as they are: what is added once, to the least, is added to all.
        h = self.first_bias.to(least.dtype).repeat(*least.shape[:3], 1)
        for r in self.resolutions[:-1]:
            h = doubled(h) if r > SMALLEST else h
            h = self.add(h, r, features[r], colours.get(r))
        return h

    def rows(
        self,
        h: Tensor,
        features: Mapping[int, Tensor],
        colours: Mapping[int, Tensor],
        top: int,
        bottom: int,
    ) -> Tensor:
        """Classify some rows of pixels.

        Parameters
        ----------
        h : Tensor
            As `coarse` gives it.
        features, colours
            As `forward` takes them, and as `seen` gives them.
        top, bottom : int
            Both even.

        Returns
        -------
        Tensor, shape [N, bottom - top, W, K]
        """
        finest = self.resolutions[-1]
        x = features[finest][:, :, top:bottom]
        near = colours[finest][:, :, top : bottom + AROUND - 1] if finest in colours else None
        x = self.add(doubled_rows(h, top, bottom), finest, x, near)
        dtype, shape = x.dtype, x.shape[:3]
        x = functional.relu_(x).view(-1, self.members, self.hidden[0]).transpose(0, 1)
        x = torch.baddbmm(self.second_bias.to(dtype), x, self.second.to(dtype))
        # The mean over members is one more linear map.
        x = functional.relu_(x).transpose(0, 1).flatten(1)
        third, bias = self.third.flatten(0, 1) / self.members, self.third_bias.mean(0)
        x = torch.addmm(bias, x.to(bias.dtype), third)
        return x.view(*shape, -1)

    def add(self, h: Tensor, resolution: int, x: Tensor, picture: Tensor | None) -> Tensor:
        """Add to h, [N, s, r', members * wide], what features and colours contribute.

        They are [N, C, s, r'] and, framed, [N, 3, s + 2, r' + 2]. Takes the place of h, as product
        and sum in one.
        """
        weight = self.first[str(resolution)].to(x.dtype)
        h = h.flatten(0, 2).addmm_(x.permute(0, 2, 3, 1).flatten(0, 2), weight.T).view(h.shape)
        if picture is not None:
            # Their channels come first in memory: so a product for each picture.
            weight = self.colours[str(resolution)].to(x.dtype).T.expand(len(h), -1, -1)
            near = surroundings(picture.to(x.dtype)).flatten(2).transpose(1, 2)
            h = h.flatten(1, 2).baddbmm_(near, weight).view(h.shape)
        return h

    def check(self, features: Mapping[int, Tensor], image: Tensor) -> None:
        """Refuse features of another generator, an incomplete set, and another picture."""
        for r in self.resolutions:
            if r not in features:
                raise ValueError(
                    f"features has no block {r}; the segmenter needs {self.resolutions}: "
                    "synthesis(ws, taps=segmenter.resolutions)."
                )
            channels = self.first[str(r)].shape[1]
            if features[r].ndim != 4 or features[r].shape[1:3] != (channels, r):
                raise ValueError(
                    f"features[{r}] has shape {list(features[r].shape)}; the segmenter was made "
                    f"for [N, {channels}, {r}, width]. Does it belong to another generator?"
                )
        finest = features[self.resolutions[-1]]
        wanted = (len(finest), 3, *finest.shape[2:])
        if image.shape != wanted:
            raise ValueError(
                f"image has shape {list(image.shape)}; expected that of these features, "
                f"{list(wanted)}."
            )

    def __repr__(self) -> str:
        """One line: how many parts and classifiers, and for which generator."""
        wide, narrow = self.hidden
        whose = f" for generator {self.generator_hash}" if self.generator_hash else ""
        colours = f" and colours at {', '.join(map(str, self.looks))}" if self.looks else ""
        return (
            f"<Segmenter{whose}: {len(self.parts)} parts, {self.members} x {wide}-{narrow}-"
            f"{len(self.parts)} on blocks {self.resolutions[0]} to {self.resolutions[-1]}{colours}>"
        )


def framed(image: Tensor, resolution: int) -> Tensor:
    """A picture made smaller, with one cell more on all sides; there it goes on as at the border.

    Parameters
    ----------
    image : Tensor, shape [N, 3, H, W]
    resolution : int
        The smaller picture's height, r; H is a multiple of it.

    Returns
    -------
    Tensor, shape [N, 3, r + 2, r' + 2]
    """
    factor = image.shape[2] // resolution
    small = functional.avg_pool2d(image, factor) if factor > 1 else image
    return functional.pad(small, (AROUND // 2,) * 4, mode="replicate")


def surroundings(picture: Tensor) -> Tensor:
    """The colours of each cell and of those around it, in a framed picture [N, 3, h + 2, w + 2].

    Returns
    -------
    Tensor, shape [N, 27, h, w]
    """
    height, width = (size - AROUND + 1 for size in picture.shape[2:])
    shifts = [(y, x) for y in range(AROUND) for x in range(AROUND)]
    return torch.cat([picture[:, :, y : y + height, x : x + width] for y, x in shifts], dim=1)


def doubled(x: Tensor) -> Tensor:
    """Enlarge [N, h, w, C] bilinearly to twice the size; pixels are squares that meet at edges."""
    x = functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear")
    return x.permute(0, 2, 3, 1)


def doubled_rows(x: Tensor, top: int, bottom: int) -> Tensor:
    """Rows `top` to `bottom`, both even, of what `doubled` gives, from the rows they depend on."""
    first, last = max(top // 2 - 1, 0), min(bottom // 2 + 1, x.shape[1])
    return doubled(x[:, first:last])[:, top - 2 * first : bottom - 2 * first]


def segment(generator: Generator, ws: Tensor) -> Segmentation:
    """Synthesise pictures and classify their pixels, in one go. See `Generator.segment`."""
    segmenter = generator.segmenter
    if segmenter is None:
        raise ValueError(
            "this generator has no segmenter, so nobody knows which parts its pixels show. Load "
            "one, generator.segmenter = load_segmenter(path, generator), or train one: "
            "python -m nbdrag.training.segmenter --help."
        )
    image, features = generator.synthesis(ws, taps=segmenter.resolutions)
    logits = segmenter(features, image)
    return Segmentation(image, logits, logits.argmax(dim=1).to(torch.uint8))


# ------------------------------------------------------------------------------------ what may be


def check_sizes(resolutions: tuple[int, ...], sizes: Sequence[int], looks: int) -> None:
    """Blocks that double from 4 on, and numbers of channels, members and looks that may be."""
    if len(resolutions) < 2 or resolutions != tuple(SMALLEST << i for i in range(len(resolutions))):
        raise ValueError(f"channels are those of blocks {resolutions}; expected (4, 8, 16, ...).")
    if wrong := [n for n in sizes if not isinstance(n, int) or isinstance(n, bool) or n < 1]:
        raise ValueError(
            f"a number of channels, hidden units or members is {wrong[0]!r}; expected 1 or more."
        )
    if not isinstance(looks, int) or isinstance(looks, bool) or not 0 <= looks <= len(resolutions):
        raise ValueError(f"looks is {looks!r}; expected 0 to {len(resolutions)}, of all blocks.")
