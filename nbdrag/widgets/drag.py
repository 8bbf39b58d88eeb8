"""DragEditor: drag points of a generated picture in a notebook cell.

The editor joins three things and adds little: a `Session`, which is the state; a `Wire`, which
keeps the pages in step with it; and the widget, which is how a notebook shows it. Everything live
travels as custom messages. Two traits exist for the notebook file alone, so that it shows the last
picture where no kernel runs; traits aren't made for threads, so only the thread that made the
editor sets them.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry
from nbdrag.runtime.home import HomeThread
from nbdrag.runtime.kernel import SendingContext, free_replies
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.runner import Outcome
from nbdrag.widgets import protocol
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.session import Session
from nbdrag.widgets.wire import Wire

BUNDLE = Path(__file__).parent.parent / "assets" / "js"


class DragEditor(anywidget.AnyWidget):
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
    While an edit runs, what would replace the picture (`seed`, `truncation`, `ws`, `history`,
    `undo`, `redo`, `go_to`, `reset`) ends it first; its result is in the history. Targets can be
    moved: the edit ends, and the next goes on from there. `mask`, `options` and the number of
    points belong to the edit, so that setting them raises RuntimeError.

    Examples
    --------
    >>> editor = DragEditor(seed=3)
    >>> editor.points = [[64, 92, 64, 98]]
    >>> editor.start()
    >>> outcome = await editor.wait()
    >>> print(editor.recipe.to_python())
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    still = traitlets.Bytes().tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        generator: Generator | str | PathLike[str] = "toonfaces-128",
        *,
        seed: int = 0,
        truncation: float = 0.7,
        options: DragOptions | Mapping[str, object] | None = None,
    ) -> None:
        esm, css = _bundled("drag.js"), _bundled("drag.css")
        source = "" if isinstance(generator, Generator) else fspath(generator)
        if not isinstance(generator, Generator):
            generator = load_generator(generator)
        self._session = Session(
            generator,
            source=source,
            name=Path(source).stem or "generator",
            seed=seed,
            truncation=truncation,
            options=options,
        )
        self._callbacks: list[Callable[[DragStep], object]] = []
        self._sending = SendingContext()
        self._wire = Wire(self._session, self._send_custom)
        self._home = HomeThread()
        self._saved_version = self._session.still_version
        super().__init__(_esm=esm, _css=css, **self._savings())
        free_replies(self.comm)
        self._session.on_change = self._changed
        self._session.on_move = self._moved
        self.on_msg(self._sending.kept_by(self._on_page_message))

    # ------------------------------------------------------------------------------- the picture

    @property
    def generator(self) -> Generator:
        """What makes the pictures."""
        return self._session.generator

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
        return self._session.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        truncation = self._session.truncation
        self._session.sample(seed, 0.7 if truncation is None else truncation)

    @property
    def truncation(self) -> float | None:
        """ψ, from 0 to 1, that the picture was drawn with; None where a latent was set."""
        return self._session.truncation

    @truncation.setter
    def truncation(self, truncation: float) -> None:
        if self._session.seed is None:
            raise ValueError("truncation is of a picture with a seed; set editor.seed first.")
        self._session.sample(self._session.seed, truncation)

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

    # --------------------------------------------------------------------------------- as a widget

    def close(self) -> None:
        """End the edit and take the editor off all pages."""
        if hasattr(self, "_wire"):
            self._session.stop()
            self._wire.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # Where there is no widget: on code hosts, in exported documents. Never text/html,
            # which some front ends prefer to the live widget.
            bundle[0]["image/png"] = base64.b64encode(pictures.png(self.image)).decode()
        return bundle

    def _on_page_message(self, _: object, content: object, buffers: object) -> None:
        self._wire.receive(content)

    def _send_custom(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self._sending.run(self.send, content, buffers)

    def _changed(self) -> None:
        self._wire.publish()
        self._home.call(self._save)

    def _moved(self, step: DragStep, picture: Picture) -> None:
        self._wire.show(picture)
        for callback in [*self._callbacks]:
            try:
                callback(step)
            except Exception as error:
                complaint = f"on_step: {type(error).__name__}: {error}"
                if complaint != self._session.status.text:  # once, and not at every step
                    self._session.complain(complaint)

    def _save(self) -> None:
        """Set the traits, on the thread that made the editor, if there is another still."""
        session = self._session
        with session.lock:
            if session.running or self._saved_version == session.still_version:
                return
            self._saved_version = session.still_version
            savings = self._savings()
        for name, value in savings.items():
            try:
                setattr(self, name, value)
            except Exception:
                # It is set, but can't be told: the page or the kernel is going away.
                logging.getLogger(__name__).debug("not sent: %s", name, exc_info=True)

    def _savings(self) -> dict[str, Any]:
        """What the notebook file keeps: a still, and the state that belongs to it."""
        session = self._session
        with session.lock:
            still = session.album.still(session.album.current)
            return {"still": still, "saved": protocol.encode(self._wire.snapshot())}


def _bundled(name: str) -> str:
    """A file of the browser half."""
    path = BUNDLE / name
    if not path.is_file():
        raise FileNotFoundError(
            f"the editor's browser half is not built, {path} is missing; run `make build` in the "
            "repository, or install nbdrag from a wheel."
        )
    return path.read_text(encoding="utf-8")
