"""What every editor can do, from Python: pictures, running edits, the history.

Editors add little of their own: `Session` is the state and its commands, `SessionWidget` is how a
notebook shows it. An editor made of another one shows the same session: one picture, one history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from os import PathLike, fsdecode
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets
from PIL import Image
from torch import Tensor

from nbdrag.editing.step import Step
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.history import Entry
from nbdrag.runtime.loading import Loading
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.runner import Outcome
from nbdrag.runtime.wishes import Sampled
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.widgets.models import Models, title
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import described
from nbdrag.widgets.widget import SessionWidget
from nbdrag.widgets.work import Work

if TYPE_CHECKING:
    from nbdrag.widgets.batch import BatchPreview


class Editor(SessionWidget):
    """A widget that shows a session, with what can be done to any.

    Attributes
    ----------
    batch : BatchPreview or None
        The preview that is shown beneath it, which its button makes. Set one, or None.
    """

    batch = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )

    def __init__(self, session: Session, models: Models) -> None:
        super().__init__(session, models)
        self._wire.on_batch = self._ask_for_batch

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

    # ------------------------------------------------------------------------------------ the edit

    @property
    def running(self) -> bool:
        """Whether an edit runs."""
        return self._session.running

    def stop(self) -> None:
        """End the edit after its present step, and wait for that."""
        self._session.stop()
        runner = self._session.runner
        if runner is not None:
            # A callback of the edit can only ask: it can't wait for itself.
            with contextlib.suppress(RuntimeError):
                runner.join()
        self._home.call(self._save)

    def on_step(self, callback: Callable[[Step], object]) -> Callable[[], None]:
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
        while True:
            if self._session.live:
                await asyncio.to_thread(self._session.wait_for_live)
            # Where targets were moved, or strokes came, another edit went on.
            runner = self._session.runner
            if runner is None or runner is waited_for:
                break
            outcome, waited_for = await runner.wait(), runner
        self._home.call(self._save)
        return outcome

    async def steps(self) -> AsyncIterator[Step]:
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

    # -------------------------------------------------------------------------- many other pictures

    def to_batch(
        self,
        ws_or_seeds: Any = None,
        *,
        options: DirectionOptions | None = None,
        name: str | None = None,
    ) -> BatchPreview:
        """Show the present edit on many pictures: from the one before any edit to this one.

        Parameters are those of `BatchPreview`. Show what this returns in a cell, or beneath this
        editor: ``editor.batch = editor.to_batch()``, which is what the button does.

        Raises
        ------
        ValueError
            If nothing is edited.
        """
        from nbdrag.widgets.batch import BatchPreview

        return BatchPreview(self, ws_or_seeds, options=options, name=name)

    @property
    def recipe(self) -> Recipe:
        """How the picture was made: to replay, save, or read as Python.

        A running edit joins it when it ends.
        """
        return self._session.recipe()

    def _ask_for_batch(self) -> None:
        """On a page's thread: show the present edit beneath, once the widget's thread is free."""
        from nbdrag.widgets.batch_inputs import edit_in

        edit_in(self)
        self._home.call(self._show_batch)

    def _show_batch(self) -> None:
        try:
            if self.batch is not None and self.batch.generator is self.generator:
                self.batch.take(self)
            else:
                self.batch = self.to_batch()
        except Exception as error:
            self._session.complain(f"The preview can't be shown: {described(error)}")


def session_of(
    generator: Generator | str | PathLike[str] | Editor, **begin: Any
) -> tuple[Session, Models]:
    """The session of an editor, or a new one that begins so, as `Work.begin` takes it.

    Raises
    ------
    ValueError
        If that doesn't suit the generator, or can't be said since the session has begun.
    """
    begin = {name: value for name, value in begin.items() if value is not None}
    if isinstance(generator, Editor):
        if begin:
            names = [name.replace("paint_", "") for name in begin]
            raise ValueError(
                f"{' and '.join(names)} can't be given along with another editor, whose picture "
                "this one will show; set them afterwards."
            )
        if not generator._session.listeners:
            raise ValueError("this editor was closed, and its session with it; make a new one.")
        return generator._session, generator._models
    source = ""
    if not isinstance(generator, Generator):
        source, generator = fsdecode(generator), load_generator(generator)
    name = title(source or generator.source)
    session = Session(Work.begin(generator, source=source, name=name, **begin))
    return session, Models(session)
