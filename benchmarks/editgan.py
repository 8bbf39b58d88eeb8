"""The smile benchmark of the EditGAN paper (Table 1, Figs. 10-11) on toonfaces.

One portrait's mouth is painted into a smile, and the vector learnt from it makes 400 other
portraits smile that don't. Beside it stands InterFaceGAN's direction: the normal of the plane that
parts smiling from unsmiling latents, fitted on 30,000 portraits that were labelled for it. The
toonfaces reader judges all of them alike:

- smiling: the share whose smile is read as `SMILING` of its range or more;
- FID, KID: of the edited portraits, against renders that no generator has made;
- identity: the cosine between what makes a toonface who it is, before and after the edit;
- others: by how much every factor but the smile changes, on average, in shares of its range.

A vector may be refined by a few steps of optimisation on each portrait (Sec. 3.4), which is looked
at after 10, 30 and 60 of them. Scales are swept, too; there, refinement is done on fewer portraits.
Scale 1 of InterFaceGAN's direction is what lifts the smile of another hundred portraits by as much
as EditGAN's vector does at scale 1, so that the two are compared at the same strength. Refinement
takes most of the time; `benchmarks._refine_together` does it to several portraits at once.

    python -m benchmarks.editgan

What was computed lies in --work, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity

from benchmarks._refine_together import refine_together
from nbdrag.editing.editgan import refine
from nbdrag.editing.identity import PERSON
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import frechet_distance, kernel_distance
from nbdrag.toonfaces import FACTORS, render, sample_factors
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector

SMILING = 0.5  # of the range: half of all renders smile
NEUTRAL = 0.4  # portraits that smile more than that are not edited
TRUNCATION = 0.7
SCALES = (0.7, 1.0, 1.3, 1.5, 1.7)
STEPS = (10, 30, 60)
SMILE = FACTORS.index("smile")
OTHERS = [i for i in range(len(FACTORS)) if i != SMILE]
PEOPLE = [FACTORS.index(name) for name in PERSON]
LABELLED_SEED, TEST_SEED, CALIBRATION_SEED, RENDER_SEED = 0, 1, 2, 4_000_000
BATCH = 40
TOGETHER = 8  # portraits that are refined at a time


class Read(NamedTuple):
    """What the reader says of N portraits.

    factors : [N, len(FACTORS)]
    features : [N, FEATURES]
    """

    factors: Tensor
    features: Tensor


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--swept", type=int, default=60, help="portraits refined at other scales")
    parser.add_argument("--labelled", type=int, default=30_000, help="for InterFaceGAN")
    parser.add_argument("--renders", type=int, default=10_000, help="for FID and KID")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/editgan"))
    parser.add_argument("--images-to", type=Path, default=Path("docs/images"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/editgan.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    generator, reader = load_generator("toonfaces-128"), load_reader()
    judge = Judge(generator, reader, arguments.work, arguments.renders)
    vector = EditLibrary.packaged(generator)["smile"]
    direction = interfacegan(judge, arguments.labelled, vector)

    ws = portraits(judge, TEST_SEED, arguments.images)
    before = judge.read(ws)
    few = arguments.swept
    table = {"no edit": judge.report(before, before)}
    sweep: dict[str, list[object]] = {}
    for scale in SCALES:
        edited = {
            "InterFaceGAN": direction.apply(ws, scale),
            "EditGAN": vector.apply(ws, scale),
            **refined(judge, vector, ws if scale == 1 else ws[:few], scale),
        }
        for name, latents in edited.items():
            count = len(latents)
            found = judge.report(Read(*(part[:count] for part in before)), judge.read(latents))
            if scale == 1:
                table[name] = found
            alike = judge.report(Read(*(part[:few] for part in before)), judge.read(latents[:few]))
            sweep.setdefault(name, []).append({"scale": scale, **alike})
    results = {
        "command": f"python -m benchmarks.editgan --images {len(ws)} --swept {few}",
        "portraits": arguments.images,
        "portraits in the sweep": few,
        "smiling": SMILING,
        "neutral": NEUTRAL,
        "labels": {"EditGAN": "16 part maps", "InterFaceGAN": arguments.labelled},
        "learnt": dict(vector.learnt),
        "milliseconds of one thread": costs(judge, vector, ws[0]),
        "table": table,
        "sweep": sweep,
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    curves(sweep, arguments.images_to / "editgan-curves.png")
    strip(judge, vector, ws[:3], arguments.images_to / "editgan-scales.jpg")


# ---------------------------------------------------------------------------------------- judging


class Judge:
    """Makes portraits of latents, reads them, and compares."""

    def __init__(self, generator: Generator, reader: Reader, work: Path, renders: int) -> None:
        self.generator, self.reader, self.work = generator, reader, work
        self.reference = kept(work / f"renders-{renders}.pt", lambda: self._rendered(renders))

    @torch.no_grad()
    def read(self, ws: Tensor) -> Read:
        """Read the portraits of latents [N, num_ws, w_dim]."""
        found = []
        for rows in ws.split(BATCH):
            reading = self.reader(self.generator.synthesis(rows).image.clamp(-1, 1))
            found.append(Read(reading.factors, reading.features))
        return Read(*map(torch.cat, zip(*found, strict=True)))

    def report(self, before: Read, after: Read) -> dict[str, float]:
        """One row of the table."""
        smile = after.factors[:, SMILE]
        change = (after.factors - before.factors)[:, OTHERS].abs()
        people = [read.factors[:, PEOPLE] - 0.5 for read in (before, after)]
        features = after.features
        return {
            "smiling": round((smile >= SMILING).float().mean().item(), 4),
            "smile_change": round((smile - before.factors[:, SMILE]).mean().item(), 4),
            "fid": round(frechet_distance(features, self.reference), 3),
            "kid": round(kernel_distance(features, self.reference), 5),
            "identity": round(cosine_similarity(*people).mean().item(), 4),
            "others": round(change.mean().item(), 4),
        }

    @torch.no_grad()
    def _rendered(self, count: int) -> Tensor:
        random = torch.Generator().manual_seed(RENDER_SEED)
        size = self.generator.resolution
        features = []
        for rows in sample_factors(count, generator=random).split(BATCH):
            features.append(self.reader(render(rows, size).image).features)
            tell("renders", len(features) * BATCH, count, BATCH)
        return torch.cat(features)


def drawn(generator: Generator, seed: int, start: int) -> Tensor:
    """A batch of latents; the same for the same seed and start."""
    random = torch.Generator().manual_seed(seed * 10_000_019 + start)
    z = torch.randn(BATCH, generator.z_dim, generator=random)
    with torch.no_grad():
        return generator.mapping(z, truncation=TRUNCATION)


def portraits(judge: Judge, seed: int, count: int) -> Tensor:
    """Latents of portraits that don't smile."""
    chosen: list[Tensor] = []
    start = 0
    while len(chosen) < count:
        ws = drawn(judge.generator, seed, start)
        chosen += ws[judge.read(ws).factors[:, SMILE] < NEUTRAL]
        start += BATCH
    return torch.stack(chosen[:count])


