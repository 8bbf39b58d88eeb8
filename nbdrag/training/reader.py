"""Train the toonfaces reader: `python -m nbdrag.training.reader --package PATH`.

Fresh renders for every step, so it cannot overfit. Half of them are blurred, dimmed or noised a
little, since it will have to read pictures that a generator made and not only clean renders.
Afterwards the weights are packaged in half precision, with their errors on held-out renders.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.toonfaces import FACTORS, LANDMARKS, render, sample_factors
from nbdrag.toonfaces.reader import READER_SIZE, Reader, load_reader, reading_loss

HELD_OUT_SEED = 10**6


def train(out: Path, *, images: int, batch: int = 32, rate: float = 2e-3, seed: int = 0) -> Reader:
    """Train on `images` renders; continues from `out/checkpoint.pt` where there is one."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    random = torch.Generator().manual_seed(seed)
    reader = Reader()
    optimiser = torch.optim.AdamW(reader.parameters(), lr=rate, weight_decay=1e-3)
    seen = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        reader.load_state_dict(saved["reader"])
        optimiser.load_state_dict(saved["optimiser"])
        random.set_state(saved["random"])
        seen = saved["seen"]

    start, began, last_save = seen, time.monotonic(), time.monotonic()
    while seen < images:
        progress = seen / images
        for group in optimiser.param_groups:  # warm up, hold, decay
            group["lr"] = rate * min(1.0, 20 * progress + 0.05, 1.6 * (1 - progress) + 1e-3)
        factors = sample_factors(batch, generator=random)
        picture, _, landmarks, visible = render(factors, READER_SIZE)
        reading = reader(worsen(picture, random))
        loss = reading_loss(reading, landmarks, visible, factors)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
        optimiser.step()
        seen += batch

        if time.monotonic() - last_save > 60 or seen >= images:
            last_save = time.monotonic()
            state = {
                "reader": reader.state_dict(),
                "optimiser": optimiser.state_dict(),
                "random": random.get_state(),
                "seen": seen,
            }
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            error = (reading.landmarks - landmarks).norm(dim=-1)[visible].mean()
            print(
                f"{seen:7d} images  {(seen - start) / (last_save - began):5.0f}/s  "
                f"loss {loss.item():.3f}  landmarks {error.item():.2f} px",
                flush=True,
            )
    return reader


def worsen(picture: Tensor, random: torch.Generator) -> Tensor:
    """Blur, dim and add noise to about half of the pictures, each by its own amount."""
    amount = torch.rand(len(picture), 3, 1, 1, 1, generator=random)
    blur, dim, noise = (2 * amount - 1).clamp_min(0).unbind(1)
    smaller = interpolate(picture, scale_factor=0.5, mode="bilinear", antialias=True)
    blurred = interpolate(smaller, size=picture.shape[-2:], mode="bilinear")
    worse = torch.lerp(picture, blurred, blur) * (1 - 0.2 * dim)
    return worse + 0.12 * noise * torch.randn(worse.shape, generator=random)


@torch.no_grad()
def evaluate(reader: Reader, *, images: int = 1024) -> dict[str, object]:
    """Errors on renders that training never draws: pixels of a READER_SIZE picture, and shares."""
    factors = sample_factors(images, generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    distances, agreements, guesses, confidences = [], [], [], []
    for rows in factors.split(64):
        picture, _, landmarks, visible = render(rows, READER_SIZE)
        reading = reader(picture)
        error = (reading.landmarks - landmarks).norm(dim=-1)
        distances.append(error.masked_fill(~visible, torch.nan))
        agreements.append((reading.visible > 0.5) == visible)
        guesses.append((reading.factors - rows).abs())
        confidences.append(reading.confidence[visible])
    by_landmark = torch.cat(distances).nanmean(0)
    by_factor = torch.cat(guesses).mean(0)
    return {
        "images": images,
        "landmark_error_px": round(torch.cat(distances).nanmean().item(), 3),
        "worst_landmarks_px": _largest(by_landmark, LANDMARKS),
        "visibility_accuracy": round(torch.cat(agreements).float().mean().item(), 4),
        "factor_error": round(by_factor.mean().item(), 4),
        "worst_factors": _largest(by_factor, FACTORS),
        "confidence": round(torch.cat(confidences).mean().item(), 4),
    }


def _largest(errors: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    return {names[i]: round(errors[i].item(), 3) for i in errors.topk(3).indices.tolist()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/reader"))
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--package", type=Path, help="write half-precision weights here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(arguments.seed)  # the network's first weights
    reader = train(arguments.out, images=arguments.images, seed=arguments.seed)
    if arguments.package:
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in reader.state_dict().items()
        }
        save_file(weights, arguments.package)
        report = evaluate(load_reader(arguments.package))
        command = "python -m nbdrag.training.reader"
        report["command"] = f"{command} --images {arguments.images} --seed {arguments.seed}"
        arguments.package.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
