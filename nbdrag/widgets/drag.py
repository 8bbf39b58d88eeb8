"""DragEditor: drag points of a generated picture in a notebook cell.

What can be done by hand can be done here, too, from Python. The editor adds little of its own:
`Session` is the state and its commands, `SessionWidget` is how a notebook shows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from os import PathLike, fsdecode

from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.history import Entry
from nbdrag.runtime.loading import Loading
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.runner import Outcome
from nbdrag.runtime.wishes import Sampled
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.models import Models, title
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.session import Session
from nbdrag.widgets.widget import SessionWidget
from nbdrag.widgets.work import Work


class DragEditor(SessionWidget):
    """Drag points of a generated picture, by mouse or from Python.

    Show it by writing its name at the end of a cell. Everything that can be done by hand can be
    done here, too; both act on the same state, and all views of it agree.

    Parameters
    ----------
    generator : Generator, str or path-like
        One that was loaded, or what `load_generator` takes. Editors may share one.
    seed : int
        Of the first picture, from 0 to 2**32 - 1.
    truncation : float
        ψ, from 0 (the mean picture) to 1 (as the generator draws it).
    label : int, optional
        Class of it, from 0, if the generator has any. Default: the first.
    options : DragOptions or mapping, optional
        All options, or some by name. Default: those that suit the generator.

    Attributes
    ----------
    still : bytes
        The last picture at rest, as lossless WebP, for the notebook file.
    saved : dict
        The last state at rest, for the notebook file.

    Raises
    ------
    ValueError
        If there is no such generator, or seed, truncation or an option is out of range.
    FileNotFoundError
        If the browser half was not built.

    Notes
    -----
    While an edit runs, what would replace the picture (`seed`, `truncation`, `label`, `ws`,
    `history`, `undo`, `redo`, `go_to`, `reset`, another generator) ends it first; its result is in
    the history. Targets can be moved: the edit ends, and the next goes on from there. `mask`,
    `options` and the number of points belong to the edit, so that setting them raises RuntimeError.

    Examples
    --------
    >>> editor = DragEditor(seed=3)
    >>> editor.points = [[64, 92, 64, 98]]
    >>> editor.start()
    >>> outcome = await editor.wait()
    >>> print(editor.recipe.to_python())
    """

    def __init__(
        self,
        generator: Generator | str | PathLike[str] = "toonfaces-128",
        *,
        seed: int = 0,
        truncation: float = 0.7,
        label: int | None = None,
        options: DragOptions | Mapping[str, object] | None = None,
    ) -> None:
        source = ""
        if not isinstance(generator, Generator):
            source, generator = fsdecode(generator), load_generator(generator)
        work = Work.begin(
            generator,
            source=source,
            name=title(source or generator.source),
            seed=seed,
            truncation=truncation,
            label=label,
            options=options,
        )
        session = Session(work)
        super().__init__(session, Models(session))

    # ------------------------------------------------------------------------------- the picture

    @property
    def generator(self) -> Generator:
        """What makes the pictures. Set another one, or `load` it.

        The editor begins anew with it, with options that suit it; `back` leads to the one before,
        and to all that was made with that.
        """
        return self._session.generator

    @generator.setter
    def generator(self, generator: Generator) -> None:
        self._models.use(generator)

    def load(self, source: str | PathLike[str]) -> Loading[Generator]:
        """Load another generator, and go on with it once it is there.

        Returns at once; meanwhile everything goes on with the present one, and if this fails, it
        stays so. What is being loaded already is given up.

        Parameters
        ----------
        source : str or path-like
            What `load_generator` takes: a name, a path, an address.

        Returns
        -------
        Loading
            To await, or to ``stop()``. Awaiting gives the generator or raises what went wrong,
            which the status line shows, too; `nbdrag.runtime.loading.LoadingStopped`, if it was
            stopped.
        """
        return self._models.load(source)

    def back(self) -> None:
        """Go on with the generator before this one, where it was left. Twice leads back here."""
        self._session.go_back()

    @property
    def ws(self) -> Tensor:
        """Latent of the picture, shape [num_ws, w_dim]; a copy. Set it to show another picture.

        While an edit runs, that of its newest step.
        """
        return self._session.ws.clone()

    @ws.setter
    def ws(self, ws: Tensor) -> None:
        self._session.set_ws(ws)

    @property
    def image(self) -> Image.Image:
        """The picture, of full size, RGB. It follows from `ws`, so set that."""
        return self._session.image()

    @property
    def seed(self) -> int | None:
        """Seed that the picture goes back to; None where a latent was set. Set it to draw anew."""
        start = self._session.work.start
        return None if start is None else start.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        start = self._session.work.start or Sampled(0, 0.7)
        self._session.sample(seed, start.truncation, start.label)

    @property
    def truncation(self) -> float | None:
        """ψ, from 0 to 1, that the picture was drawn with; None where a latent was set."""
        start = self._session.work.start
        return None if start is None else start.truncation

    @truncation.setter
    def truncation(self, truncation: float) -> None:
        start = self._drawn("truncation")
        self._session.sample(start.seed, truncation, start.label)

    @property
    def label(self) -> int | None:
        """Class that the picture was drawn of, from 0; None where there are no classes."""
        start = self._session.work.start
        return None if start is None else start.label

    @label.setter
    def label(self, label: int) -> None:
        start = self._drawn("label")
        self._session.sample(start.seed, start.truncation, label)

    def _drawn(self, name: str) -> Sampled:
        """How the picture was drawn, for who wants to draw it otherwise."""
        start = self._session.work.start
        if start is None:
            raise ValueError(f"{name} is of a picture with a seed; set editor.seed first.")
        return start

    # ----------------------------------------------------------------------- what is placed on it

    @property
    def points(self) -> tuple[Pair, ...]:
        """Handles and targets: (handle x, handle y, target x, target y) of each pair, in pixels.

        Pixel centres lie at +0.5. Set any array of shape [P, 4] or [P, 2, 2]. While an edit runs,
        the handles are where tracking has them.
        """
        return self._session.points

    @points.setter
    def points(self, points: ArrayLike) -> None:
        self._session.set_points(points)

    @property
    def mask(self) -> MaskArray | None:
        """Bool array [H, W], True where the picture may move; None for everywhere. Read-only."""
        return self._session.mask

    @mask.setter
    def mask(self, mask: ArrayLike | None) -> None:
        self._session.set_mask(mask)

    @property
    def options(self) -> DragOptions:
        """How to drag. Set all of it, or a mapping of some options."""
        return self._session.options

    @options.setter
    def options(self, options: DragOptions | Mapping[str, object]) -> None:
        self._session.set_options(options)

    @property
    def space(self) -> str:
        """Whether the layers move each for itself, "w+", or alike, "w"; one of the options."""
        return self._session.options.space

    @space.setter
    def space(self, space: str) -> None:
        self._session.set_options({"space": space})

    # ------------------------------------------------------------------------------------ the edit

    @property
    def running(self) -> bool:
        """Whether an edit runs."""
        return self._session.running

    def start(self) -> None:
        """Drag the handles towards their targets, beside the notebook's cells.

        Returns at once. Does nothing if an edit runs.

        Raises
        ------
        ValueError
            If there are no points, or nothing may move.
        """
        self._session.start()

    def stop(self) -> None:
        """End the edit after its present step, and wait for that."""
        self._session.stop()
        runner = self._session.runner
        if runner is not None:
            # A callback of the edit can only ask: it can't wait for itself.
            with contextlib.suppress(RuntimeError):
                runner.join()
        self._home.call(self._save)

    def on_step(self, callback: Callable[[DragStep], object]) -> Callable[[], None]:
        """Call back after each step, on the edit's own thread.

        The edit waits for the callback. What it raises is shown in the status line.

        Returns
        -------
        callable
            Call it to be called back no more.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def wait(self) -> Outcome | None:
        """Wait for the end of the edit; tells how the last one ended, None if there was none."""
        outcome, waited_for = None, None
        # Where targets were moved, another edit went on.
        while (runner := self._session.runner) is not waited_for and runner is not None:
            outcome, waited_for = await runner.wait(), runner
        self._home.call(self._save)
        return outcome

    async def steps(self) -> AsyncIterator[DragStep]:
        """The newest step of the edit, again and again until it ends.

        Steps that pass while the loop's body runs are skipped; the last one never is, not even
        that of an edit that has ended already.
        """
        seen = None
        while (runner := self._session.runner) is not seen and runner is not None:
            async for step in runner:
                yield step
            seen = runner

    # --------------------------------------------------------------------------------- the history

    @property
    def history(self) -> tuple[Entry, ...]:
        """Every picture so far with what was placed on it; those after `cursor` can be redone.

        Set the entries of another editor of this generator to go on from its last picture.
        """
        return self._session.entries

    @history.setter
    def history(self, entries: Sequence[Entry]) -> None:
        self._session.set_history(entries)

    @property
    def cursor(self) -> int:
        """Index in `history` of the picture shown."""
        return self._session.album.history.cursor

    def undo(self) -> None:
        """Go back to the picture before. Raises ValueError at the first."""
        self._session.undo()

    def redo(self) -> None:
        """Go forward again. Raises ValueError at the last."""
        self._session.redo()

    def reset(self) -> None:
        """Go back to the picture before any edit. `redo` leads forward again."""
        self._session.reset()

    def go_to(self, index: int) -> None:
        """Go to an entry of the history, from 0. Raises ValueError if there is none."""
        self._session.go_to(index)

    @property
    def recipe(self) -> Recipe:
        """How the picture was made: to replay, save, or read as Python.

        A running edit joins it when it ends.
        """
        return self._session.recipe()
