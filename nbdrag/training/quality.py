"""How good a portrait generator is: `python -m nbdrag.training.quality toonfaces-128`.

The toonfaces reader looks at generated portraits and at held-out renders. Its confidence says
whether features are where a face has them, and clean; the distance between the two sets of its
features (FID), with precision and recall, says whether the portraits look like toonfaces and
whether they vary as these do. Numbers mean little without a scale, so the same are given for other
renders, the best that can be reached, and for renders that were blurred.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import ZOO, load_generator
from nbdrag.metrics import frechet_distance, precision_recall
from nbdrag.toonfaces import render, sample_factors
from nbdrag.toonfaces.reader import Reader, load_reader

HELD_OUT_SEED, OTHER_SEED, LATENT_SEED = 2_000_000, 3_000_000, 0
BLUR = 4  # the blurred copy is scaled down by so much, and up again
BATCH = 32

Draw = Callable[[int], Tensor]  # start of a batch -> its pictures


@torch.no_grad()
def measure(generator: Generator, reader: Reader, *, images: int, truncation: float) -> Report:
    """Confidence, FID, precision and recall of `images` portraits, and the scale beside them."""
    size = generator.resolution
    random = torch.Generator().manual_seed(LATENT_SEED)
    z = torch.randn(images, generator.z_dim, generator=random)
    held_out = sample_factors(images, generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    other = sample_factors(images, generator=torch.Generator().manual_seed(OTHER_SEED))

    def generated(psi: float) -> Draw:
        return lambda i: generator.synthesis(
            generator.mapping(z[i : i + BATCH], truncation=psi)
        ).image.clamp(-1, 1)

    _, reference = _read(reader, lambda i: render(held_out[i : i + BATCH], size).image, images)
    sets: dict[str, Draw] = {
        f"samples, psi {truncation:g}": generated(truncation),
        "samples, psi 1": generated(1.0),
        "renders": lambda i: render(other[i : i + BATCH], size).image,
        "blurred renders": lambda i: _blur(render(other[i : i + BATCH], size).image),
    }
    report: Report = {}
    for name, draw in sets.items():
        confidence, features = _read(reader, draw, images)
        precision, recall = precision_recall(features, reference)
        report[name] = {
            "confidence": round(confidence, 4),
            "fid": round(frechet_distance(features, reference), 3),
            "precision": round(precision, 4),
            "recall": round(recall, 4),
        }
    return report


Report = dict[str, dict[str, float]]


def _read(reader: Reader, draw: Draw, images: int) -> tuple[float, Tensor]:
    """Mean confidence in the landmarks that seem to show, and all features."""
    confidence, features = [], []
    for i in range(0, images, BATCH):
        reading = reader(draw(i))
        confidence.append(reading.confidence[reading.visible > 0.5])
        features.append(reading.features)
    return torch.cat(confidence).mean().item(), torch.cat(features)


def _blur(image: Tensor) -> Tensor:
    small = interpolate(image, scale_factor=1 / BLUR, mode="bilinear", antialias=True)
    return interpolate(small, size=image.shape[-2:], mode="bilinear")


def training_of(generator: str) -> dict[str, object]:
    """How a generator was trained, as far as its file says."""
    path = ZOO[generator].file if generator in ZOO else Path(generator)
    with safe_open(path, framework="pt") as file:
        training = json.loads((file.metadata() or {}).get("training", "{}"))
    if not training:
        return {}
    kept = {name: training[name] for name in ("commands", "pictures", "minutes")}
    return {"training": {**kept, "seed": training["options"]["seed"]}}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator", help="a name or a .safetensors file")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--truncation", type=float, default=0.7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file to write to")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report = {
        **training_of(arguments.generator),
        "command": f"python -m nbdrag.training.quality {arguments.generator}"
        f" --images {arguments.images}",
        "images": arguments.images,
        **measure(
            load_generator(arguments.generator),
            load_reader(),
            images=arguments.images,
            truncation=arguments.truncation,
        ),
    }
    text = json.dumps(report, indent=2)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
