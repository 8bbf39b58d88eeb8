"""The parts of toonfaces: sixteen labelled examples for a segmenter, and how good it became.

    python -m nbdrag.training.toonface_parts draw toonfaces-128 FOLDER
    python -m nbdrag.training.segmenter toonfaces-128 FOLDER nbdrag/assets/toonfaces-128-parts.safetensors --members 4 --looks 3
    python -m nbdrag.training.toonface_parts evaluate toonfaces-128

With another generator a person would sit down and paint sixteen part maps. Here the labeller does
that, a network trained on renders; it labels what the generator drew, artefacts and all. Which
sixteen is chosen as that person would: many are looked at, and those taken that show most of what
is rarely seen, such as ears. All of them are the generator's versions of renders that were embedded,
since latents that projection or an edit finds lie elsewhere than random ones, and make other
features; and a segmenter that learnt from those is as right about random ones. They are embedded in
W+ from the first step, so that they lie further off than `project` goes by itself.

The segmenter is then compared with the labeller, on samples that it wasn't trained on, and with
the truth, which renders come with: others than those it was trained on are embedded, of several
seeds, and the labels are those of what the generator makes of them. What is lost there may be the segmenter's fault or
the embedding's; so the labeller's labels of the embedded pictures are compared with the truth, too.

Embedding takes most of the time, half a minute for a picture. What was found lies in --work, and is
found there the next time.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from nbdrag import toonfaces
from nbdrag.generators.segmenter import Part
from nbdrag.generators.segmenter_file import load_segmenter
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import ZOO, load_generator
from nbdrag.metrics import part_ious, peak_signal_to_noise
from nbdrag.projection.optimize import ProjectOptions, project
from nbdrag.toonfaces.labeller import load_labeller
from nbdrag.training.examples import Examples, write_examples

PARTS = tuple(Part(*pair) for pair in toonfaces.PART_COLOURS.items())
HELD_OUT_SEED, EXAMPLES_SEED = 1_000_000, 3_000_000
RENDERS_SEEDS = (2_000_000, 5_000_000, 6_000_000)
CANDIDATES = 64  # renders that the examples are chosen from
EMBEDDING = ProjectOptions(max_steps=1000)
STRAYING = replace(EMBEDDING, together=0.0)  # of the examples
BATCH = 16


@torch.no_grad()
def draw(generator: Generator, count: int, work: Path, candidates: int = CANDIDATES) -> Examples:
    """Have the generator make pictures like some renders, and label what it made."""
    rendered = render(generator, candidates, EXAMPLES_SEED)
    ws = embedded(generator, rendered.image[telling(rendered.labels, count)], work, STRAYING)
    pictures = torch.cat([generator.synthesis(w[None]).image for w in ws])
    return Examples(ws, load_labeller().labels(pictures.clamp(-1, 1)), PARTS)


def telling(labels: Tensor, count: int) -> list[int]:
    """Which part maps [N, H, W] to choose so that every part is seen.

    One after another: that which adds most to the sum over the parts of log(1 + pixels seen).
    A pixel of an ear counts for much while there are few of them.
    """
    pixels = torch.stack([torch.bincount(x.flatten(), minlength=len(PARTS)) for x in labels])
    chosen: list[int] = []
    seen = torch.zeros(len(PARTS))
    for _ in range(count):
        gain = ((1 + seen + pixels) / (1 + seen)).log().sum(1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        seen = seen + pixels[chosen[-1]]
    return chosen


def render(generator: Generator, count: int, seed: int) -> toonfaces.Rendering:
    """Toonfaces as large as the generator's pictures, with the true labels."""
    factors = toonfaces.sample_factors(count, generator=torch.Generator().manual_seed(seed))
    return toonfaces.render(factors, generator.resolution)


def embedded(generator: Generator, pictures: Tensor, work: Path, options: ProjectOptions) -> Tensor:
    """The latents [n, num_ws, w_dim] of pictures; found in a folder, or by projection."""
    work.mkdir(parents=True, exist_ok=True)
    found = []
    for i, picture in enumerate(pictures):
        digest = sha256(f"{generator.content_hash} {options}".encode())
        digest.update(picture.numpy().tobytes())
        path = work / f"embedded-{digest.hexdigest()[:12]}.pt"
        if not path.exists():
            *_, last = project(generator, picture, options)
            torch.save(last.ws, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            print(f"embedded {i + 1} of {len(pictures)}: loss {last.loss:.4f}", flush=True)
        found.append(torch.load(path, weights_only=True))
    return torch.stack(found)


def samples(generator: Generator, count: int, seed: int, truncation: float) -> Tensor:
    """Random latents, [count, num_ws, w_dim]."""
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=rng)
    with torch.no_grad():
        return generator.mapping(z, truncation=truncation)


