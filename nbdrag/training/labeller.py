"""Train the toonfaces labeller: `python -m nbdrag.training.labeller --package PATH`.

Fresh renders for every step, half of them blurred, dimmed or noised a little, as the reader's are:
it will have to label what a generator made. Afterwards the weights are packaged in half precision,
with the IoU of every part on held-out renders, as they are and worsened.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from nbdrag.metrics import part_ious
from nbdrag.toonfaces import PARTS, render, sample_factors
from nbdrag.toonfaces.labeller import LABELLER_SIZE, Labeller, load_labeller
from nbdrag.training.reader import HELD_OUT_SEED, worsen


def train(
    out: Path, *, images: int, batch: int = 16, rate: float = 4e-3, seed: int = 0
) -> list[int]:
    """Train on `images` renders; continues from `out/checkpoint.pt` where there is one.

    Leaves the labeller in that file. Returns the `images` of all sittings so far.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the network's first weights
    labeller = Labeller()
    labeller.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(labeller.parameters(), lr=rate, weight_decay=1e-3)
    seen, sittings = 0, [images]
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        labeller.load_state_dict(saved["labeller"])
        optimiser.load_state_dict(saved["optimiser"])
        random.set_state(saved["random"])
        seen, sittings = saved["seen"], saved["sittings"]
        sittings += [images] if images != sittings[-1] else []

    start, began, last_save = seen, time.monotonic(), time.monotonic()
    while seen < images:
        progress = seen / images
        for group in optimiser.param_groups:  # warm up, hold, decay
            group["lr"] = rate * min(1.0, 20 * progress + 0.05, 1.6 * (1 - progress) + 1e-3)
        picture, labels, _, _ = render(sample_factors(batch, generator=random), LABELLER_SIZE)
        worse = worsen(picture, random).contiguous(memory_format=torch.channels_last)
        loss = cross_entropy(labeller(worse), labels.long())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(labeller.parameters(), 1.0)
        optimiser.step()
        seen += batch

        if time.monotonic() - last_save > 30 or seen >= images:
            last_save = time.monotonic()
            state = {
                "labeller": labeller.state_dict(),
                "optimiser": optimiser.state_dict(),
                "random": random.get_state(),
                "seen": seen,
                "sittings": sittings,
            }
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            pace = (seen - start) / (last_save - began)
            print(f"{seen:7d} images  {pace:5.0f}/s  loss {loss.item():.4f}", flush=True)
    return sittings


@torch.no_grad()
def evaluate(labeller: Labeller, *, images: int = 512) -> dict[str, object]:
    """IoU on renders that training never draws."""
    factors = sample_factors(images, generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    random = torch.Generator().manual_seed(HELD_OUT_SEED)
    picture, labels, _, _ = render(factors, LABELLER_SIZE)
    report: dict[str, object] = {"images": images}
    for name, pictures in (("renders", picture), ("worsened renders", worsen(picture, random))):
        ious = part_ious(labeller.labels(pictures), labels, len(PARTS))
        report[f"mean IoU, {name}"] = round(ious.nanmean().item(), 4)
        report[f"IoU, {name}"] = {
            part: round(iou, 4) for part, iou in zip(PARTS, ious.tolist(), strict=True)
        }
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/labeller"))
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--package", type=Path, help="write half-precision weights here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    sittings = train(arguments.out, images=arguments.images, seed=arguments.seed)
    if arguments.package:
        state = torch.load(arguments.out / "checkpoint.pt", weights_only=True)["labeller"]
        weights = {
            name: value.half().contiguous() if value.is_floating_point() else value
            for name, value in state.items()
        }
        save_file(weights, arguments.package)
        command = f"python -m nbdrag.training.labeller --seed {arguments.seed} --images"
        report = {
            "commands": [f"{command} {images}" for images in sittings],
            **evaluate(load_labeller(arguments.package)),
        }
        arguments.package.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
