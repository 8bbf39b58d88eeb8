"""BatchPreview: one edit on a page of pictures, in a notebook cell; a slider moves all of them.

What can be done by hand can be done here, too, from Python.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Callable, Sequence
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from nbdrag.editing.step import Step
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.home import HomeThread
from nbdrag.runtime.kernel import SendingContext, free_replies
from nbdrag.runtime.loading import Loading
from nbdrag.runtime.rest import AtRest
from nbdrag.runtime.runner import Outcome
from nbdrag.runtime.synthesis import is_quick
from nbdrag.runtime.tile_sheet import Column, sheet, webp
from nbdrag.runtime.tiles import TilePictures
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.widgets import batch_messages as m
from nbdrag.widgets import from_kernel
from nbdrag.widgets.batch_inputs import Pictures, Wanted, pictures_of, wanted_edit
from nbdrag.widgets.batch_live import Alphas, Selection
from nbdrag.widgets.batch_session import BatchSession
from nbdrag.widgets.batch_wire import BatchWire
from nbdrag.widgets.models import title
from nbdrag.widgets.widget import bundled

COLUMNS = 8  # of the sheet in the notebook file
REST = 0.6  # seconds, after which it is made anew


class BatchPreview(anywidget.AnyWidget):
    """One edit on many pictures at once, by a slider or from Python (Edit One for All).

    Show it by writing its name at the end of a cell. All pictures are brought to the final state of
    the edited example; the slider edits that more or less, and all others follow.

    Parameters
    ----------
    direction : EditDirection, editor, or pair (ws, edited_ws)
        The edit. Of an editor, the one that it shows. A pair is of two latents [num_ws, w_dim], or
        of what has one as its `ws`: steps of an edit, recipes; the second may be an `EditVector`.
        Of an editor or a pair, the direction is looked for beside the notebook, and the pictures
        show what is found.
    ws_or_seeds : optional
        The pictures: seeds, such as ``range(1000)``; latents [N, num_ws, w_dim] or [N, w_dim]; a
        file of them; one of `nbdrag.sources`; any iterable of latents. At most 20,000. Default:
        seeds 0 to 239.
    generator : Generator, str or path-like, optional
        Default: the editor's, or the one that the direction was found with.
    options : DirectionOptions, optional
        How to look for the direction.
    name : str, optional
        What the edit is called.

    Attributes
    ----------
    still : bytes
        A sheet of a few pictures before and after, as WebP, for the notebook file.
    saved : dict
        The last state at rest, for the notebook file.

    Raises
    ------
    ValueError
        If the edit changes nothing or is another generator's, or there are no pictures.
    FileNotFoundError
        If the browser half was not built.

    References
    ----------
    Nguyen et al., Edit One for All: Interactive Batch Image Editing, CVPR 2024, Sec. 3.2.

    Examples
    --------
    >>> preview = BatchPreview(editor, range(1000))
    >>> preview.strength = 1.4
    >>> preview.selection.discard(3)
    >>> preview.alphas[5] = 0.0
    >>> await preview.export("frontal.zip")
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    still = traitlets.Bytes().tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        direction: Any,
        ws_or_seeds: Any = None,
        generator: Generator | str | PathLike[str] | None = None,
        *,
        options: DirectionOptions | None = None,
        name: str | None = None,
    ) -> None:
        wanted = wanted_edit(direction, generator, options, name)
        pictures = pictures_of(ws_or_seeds, wanted.generator)
        esm, css = bundled("batch.js"), bundled("batch.css")
        session = BatchSession(wanted.generator, pictures.ws, pictures.names, wanted.direction)
        session.keys = pictures.keys
        session.status = status_of(pictures)
        self._session = session
        self._tiles = TilePictures(wanted.generator, session.latent)
        self._callbacks: list[Callable[[Step], object]] = []
        self._sending, self._home = SendingContext(), HomeThread()
        model = title(wanted.generator.source or wanted.direction.generator)
        self._wire = BatchWire(session, self._tiles, model, self._send_custom)
        self._resting = AtRest(lambda moved: self._refresh(), pause=REST)
        self._selection, self._alphas = Selection(session), Alphas(session)
        super().__init__(_esm=esm, _css=css, **self._savings())
        free_replies(self.comm)
        self.on_msg(self._sending.kept_by(self._on_page_message))
        session.listeners.append(self._changed)
        self._begin(wanted)

    def close(self) -> None:
        """Take the preview off all pages. A search or an export ends."""
        if hasattr(self, "_wire"):
            self._session.listeners.clear()
            self.stop()
            self._resting.close()
            self._wire.close()
        super().close()

    # ----------------------------------------------------------------------------------- the edit

    @property
    def direction(self) -> EditDirection:
        """The edit, with the example edited as much as `strength` says.

        Set another one of this generator to show that, or whatever `BatchPreview` takes.
        """
        return self._session.direction

    @direction.setter
    def direction(self, direction: Any) -> None:
        self.take(direction)

    def take(
        self, direction: Any, *, options: DirectionOptions | None = None, name: str | None = None
    ) -> None:
        """Show another edit of the same pictures, and find its direction if need be.

        Pictures that are left out stay so; strengths of their own were for the other edit, and go.
        Parameters and errors are those of `BatchPreview`. A search that runs ends.
        """
        wanted = wanted_edit(direction, self.generator, options, name)
        if self.running == "search":
            self.stop()
        self._session.check_idle()
        self._session.set_direction(wanted.direction)
        self._begin(wanted)

    @property
    def generator(self) -> Generator:
        """What makes the pictures."""
        return self._session.generator

    @property
    def strength(self) -> float:
        """How much the example is edited, 1 being as it was; from -10 to 10. All others follow."""
        return self._session.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._session.set_strength(strength)

    @property
    def alphas(self) -> Alphas:
        """How much of the edit each picture gets, in units of w; see `Alphas`.

        Set one to give that picture a strength of its own; set all of them at once, or None, which
        makes all automatic again.
        """
        return self._alphas

    @alphas.setter
    def alphas(self, alphas: ArrayLike | None) -> None:
        if alphas is None:
            self._alphas.reset()
        elif alphas is not self._alphas:
            self._alphas[:] = alphas

    # ------------------------------------------------------------------------------- the pictures

    @property
    def ws(self) -> Tensor:
        """Latents of all pictures before the edit, shape [N, num_ws, w_dim]; a copy."""
        return self._session.ws.clone()

    @property
    def edited_ws(self) -> Tensor:
        """Latents of the included pictures after it, in the order of their numbers."""
        session = self._session
        with session.lock:
            items = np.flatnonzero(session.included)
            shown = session.shown
        return shown.direction.apply(session.ws[items], alphas=shown.alphas[items].tolist())

    @property
    def selection(self) -> Selection:
        """Which pictures are included; see `Selection`. Set numbers, or True and False for each."""
        return self._selection

    @selection.setter
    def selection(self, items: object) -> None:
        if items is not self._selection:
            self._session.select(items)

    @property
    def sort(self) -> str:
        """What pictures are ordered by: "source", "strength", or "distance" to the hyperplane."""
        return self._session.by

    @sort.setter
    def sort(self, by: m.SortKey) -> None:
        self._session.sort(by)

    @property
    def order(self) -> NDArray[np.int64]:
        """Numbers of the pictures in the order in which they stand; a copy."""
        return self._session.order.copy()

    def __len__(self) -> int:
        return self._session.count

    @property
    def image(self) -> Image.Image:
        """A sheet of the example and the first pictures, before and after; RGBA."""
        return self._sheet(COLUMNS)

    # ------------------------------------------------------------------------------ what takes time

    @property
    def running(self) -> str | None:
        """What runs: "search" for the direction, or "export"; None at rest."""
        return self._session.running

    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,  # noqa: A002
        *,
        resume: bool = False,
    ) -> Loading[Path]:
        """Write the included pictures, edited, beside the notebook's cells. Returns at once.

        Parameters
        ----------
        path : path-like
            A file or folder that isn't there yet.
        format : "folder", "zip", "latents" or "csv", optional
            Default: by the path's ending, ``.zip``, ``.safetensors`` or ``.csv``; else a folder.
        resume : bool
            Go on with a folder in which the same export was begun.

        Returns
        -------
        Loading
            To await, which gives the path, or to ``stop()``. A file is there whole or not at all.

        Raises
        ------
        ValueError
            If nothing is included, or the place is taken or not there.
        RuntimeError
            If a search or an export runs.
        """
        return self._session.export(fspath(path), format, resume=resume)

    def stop(self) -> None:
        """End the search or the export. What a search has found so far is kept."""
        self._session.stop()
        if self._session.searching is not None:
            with contextlib.suppress(RuntimeError):  # a callback of its own can only ask
                self._session.searching.join()

    async def wait(self) -> Outcome | None:
        """Wait for the end of the search; tells how it ended, None if there was none."""
        searching = self._session.searching
        return None if searching is None else await searching.wait()

    def on_step(self, callback: Callable[[Step], object]) -> Callable[[], None]:
        """Call back with each `DirectionStep` of the search, on its own thread.

        Returns
        -------
        callable
            Call it to be called back no more.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    # ------------------------------------------------------------------------------------- inside

    def _begin(self, wanted: Wanted) -> None:
        if wanted.search is not None:
            self._session.search(wanted.search, wanted.most, self._stepped)

    def _stepped(self, step: Step) -> None:
        for callback in [*self._callbacks]:
            try:
                callback(step)
            except Exception as error:
                self._session.complain(f"on_step: {type(error).__name__}: {error}")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # Where there is no widget: on code hosts, in exported documents.
            file = BytesIO()
            Image.open(BytesIO(self.still)).save(file, "PNG")
            bundle[0]["image/png"] = base64.b64encode(file.getvalue()).decode()
        return bundle

    def _on_page_message(
        self, _: object, content: object, buffers: Sequence[memoryview] | None
    ) -> None:
        self._wire.receive(content)

    def _send_custom(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self._sending.run(self.send, content, buffers)

    def _changed(self) -> None:
        self._wire.publish()
        self._resting.settle()

    def _refresh(self) -> None:
        """On a thread of its own, at rest: what the notebook file keeps."""
        savings = self._savings()
        self._home.call(lambda: self._save(savings))

    def _save(self, savings: dict[str, Any]) -> None:
        for name, value in savings.items():
            try:
                setattr(self, name, value)
            except Exception:
                # It is set, but can't be told: the page or the kernel is going away.
                logging.getLogger(__name__).debug("not sent: %s", name, exc_info=True)

    def _savings(self) -> dict[str, Any]:
        columns = COLUMNS if is_quick(self.generator) else 0
        return {"still": webp(self._sheet(columns)), "saved": m.encode(self._wire.snapshot())}

    def _sheet(self, count: int) -> Image.Image:
        """The example and the first pictures, before and after."""
        session = self._session
        with session.lock:
            shown, order = session.shown, session.order[:count].tolist()
            included = session.included
        items = [m.EXAMPLE, *order]
        tiles = [tile for item in items for tile in shown.tiles(item)]
        encoded = self._tiles.encoded(tiles)
        captions = ["example", *(caption(shown.alphas[i], included[i]) for i in order)]
        columns = [
            Column(encoded[2 * i], encoded[2 * i + 1], text) for i, text in enumerate(captions)
        ]
        return sheet(f"{shown.direction.name} · strength {shown.strength:.2f}", columns)


def caption(alpha: float, included: bool) -> str:
    """What stands below a picture."""
    return f"{alpha:+.2f}" + ("" if included else ", left out")


def status_of(pictures: Pictures) -> from_kernel.Status:
    """What the status line says of the pictures at first."""
    count, lost = len(pictures.ws), len(pictures.problems)
    text = f"{lost} of {count + lost} are left out; {pictures.problems[0]}." if lost else ""
    return from_kernel.Status(level="warning" if lost else "info", text=text)
