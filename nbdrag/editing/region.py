"""Where a painted part map lets the picture change, and how well the picture then fits it.

Equation 1 of EditGAN: the region r is every pixel whose part, before or after painting, is one of
those that the edit is about, Q. It is whole parts and not just the painted pixels, because what a
part looks like inside moves along with its outline: an iris that looks aside takes its pupil with
it, and a mouth that opens its teeth.

But painting touches more parts than it is about. Who enlarges an eye paints over some skin, and
all the skin in r would be another face. The paper has a person list Q; here, unless somebody does,
Q is told from the painting: the parts a good share of which changed. The painted pixels themselves
belong to r in any case.

References
----------
Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.3.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

GOOD_SHARE = 0.3  # of a part's pixels, before and after taken together


def touched_parts(labels: Tensor, edited: Tensor) -> list[int]:
    """Labels that painted pixels had before or have now, in order."""
    painted = labels != edited
    parts: list[int] = torch.cat([labels[painted], edited[painted]]).unique().tolist()
    return parts


def edited_parts(labels: Tensor, edited: Tensor) -> list[int]:
    """Q, told from the painting: labels a good share of whose pixels changed, in order."""
    painted = labels != edited
    found = []
    for part in touched_parts(labels, edited):
        of_part = (labels == part) | (edited == part)
        if (painted & of_part).sum() >= GOOD_SHARE * of_part.sum():
            found.append(part)
    return found


def edited_region(
    labels: Tensor, edited: Tensor, margin: int, parts: Sequence[int] | None = None
) -> Tensor:
    """Equation 1, widened.

    Parameters
    ----------
    labels, edited : Tensor, shape [H, W], whole numbers
        Part maps before and after painting.
    margin : int
        By how many pixels to widen the region, in x and in y.
    parts : sequence of int, optional
        Q. Default: `edited_parts`, and every painted pixel.

    Returns
    -------
    Tensor, shape [H, W], bool
    """
    chosen = edited_parts(labels, edited) if parts is None else parts
    wanted = torch.tensor(chosen, dtype=labels.dtype, device=labels.device)
    region = torch.isin(labels, wanted) | torch.isin(edited, wanted)
    if parts is None:
        region |= labels != edited
    return widened(region, margin)


def widened(region: Tensor, margin: int) -> Tensor:
    """Every pixel no farther than `margin` from the region, in x and in y: [H, W], bool."""
    pool = max_pool2d(region[None].float(), 2 * margin + 1, stride=1, padding=margin)
    return pool[0] > 0


def agreement(found: Tensor, wanted: Tensor, parts: Iterable[int], region: Tensor) -> float:
    """How well a part map fits another in a region: mean IoU, from 0 to 1, of these parts.

    A part that neither has there doesn't count.

    Parameters
    ----------
    found, wanted : Tensor, shape [H, W]
    parts : iterable of int
    region : Tensor, shape [H, W], bool
    """
    shares = []
    for part in parts:
        here, there = (found == part) & region, (wanted == part) & region
        union = int((here | there).sum())
        if union:
            shares.append(int((here & there).sum()) / union)
    return sum(shares) / len(shares) if shares else 1.0


def check_parts(parts: Iterable[int | str], names: Sequence[str]) -> list[int]:
    """Labels of parts given by name or label, each once.

    Raises
    ------
    ValueError
        If there is no such part, or none is given.
    """
    if isinstance(parts, str):
        raise ValueError(f"parts is {parts!r}; expected a list of names: [{parts!r}].")
    found = [check_part(part, names) for part in parts]
    if not found:
        raise ValueError("parts is empty; name at least one, or leave it out.")
    return sorted(set(found))


def check_part(part: int | str, names: Sequence[str]) -> int:
    """Label of one part given by name or label. Raises ValueError if there is no such part."""
    if isinstance(part, str):
        if part in names:
            return names.index(part)
        near = difflib.get_close_matches(part, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}."
        raise ValueError(f"parts holds {part!r}, which is unknown; {hint}")
    if isinstance(part, bool) or not isinstance(part, int) or not 0 <= part < len(names):
        raise ValueError(
            f"parts holds {part!r}; expected a name, or a whole number from 0 to {len(names) - 1}."
        )
    return part
