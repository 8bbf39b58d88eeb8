"""Learn the editing vectors that ship for toonfaces: `python -m nbdrag.training.edits`.

Each is learnt from one portrait: its part map is painted, as a person would paint it but by the
strokes below, the latent is optimised until the picture follows, and the change of the latent is
the vector (EditGAN, Sec. 3.3-3.4). No portrait is labelled for it, and no other one seen.

Afterwards every vector is tried on portraits that it has never seen. The toonfaces reader tells by
how much they follow, and what else has changed; a sheet of pictures lets everyone see for
themselves.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nbdrag.editing.editgan import paint
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.editing.step import run_to_end
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import ASSETS, load_generator
from nbdrag.runtime.wishes import sample
from nbdrag.toonfaces import FACTORS, PART_COLOURS, PARTS
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.training.brushes import LabelMap, bent, box, brushed, filled, middle, scaled, shifted
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector

TRUNCATION = 0.7
TRIAL_SEED, TRIALS = 1_000_000, 200
SHOWN = (4, 13, 16, 25, 31, 42)  # seeds of other portraits on the sheet
EYES = tuple(map(PARTS.index, ("left_sclera", "left_iris", "right_sclera", "right_iris")))
MOUTH = tuple(map(PARTS.index, ("lips", "inner_mouth")))
BROWS = tuple(map(PARTS.index, ("left_brow", "right_brow")))


# -------------------------------------------------------------------------------- what is painted


def open_eyes(labels: LabelMap) -> LabelMap:
    """Both eyes twice as high."""
    return eyes_scaled(labels, 1.0, 2.0)


def close_eyes(labels: LabelMap) -> LabelMap:
    """Both eyes a third as high, their lower lid where it was."""
    for eye in (EYES[:2], EYES[2:]):
        _, _, _, bottom = box(labels, eye)
        labels = scaled(labels, eye, 1.0, 0.3, (middle(labels, eye)[0], bottom))
    return labels


def bigger_eyes(labels: LabelMap) -> LabelMap:
    """Both eyes larger all around."""
    return eyes_scaled(labels, 1.2, 1.4)


def eyes_scaled(labels: LabelMap, scale_x: float, scale_y: float) -> LabelMap:
    """Each eye about its own middle."""
    for eye in (EYES[:2], EYES[2:]):
        labels = scaled(labels, eye, scale_x, scale_y)
    return labels


def smile(labels: LabelMap) -> LabelMap:
    """The corners of the mouth lifted, and drawn apart a little."""
    return bent(scaled(labels, MOUTH, 1.1, 1.0), MOUTH, 4)


def frown(labels: LabelMap) -> LabelMap:
    """The corners of the mouth lowered."""
    return bent(labels, MOUTH, -5)


def open_mouth(labels: LabelMap) -> LabelMap:
    """The lower lip drawn down, and what is seen between the lips with it."""
    left, top, right, _ = box(labels, MOUTH)
    wider = scaled(labels, MOUTH, 1.0, 1.6, ((left + right) / 2, top))
    return scaled(wider, MOUTH[1:], 1.0, 1.25)


def raise_brows(labels: LabelMap) -> LabelMap:
    """Both brows higher."""
    return shifted(labels, BROWS, 0, -5)


def longer_hair(labels: LabelMap) -> LabelMap:
    """Strokes on both sides of the neck, from the hair down to the shoulders."""
    hair = PARTS.index("hair")
    left, _, right, bottom = box(labels, [hair])
    under = [PARTS.index(name) for name in ("background", "neck", "shirt")]
    for x in (left + 7, right - 7):
        labels = brushed(labels, hair, [(x, bottom - 14), (x, bottom + 14)], 7, under)
    return labels


def fringe(labels: LabelMap) -> LabelMap:
    """A stroke of hair across the forehead, along the hairline."""
    hair, skin = PARTS.index("hair"), PARTS.index("skin")
    left, top, right, _ = box(labels, [skin])
    x, reach = (left + right) / 2, (right - left) / 2
    line = [(x + t * reach, top + 3 + 8 * t * t) for t in np.linspace(-0.9, 0.9, 13)]
    return brushed(labels, hair, line, 7, [skin])


def wider_face(labels: LabelMap) -> LabelMap:
    """The head broader, eyes, nose and mouth as they are."""
    features = np.isin(labels, [*EYES, *MOUTH, *BROWS, PARTS.index("nose")])
    head = [PARTS.index(name) for name in HEAD]
    bare = filled(labels, features)
    return np.where(features, labels, scaled(bare, head, 1.1, 1.0))


def gaze(dx: float) -> Callable[[LabelMap], LabelMap]:
    """Both irises moved to the side, within what shows of the eyes."""

    def painted(labels: LabelMap) -> LabelMap:
        for sclera, iris in (EYES[:2], EYES[2:]):
            eye = np.isin(labels, (sclera, iris))
            moved = shifted(labels, [iris], dx, 0) == iris
            labels = np.where(eye, np.where(moved, np.uint8(iris), np.uint8(sclera)), labels)
        return labels

    return painted


class Example(NamedTuple):
    """How a vector is learnt.

    Attributes
    ----------
    name : str
    seed : int
        Of the portrait.
    painted : callable
        From its part map to the painted one.
    parts : tuple of str
        What the edit is about.
    factor : str
        The factor of a toonface that should follow; "-" before it: that should fall.
    scales : (float, float)
        Between which it was seen to do what its name says.
    whole : bool
        Whether these parts may change as a whole, or only where they are painted.
    options : mapping
        What a person would set otherwise for it: see `PaintOptions`.
    """

    name: str
    seed: int
    painted: Callable[[LabelMap], LabelMap]
    parts: tuple[str, ...]
    factor: str
    scales: tuple[float, float] = (-1.5, 1.5)
    whole: bool = True
    options: Mapping[str, object] = {}


EYE_PARTS = tuple(PARTS[i] for i in EYES)
MOUTH_PARTS = tuple(PARTS[i] for i in MOUTH)
BROW_PARTS = tuple(PARTS[i] for i in BROWS)
HEAD = ("skin", "hair", "left_ear", "right_ear")

# The last rows of ws colour what the first ones have shaped. Hair that is to reach where there was
# none would take whatever colour is easiest.
SHAPE = {"movable_layers": 7}

EXAMPLES = (
    Example("open eyes", 20, open_eyes, EYE_PARTS, "eye_opening", (-1.0, 1.5)),
    Example("close eyes", 31, close_eyes, EYE_PARTS, "-eye_opening", (-0.7, 1.5)),
    Example("bigger eyes", 35, bigger_eyes, EYE_PARTS, "eye_size", (-1.0, 1.2)),
    Example("smile", 36, smile, MOUTH_PARTS, "smile", (-1.0, 1.5)),
    Example("frown", 13, frown, MOUTH_PARTS, "-smile", (-1.0, 1.5)),
    Example("open mouth", 45, open_mouth, MOUTH_PARTS, "mouth_open", (-1.0, 1.5)),
    Example("raise brows", 40, raise_brows, BROW_PARTS, "brow_height", (-1.0, 1.5)),
    Example("longer hair", 0, longer_hair, ("hair",), "hair_length", (-1.0, 1.5), False, SHAPE),
    Example("fringe", 45, fringe, ("hair",), "-fringe", (-1.0, 1.5), False, SHAPE),
    Example("wider face", 9, wider_face, HEAD, "face_width", (-1.0, 1.5)),
    Example("gaze left", 46, gaze(-4), EYE_PARTS, "-gaze_x", (-1.0, 1.2)),
    Example("gaze right", 46, gaze(4), EYE_PARTS, "gaze_x", (-1.0, 1.2)),
)


# -------------------------------------------------------------------------------- how it is learnt


def learn(generator: Generator, example: Example) -> EditVector:
    """Paint the example's portrait, and keep the change of its latent."""
    ws, labels, painted = painting(generator, example)
    options = PaintOptions.for_generator(generator).updated(example.options)
    parts = example.parts if example.whole else None
    last = run_to_end(paint(generator, ws, labels, painted, options, parts=parts))
    return EditVector.between(
        ws,
        last.ws,
        name=example.name,
        generator=generator,
        classes=example.parts,
        scale_range=example.scales,
        learnt={
            "command": "python -m nbdrag.training.edits",
            "method": "paint",
            "seed": example.seed,
            "truncation": TRUNCATION,
            "agreement": round(last.agreement, 4),
            "outside": round(last.outside, 5),
            **asdict(options),
        },
    )