# ----------------------------------------------------------------------------------------- rivals


def interfacegan(judge: Judge, count: int, rival: EditVector) -> EditVector:
    """The direction that labels of smiling teach (Shen et al., InterFaceGAN, CVPR 2020, Sec. 2).

    A plane is to part the w of smiling from those of other portraits; walking along its normal
    changes the label. A smile is rare, so what is labelled is the third that smiles the most
    against the third that does the least. The plane is a logistic regression's.
    """

    def labelled() -> list[Tensor]:
        found = []
        for start in range(0, count, BATCH):
            ws = drawn(judge.generator, LABELLED_SEED, start)
            found.append((ws[:, 0], judge.read(ws).factors[:, SMILE]))
            tell("labelled portraits", start + BATCH, count, BATCH)
        return [torch.cat(parts) for parts in zip(*found, strict=True)]

    w, smiles = kept(judge.work / f"labelled-{count}.pt", labelled)
    low, high = smiles.quantile(1 / 3), smiles.quantile(2 / 3)
    chosen = (smiles <= low) | (smiles >= high)
    normal = plane(w[chosen], smiles[chosen] >= high)
    unit = EditVector(
        normal.expand(judge.generator.num_ws, -1), "smile", judge.generator.content_hash
    )
    others = portraits(judge, CALIBRATION_SEED, 100)
    smile = judge.read(others).factors[:, SMILE]
    wanted = (judge.read(rival.apply(others)).factors[:, SMILE] - smile).mean()
    near, far = 0.0, 40.0
    for _ in range(12):  # by halves
        middle = (near + far) / 2
        found = (judge.read(unit.apply(others, middle)).factors[:, SMILE] - smile).mean()
        near, far = (middle, far) if found < wanted else (near, middle)
    print(f"InterFaceGAN: a distance of {middle:.3f} along the normal is scale 1", flush=True)
    return middle * unit


def plane(rows: Tensor, positive: Tensor) -> Tensor:
    """The unit normal of the plane that a logistic regression puts between two sets of rows."""
    mean, deviation = rows.mean(0), rows.std(0)
    x, y = (rows - mean) / deviation, positive.to(rows)
    weight = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = binary_cross_entropy_with_logits(x @ weight + bias, y)
        value = value + 1e-4 * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    right = ((x @ weight + bias > 0) == positive).float().mean().item()
    print(f"InterFaceGAN: the plane is right about {right:.1%} of {len(rows)}", flush=True)
    normal = weight.detach() / deviation
    return normal / normal.norm()