@torch.no_grad()
def evaluate(generator: Generator, *, pictures: int, renders: int, work: Path) -> dict[str, Any]:
    """IoU of every part, on held-out samples and on embedded renders, so many of each seed."""
    labeller = load_labeller()
    report: dict[str, Any] = {}
    for truncation in (0.7, 1.0):
        found, truth = [], []
        ws = samples(generator, pictures, HELD_OUT_SEED, truncation)
        for rows in ws.split(BATCH):
            image, _, labels = generator.segment(rows)
            found.append(labels)
            truth.append(labeller.labels(image.clamp(-1, 1)))
        name = f"samples, psi {truncation:g}, against the labeller"
        report[name] = ious(torch.cat(found), torch.cat(truth))

    rendered = [render(generator, renders, seed) for seed in RENDERS_SEEDS]
    drawn, exact = (torch.cat([each[i] for each in rendered]) for i in (0, 1))
    ws = embedded(generator, drawn, work, EMBEDDING)
    made = [generator.segment(rows) for rows in ws.split(BATCH)]
    image = torch.cat([each.image for each in made]).clamp(-1, 1)
    labels, seen = torch.cat([each.labels for each in made]), labeller.labels(image)
    which = f"renders embedded in {EMBEDDING.max_steps} steps, against the truth"
    report[which] = ious(labels, exact)
    report[f"labeller on {which}"] = ious(seen, exact)
    report["labeller on renders, against the truth"] = ious(labeller.labels(drawn), exact)
    report["embedding_psnr_db"] = round(peak_signal_to_noise(image, drawn), 2)
    # What one lot of renders says, and another: how much chance there is in the figures.
    report["by_seed"] = {
        str(seed): {
            "segmenter": ious(labels[lot], exact[lot])["mean"],
            "labeller": ious(seen[lot], exact[lot])["mean"],
        }
        for seed, lot in zip(RENDERS_SEEDS, torch.arange(len(ws)).split(renders), strict=True)
    }
    return report


def ious(labels: Tensor, truth: Tensor) -> dict[str, float]:
    """IoU of every part by name, and their mean."""
    by_part = part_ious(labels, truth, len(PARTS))
    names = [part.name for part in PARTS]
    return {
        "mean": round(by_part.nanmean().item(), 4),
        **{name: round(iou, 4) for name, iou in zip(names, by_part.tolist(), strict=True)},
    }


@torch.no_grad()
def sheet(generator: Generator, *, columns: int = 8) -> Image.Image:
    """Held-out samples, and their part maps below."""
    found = generator.segment(samples(generator, columns, HELD_OUT_SEED, 0.7))
    colours = torch.tensor([list(bytes.fromhex(part.colour[1:])) for part in PARTS])
    maps = colours[found.labels.long()].permute(0, 3, 1, 2) / 127.5 - 1
    return tiled(torch.cat([found.image, maps]), columns=columns)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/toonface-parts"))
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="write labelled examples to a folder")
    drawing.add_argument("generator")
    drawing.add_argument("folder", type=Path)
    drawing.add_argument("--count", type=int, default=16)
    judging = commands.add_parser("evaluate", help="write IoUs and a sheet beside the segmenter")
    judging.add_argument("generator")
    judging.add_argument("--segmenter", type=Path, help="default: the packaged one")
    judging.add_argument("--pictures", type=int, default=200)
    judging.add_argument("--renders", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_generator(arguments.generator)
    if arguments.command == "draw":
        examples = draw(generator, arguments.count, arguments.work)
        write_examples(arguments.folder, examples, [f"{i:02d}" for i in range(arguments.count)])
        return
    path = arguments.segmenter or ZOO[arguments.generator].segmenter_file
    generator.segmenter = load_segmenter(path, generator)
    with safe_open(path, framework="pt") as file:
        training = json.loads(file.metadata().get("training", "{}"))
    report = {
        "training": training,
        "command": f"python -m nbdrag.training.toonface_parts evaluate {arguments.generator}"
        f" --pictures {arguments.pictures} --renders {arguments.renders}",
        "pictures": arguments.pictures,
        "renders": arguments.renders * len(RENDERS_SEEDS),
        **evaluate(
            generator,
            pictures=arguments.pictures,
            renders=arguments.renders,
            work=arguments.work,
        ),
    }
    path.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    sheet(generator).save(path.with_suffix(".png"))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