def painting(generator: Generator, example: Example) -> tuple[Tensor, LabelMap, LabelMap]:
    """The example's latent, its part map, and the painted one."""
    ws = sample(generator, example.seed, TRUNCATION)
    with torch.no_grad():
        labels = generator.segment(ws[None]).labels[0].cpu().numpy()
    return ws, labels, example.painted(labels)


@torch.no_grad()
def trial(generator: Generator, reader: Reader, example: Example, vector: EditVector) -> Report:
    """What the vector does, at scale 1, to portraits that it was not learnt from.

    Factors are read in shares of their range. "moved" is by how much the factor moves that should;
    "followed", in how many portraits it moves that way by a twentieth of its range or more;
    "others", by how much each of the other factors changes, on average.
    """
    random = torch.Generator().manual_seed(TRIAL_SEED)
    z = torch.randn(TRIALS, generator.z_dim, generator=random)
    moved, others = [], []
    column = FACTORS.index(example.factor.lstrip("-"))
    sign = -1 if example.factor.startswith("-") else 1
    rest = [i for i in range(len(FACTORS)) if i != column]
    for rows in z.split(25):
        ws = generator.mapping(rows, truncation=TRUNCATION)
        before, after = (
            reader(generator.synthesis(latents).image.clamp(-1, 1)).factors
            for latents in (ws, vector.apply(ws))
        )
        moved.append(sign * (after - before)[:, column])
        others.append((after - before)[:, rest].abs().mean(1))
    change = torch.cat(moved)
    return {
        "factor": example.factor,
        "moved": round(change.mean().item(), 3),
        "followed": round((change >= 0.05).float().mean().item(), 3),
        "others": round(torch.cat(others).mean().item(), 4),
    }