def refined(judge: Judge, vector: EditVector, ws: Tensor, scale: float) -> dict[str, Tensor]:
    """Latents after some steps of refinement, by what the table calls them."""
    generator = judge.generator
    options = PaintOptions.for_refinement(generator).updated({"max_steps": STEPS[-1]})
    folder = judge.work / f"refined-{stamp(generator, vector, options)}"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{scale:g}-{i}.pt" for i in range(len(ws))]
    for group in torch.arange(len(ws)).split(TOGETHER):
        missing = [i for i in group.tolist() if not paths[i].exists()]
        if missing:
            starts = ws[missing]
            edited = vector.apply(starts, scale)
            taken = list(refine_together(generator, starts, edited, options, vector.classes))
            counted = torch.stack([taken[n - 1] for n in STEPS], dim=1)
            for i, latents in zip(missing, counted, strict=True):
                kept(paths[i], lambda latents=latents: list(latents.clone()))
        tell(f"refined at scale {scale:g}", int(group[-1]) + 1, len(ws), len(group))
    found = {
        steps: [torch.load(path, weights_only=True)[k] for path in paths]
        for k, steps in enumerate(STEPS)
    }
    return {f"EditGAN + {steps}": torch.stack(latents) for steps, latents in found.items()}


def stamp(generator: Generator, vector: EditVector, options: PaintOptions) -> str:
    """What refinement depends on but the portrait: a few digits that change with it."""
    digest = sha256(repr(options).encode() + vector.delta.numpy().tobytes())
    for tensor in generator.segmenter.state_dict().values():  # type: ignore[union-attr]
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:8]


def costs(judge: Judge, vector: EditVector, ws: Tensor) -> dict[str, float]:
    """Processor time of a picture with the vector, and of a step of refinement, the median's."""
    generator = judge.generator
    options = PaintOptions.for_refinement(generator)
    edit = refine(generator, ws, vector.apply(ws), options, parts=vector.classes)

    @torch.no_grad()
    def picture() -> None:
        generator.synthesis(vector.apply(ws)[None])

    def median(call: Callable[[], object], times: int) -> float:
        spent = []
        for _ in range(times):
            began = time.process_time()
            call()
            spent.append(time.process_time() - began)
        return round(1000 * sorted(spent)[times // 2], 1)

    next(edit)  # what is computed once
    return {"vector": median(picture, 15), "step": median(lambda: next(edit), 15)}


# ---------------------------------------------------------------------------------------- pictures


def curves(sweep: dict[str, list[Any]], path: Path) -> None:
    """Figure 11: the person against the smile; and Figure 10, right: FID against the scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 3.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, rows in sweep.items():
        style = {"marker": "o", "markersize": 4, "label": name}
        if name == "InterFaceGAN":
            style |= {"linestyle": "--", "color": "#8a8f98"}
        left.plot([100 * r["smiling"] for r in rows], [r["identity"] for r in rows], **style)
        right.plot([r["scale"] for r in rows], [r["fid"] for r in rows], **style)
    left.set(xlabel="smiling, %", ylabel="identity (cosine)")
    right.set(xlabel="scale", ylabel="FID to renders")
    right.set_xticks(SCALES)
    left.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


@torch.no_grad()
def strip(judge: Judge, vector: EditVector, ws: Tensor, path: Path) -> None:
    """Figure 10, left: portraits before, and at every scale; below with 30 steps of refinement."""
    rows = []
    kept_steps = f"EditGAN + {STEPS[1]}"
    mended = {s: refined(judge, vector, ws, s)[kept_steps] for s in SCALES}
    for i, start in enumerate(ws):
        plain = torch.stack([start, *(vector.apply(start, s) for s in SCALES)])
        better = torch.stack([start, *(mended[s][i] for s in SCALES)])
        rows += [judge.generator.synthesis(latents).image for latents in (plain, better)]
    tiled(torch.cat(rows), columns=1 + len(SCALES)).save(path, quality=88)


# ------------------------------------------------------------------------------------- on the way


def kept(path: Path, compute: Callable[[], Any]) -> Any:
    """What was computed before, or is now, and kept: tensors."""
    if path.exists():
        return torch.load(path, weights_only=True)
    found = compute()
    torch.save(found, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    return found


def tell(what: str, done: int, total: int, by: int = 1) -> None:
    """Say how far it is, ten times in all, where it goes on `by` so many at a time."""
    if 10 * done // total > 10 * (done - by) // total:
        print(f"{time.strftime('%H:%M:%S')} {what}: {min(done, total)} of {total}", flush=True)


if __name__ == "__main__":
    main()
