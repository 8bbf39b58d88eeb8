"""What the benchmark of transfers edits, and who judges it.

Each task is one factor of a toonface, and a way to edit it: dragging landmarks, painting parts, or
adding a vector. The toonfaces reader, which takes no part in editing, says what the factor is then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.editgan import paint
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces import FACTOR_TABLE, FACTORS, LANDMARKS, render
from nbdrag.toonfaces.reader import Reader, Reading
from nbdrag.training.edits import EYE_PARTS, open_eyes
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.edit_one_for_all import find_direction
from nbdrag.transfer.library import EditLibrary

TRUNCATION = 0.7
LIMIT = 60  # steps of a drag
AGAIN = 4  # drags of an example, at most
BATCH = 40  # pictures made at once
CHUNK = 20  # portraits edited one by one between two savings

Result = TypeVar("Result")


class Judge:
    """Makes portraits of latents, and reads them."""

    def __init__(self, generator: Generator, reader: Reader) -> None:
        self.generator, self.reader = generator, reader

    @torch.no_grad()
    def drawn(self, seed: int, count: int) -> Tensor:
        """Latents, [count, num_ws, w_dim]."""
        random = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.generator.z_dim, generator=random)
        return self.generator.mapping(z, truncation=TRUNCATION)

    @torch.no_grad()
    def read(self, ws: Tensor) -> Reading:
        """What the reader sees in the pictures of latents."""
        found = []
        for rows in ws.split(BATCH):
            found.append(self.reader(self.generator.synthesis(rows).image.clamp(-1, 1)))
        return Reading(*map(torch.cat, zip(*found, strict=True)))

    def value(self, ws: Tensor, task: Task) -> Tensor:
        """The task's factor: yaw in degrees from the front, others in shares of their range."""
        factor = self.read(ws).factors[:, FACTORS.index(task.factor)]
        return (factor - 0.5) * degrees() if task.factor == "yaw" else factor

    def landmarks(self, ws: Tensor, task: Task) -> tuple[Tensor, Tensor]:
        """Landmarks of a portrait, [P, 2], and where they are once the factor is as wanted.

        That is told by rendering a face with the factors read, before and after.
        """
        reading = self.read(ws[None])
        before = reading.factors[0].clamp(0, 1)
        after = before.clone()
        after[FACTORS.index(task.factor)] = task.wanted
        truth = render(torch.stack([before, after]), self.generator.resolution).landmarks
        chosen = [LANDMARKS.index(name) for name in task.handles]
        size = float(self.generator.resolution)
        handles = reading.landmarks[0, chosen].clamp(0, size)
        return handles, (handles + (truth[1] - truth[0])[chosen]).clamp(0, size)


class Task(NamedTuple):
    """One edit of one factor.

    Attributes
    ----------
    factor : str
    source : str
        What the edit is made with.
    edit : callable, (Judge, ws, Task) -> edited ws
    far : float
        Examples are the first portraits whose factor is off the wanted value by so much, at least.
    wanted : float
        What the factor shall be, as a share of its range. Where an edit doesn't say (a vector, a
        painting), the edited example does, and this only chooses examples.
    handles : tuple of str
        The landmarks that are dragged.
    near : float
        The example is edited again, four times at most, until its factor is so near to the wanted
        value, in the unit of `Judge.value`: as somebody does who sees that it isn't there yet.
    """

    factor: str
    source: str
    edit: Callable[[Judge, Tensor, Task], Tensor]
    wanted: float
    far: float
    handles: tuple[str, ...] = ()
    near: float = math.inf

    @property
    def goal(self) -> float:
        """The wanted value, in the unit of `Judge.value`."""
        return 0.0 if self.factor == "yaw" else self.wanted


def dragged(judge: Judge, ws: Tensor, task: Task) -> Tensor:
    """Drag a portrait's landmarks to where they are to be."""
    options = replace(DragOptions.for_generator(judge.generator), max_steps=LIMIT, space="w")
    handles, targets = judge.landmarks(ws, task)
    return run_to_end(drag(judge.generator, ws, handles, targets, None, options)).ws


def painted(judge: Judge, ws: Tensor, task: Task) -> Tensor:
    """Paint both eyes twice as high."""
    with torch.no_grad():
        labels = judge.generator.segment(ws[None]).labels[0].numpy()
    return run_to_end(paint(judge.generator, ws, labels, open_eyes(labels), parts=EYE_PARTS)).ws


def slid(judge: Judge, ws: Tensor, task: Task) -> Tensor:
    """Add the vector that comes with the package."""
    return EditLibrary.packaged(judge.generator)[task.factor].apply(ws)


TASKS = {
    "yaw": Task("yaw", "a drag of the nose", dragged, 0.5, 0.1, ("nose_tip",), near=1.0),
    "hairline": Task("fringe", "a drag of the hairline", dragged, 0.3, 0.2, ("hairline",), 0.05),
    "eye opening": Task("eye_opening", "painted eyes", painted, 1.0, 0.3),
    "smile": Task("smile", "a vector", slid, 0.7, 0.15),
}


def examples(judge: Judge, task: Task, first: int, count: int) -> list[int]:
    """Seeds of the first portraits that are far enough from what is wanted."""
    found: list[int] = []
    column, seed = FACTORS.index(task.factor), first
    while len(found) < count:
        value = judge.read(judge.drawn(seed, 1)).factors[0, column]
        if abs(value.item() - task.wanted) >= task.far:
            found.append(seed)
        seed += 1
    return found


def edited_until_there(judge: Judge, ws: Tensor, task: Task) -> Tensor:
    """Edit a portrait until its factor is as wanted, or near enough."""
    for _ in range(AGAIN):
        ws = task.edit(judge, ws, task)
        if abs(judge.value(ws[None], task).item() - task.goal) <= task.near:
            break
    return ws


def one_by_one(judge: Judge, task: Task, ws: Tensor, folder: Path) -> tuple[Tensor, float]:
    """Every portrait edited by itself, and the seconds that one takes. What is done is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    edited, seconds = [], 0.0
    for start in range(0, len(ws), CHUNK):
        file = folder / f"{start:06d}.pt"
        if not file.exists():
            some, took = timed(
                lambda s=start: [task.edit(judge, w, task) for w in ws[s : s + CHUNK]]
            )
            save((torch.stack(some), took), file)
            print(task.factor, start + CHUNK, "of", len(ws), flush=True)
        some, took = torch.load(file, weights_only=True)
        edited.append(some)
        seconds += took
    return torch.cat(edited), seconds / len(ws)


def search(
    generator: Generator, example: Tensor, edited: Tensor, options: DirectionOptions
) -> EditDirection:
    """Run a search for a direction to its end."""
    return run_to_end(find_direction(generator, example, edited, options)).direction


def timed(compute: Callable[[], Result]) -> tuple[Result, float]:
    """A result, and the seconds of processor time that it took."""
    began = time.process_time()
    found = compute()
    return found, time.process_time() - began


def save(contents: object, file: Path) -> None:
    """Write a file that is whole as soon as it has its name."""
    part = file.with_suffix(".part")
    torch.save(contents, part)
    part.replace(file)


def degrees() -> float:
    """The range of yaw."""
    yaw = FACTOR_TABLE[FACTORS.index("yaw")]
    return math.degrees(yaw.high - yaw.low)