Report = dict[str, object]


# ---------------------------------------------------------------------------------------- pictures


@torch.no_grad()
def sheet(generator: Generator, library: EditLibrary) -> Image.Image:
    """A row for each vector: learnt from what, and other portraits before and after."""
    rows = []
    others = torch.stack([sample(generator, seed, TRUNCATION) for seed in SHOWN])
    for example in EXAMPLES:
        vector = library[example.name]
        ws, _, painted = painting(generator, example)
        edited = vector.apply(others)
        pairs = torch.stack([others, edited], dim=1).flatten(0, 1)
        first, last, *pictures = generator.synthesis(
            torch.cat([torch.stack([ws, vector.apply(ws)]), pairs])
        ).image
        rows.append(torch.stack([first, coloured(painted), last, *pictures]))
    columns = 3 + 2 * len(SHOWN)
    size, head = generator.resolution, 20
    grid = tiled(torch.cat(rows), columns=columns)
    whole = Image.new("RGB", (grid.width, grid.height + head * len(rows)), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(14)
    for i, example in enumerate(EXAMPLES):
        top = i * (size + head)
        strip = grid.crop((0, i * size, grid.width, (i + 1) * size))
        whole.paste(strip, (0, top + head))
        draw.text((4, top + 1), f"{example.name}: before, painted, after", "black", font)
        draw.text((3 * size + 4, top + 1), "others, before and after", "black", font)
    return whole


def coloured(labels: LabelMap) -> Tensor:
    """A part map [H, W] as a picture [3, H, W] in [-1, 1]."""
    colours = [bytes.fromhex(PART_COLOURS[name][1:]) for name in PARTS]
    table = torch.tensor([list(colour) for colour in colours]) / 127.5 - 1
    return table[torch.from_numpy(labels).long()].permute(2, 0, 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ASSETS / "toonfaces-128-edits")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these, and leave the others")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator, reader = load_generator("toonfaces-128"), load_reader()
    library = EditLibrary(arguments.out)
    file = arguments.out.with_name(arguments.out.name + ".json")
    known = json.loads(file.read_text())["vectors"] if file.exists() else {}
    for example in EXAMPLES:
        if arguments.only and example.name not in arguments.only:
            continue
        vector = learn(generator, example)
        if example.name in library:
            library.remove(example.name)
        library.add(vector)
        facts = {name: vector.learnt[name] for name in ("seed", "agreement", "outside")}
        known[example.name] = {**facts, **trial(generator, reader, example, vector)}
        print(example.name, known[example.name], flush=True)
    report = {
        "command": "python -m nbdrag.training.edits",
        "truncation": TRUNCATION,
        "portraits": TRIALS,
        "vectors": {example.name: known[example.name] for example in EXAMPLES},
    }
    file.write_text(json.dumps(report, indent=2) + "\n")
    sheet(generator, library).save(file.with_suffix(".jpg"), quality=78)


if __name__ == "__main__":
    main()
