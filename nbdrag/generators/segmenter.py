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
        generator_hash: str = "",
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.resolutions = tuple(sorted(channels))
        self.parts = check_parts(parts)
        self.hidden, self.members = hidden, members
        self.generator_hash = generator_hash
        check_sizes(self.resolutions, [*channels.values(), *hidden, members])

        def normal(*shape: int, inputs: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=rng) * math.sqrt(2 / inputs))

        wide, narrow = hidden
        stacked = sum(channels.values())
        self.first = nn.ParameterDict(
            {str(r): normal(members * wide, channels[r], inputs=stacked) for r in self.resolutions}
        )
        self.first_bias = nn.Parameter(torch.zeros(members * wide))
        self.second = normal(members, wide, narrow, inputs=wide)
        self.second_bias = nn.Parameter(torch.zeros(members, 1, narrow))
        self.third = normal(members, narrow, len(self.parts), inputs=narrow)
        self.third_bias = nn.Parameter(torch.zeros(members, len(self.parts)))

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        """Classify every pixel.

        Parameters
        ----------
        features : mapping of int to Tensor, shape [N, C, r, r']
            The outputs of all blocks, as `Synthesis.features` has them. Computed with in their
            type; fastest with channels last.

        Returns
        -------
        Tensor, shape [N, K, H, W]
            Logits, the members' mean, in the type of the parameters. Gradients flow to features
            and parameters.

        Raises
        ------
        ValueError
            If a block's features are missing, or of another shape.
        """
        self.check(features)
        # Pixels are rows here, as they are in memory with channels last: [N, r, r', C].
        rows = [features[r].permute(0, 2, 3, 1) for r in self.resolutions]
        # Doubling leaves constants as they are: what is added once, to the least, is added to all.
        h = self.first_bias.to(rows[0].dtype).repeat(*rows[0].shape[:3], 1)
        h = self.add_slice(SMALLEST, rows[0], h)
        for r, x in zip(self.resolutions[1:-1], rows[1:-1], strict=True):
            h = self.add_slice(r, x, doubled(h))
        finest = rows[-1]
        n, height, width, _ = finest.shape
        deep = max(2, STRIP // (n * width * len(self.first_bias)) // 2 * 2)
        strips = [
            self.classify(
                doubled_rows(h, top, min(top + deep, height)), finest[:, top : top + deep]
            )
            for top in range(0, height, deep)
        ]
        return torch.cat(strips, dim=1).permute(0, 3, 1, 2)

    if TYPE_CHECKING:
        __call__ = forward

    @property
    def slices(self) -> list[Tensor]:
        """The first layer's weights, [members * wide, C], block by block."""
        return [self.first[str(r)] for r in self.resolutions]

    def add_slice(self, resolution: int, x: Tensor, h: Tensor) -> Tensor:
        """Add to h, [N, s, r', members * wide], what a block's features [N, s, r', C] contribute.

        Takes the place of h, as product and sum in one.
        """
        weight = self.first[str(resolution)].to(x.dtype)
        return h.flatten(0, 2).addmm_(x.flatten(0, 2), weight.T).view(h.shape)

    def classify(self, h: Tensor, finest: Tensor) -> Tensor:
        """The rest, for some rows of pixels.

        Parameters
        ----------
        h : Tensor, shape [N, s, W, members * wide]
            What all blocks but the last contribute to the first hidden layer.
        finest : Tensor, shape [N, s, W, C]
            Features of the last block.

        Returns
        -------
        Tensor, shape [N, s, W, K]
        """
        dtype, shape = finest.dtype, finest.shape[:3]
        x = self.add_slice(self.resolutions[-1], finest, h)
        x = functional.relu_(x).view(-1, self.members, self.hidden[0]).transpose(0, 1)
        x = torch.baddbmm(self.second_bias.to(dtype), x, self.second.to(dtype))
        # The mean over members is one more linear map.
        x = functional.relu_(x).transpose(0, 1).flatten(1)
        third, bias = self.third.flatten(0, 1) / self.members, self.third_bias.mean(0)
        x = torch.addmm(bias, x.to(bias.dtype), third)
        return x.view(*shape, -1)

    def check(self, features: Mapping[int, Tensor]) -> None:
        """Refuse features of another generator, and an incomplete set."""
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

    def __repr__(self) -> str:
        """One line: how many parts and classifiers, and for which generator."""
        wide, narrow = self.hidden
        whose = f" for generator {self.generator_hash}" if self.generator_hash else ""
        return (
            f"<Segmenter{whose}: {len(self.parts)} parts, {self.members} x {wide}-{narrow}-"
            f"{len(self.parts)} on blocks {self.resolutions[0]} to {self.resolutions[-1]}>"
        )


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
    logits = segmenter(features)
    return Segmentation(image, logits, logits.argmax(dim=1).to(torch.uint8))


# ------------------------------------------------------------------------------------ what may be


def check_sizes(resolutions: tuple[int, ...], sizes: Sequence[int]) -> None:
    """Blocks that double from 4 on, and numbers of channels and members that are some."""
    if len(resolutions) < 2 or resolutions != tuple(SMALLEST << i for i in range(len(resolutions))):
        raise ValueError(f"channels are those of blocks {resolutions}; expected (4, 8, 16, ...).")
    if wrong := [n for n in sizes if not isinstance(n, int) or isinstance(n, bool) or n < 1]:
        raise ValueError(
            f"a number of channels, hidden units or members is {wrong[0]!r}; expected 1 or more."
        )
