"""SegmentationPainter: paint the parts of a generated picture in a notebook cell; it follows.

What can be done by hand can be done here, too, from Python.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from os import PathLike
from shutil import rmtree
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Any

import traitlets
from numpy.typing import ArrayLike
from PIL import Image

from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.segmenter import Part
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.synthesis import is_quick
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets import from_kernel
from nbdrag.widgets.editor import Editor, session_of
from nbdrag.widgets.from_kernel import Status
from nbdrag.widgets.labels import LabelArray
from nbdrag.widgets.paint_wire import PaintWire, legend
from nbdrag.widgets.part_sheet import part_sheet


class SegmentationPainter(Editor):
    """Paint the parts of a generated picture, by mouse or from Python, and the picture follows.

    Show it by writing its name at the end of a cell. Everything that can be done by hand can be
    done here, too; both act on the same state, and all views of it agree.

    Parameters
    ----------
    generator : Generator, str, path-like or another editor
        One with a segmenter, or what `load_generator` takes. Of another editor, such as a
        `DragEditor`, it shows the same picture and history: drag in one, paint in the other.
    seed : int, optional
        Of the first picture, from 0 to 2**32 - 1. Default: 0.
    truncation : float, optional
        ψ, from 0 (the mean picture) to 1 (as the generator draws it). Default: 0.7.
    label : int, optional
        Class of it, from 0, if the generator has any. Default: the first.
    options : PaintOptions or mapping, optional
        All options, or some by name. Default: those that suit the generator.
    library : EditLibrary or path-like, optional
        Where vectors are kept that are learnt here; those that are there have sliders. Default: a
        folder that is gone when the kernel is, so that nothing is written that nobody asked for.
    live : bool, optional
        Whether the picture follows by itself, a moment after the last stroke. Default: no.

    Attributes
    ----------
    still : bytes
        The last picture at rest, as lossless WebP, for the notebook file.
    saved : dict
        The last state at rest, for the notebook file.
    saved_parts : dict
        Names and colours of the parts, for the notebook file.
    saved_labels : bytes
        What was painted last, for the notebook file: a byte a pixel, compressed; empty if the
        parts of the picture aren't known.

    Raises
    ------
    ValueError
        If there is no such generator, it has no segmenter, or seed, truncation or an option is out
        of range.
    FileNotFoundError
        If the browser half was not built.

    Notes
    -----
    What is painted belongs to the picture that it is painted on. `undo` takes back strokes first,
    one by one, then pictures, whatever made them: painting, sliders, or drags in another editor.

    While an edit runs, what would replace the picture ends it first; its result is in the history.
    Painting while it runs raises RuntimeError, but in live mode, where the edit begins anew and
    follows all strokes.

    Examples
    --------
    >>> painter = SegmentationPainter(seed=3)
    >>> labels = painter.labels.copy()
    >>> labels[84:90, 50:78] = [part.name for part in painter.parts].index("lips")
    >>> painter.labels = labels
    >>> painter.start()
    >>> outcome = await painter.wait()
    >>> fuller = painter.learn("fuller lips")
    """

    _bundle = "paint"
    _wire_of = PaintWire

    saved_parts = traitlets.Dict().tag(sync=True)
    saved_labels = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        generator: Generator | str | PathLike[str] | Editor = "toonfaces-128",
        *,
        seed: int | None = None,
        truncation: float | None = None,
        label: int | None = None,
        options: PaintOptions | Mapping[str, object] | None = None,
        library: EditLibrary | str | PathLike[str] | None = None,
        live: bool | None = None,
    ) -> None:
        begin = {"seed": seed, "truncation": truncation, "label": label, "paint_options": options}
        session, models = session_of(generator, **begin)
        if is_quick(session.generator) or not session.parts:
            session.known_parts()  # or a ValueError that says what to do
        if not session.listeners:
            session.status = Status(level="info", text="Paint over the parts, then apply.")
        if library is not None or session.library is None:
            session.set_library(opened_library(library))
        if live is not None:
            session.set_live(live)
        super().__init__(session, models)

    # ------------------------------------------------------------------------------ what is painted

    @property
    def parts(self) -> tuple[Part, ...]:
        """What can be painted: names and colours. The place of a part is its label."""
        return self._session.parts

    @property
    def labels(self) -> LabelArray:
        """What is painted, uint8 [H, W]: the label of each pixel's part. Read-only.

        Set any array of whole numbers; that is one stroke, and can be undone.
        """
        return self._session.known_parts().edited

    @labels.setter
    def labels(self, labels: ArrayLike) -> None:
        self._session.set_labels(labels)

    @property
    def original_labels(self) -> LabelArray:
        """The parts that the picture shows, uint8 [H, W]. Read-only."""
        return self._session.known_parts().original

    @property
    def options(self) -> PaintOptions:
        """How the picture follows. Set all of it, or a mapping of some options."""
        return self._session.paint_options

    @options.setter
    def options(self, options: PaintOptions | Mapping[str, object]) -> None:
        self._session.set_paint_options(options)

    @property
    def live(self) -> bool:
        """Whether the picture follows by itself, 300 ms after the last stroke."""
        return self._session.live

    @live.setter
    def live(self, live: bool) -> None:
        self._session.set_live(live)

    def start(self) -> None:
        """Let the picture follow what is painted, beside the notebook's cells.

        Returns at once. Does nothing if an edit runs.

        Raises
        ------
        ValueError
            If nothing is painted over.
        """
        self._session.start_paint()

    # ------------------------------------------------------------------------------------- sliders

    @property
    def vectors(self) -> Mapping[str, EditVector]:
        """Editing vectors that there are sliders for, by name, as they are now. Read-only.

        Those that came with nbdrag for this generator, and those in `library`, which is looked
        through anew: there, vectors can be added and removed.
        """
        self._session.look_for_vectors()
        return MappingProxyType(self._session.vectors)

    @property
    def library(self) -> EditLibrary:
        """Where vectors are kept that are learnt here. Set another one, or a folder."""
        library = self._session.library
        if library is None:  # which it can't be, once there is a painter
            raise RuntimeError("this painter has no library; set one.")
        return library

    @library.setter
    def library(self, library: EditLibrary | str | PathLike[str]) -> None:
        self._session.set_library(opened_library(library))

    @property
    def scales(self) -> dict[str, float]:
        """Where the sliders are that are not at 0, by the names of their vectors; a copy.

        Set all of them at once: the picture is the one before the first was moved, plus scale
        times vector for each. Those not named are at 0.
        """
        return self._session.scales

    @scales.setter
    def scales(self, scales: Mapping[str, float]) -> None:
        self._session.slide(scales)

    def refine(self) -> None:
        """Repair what the sliders did beside the parts they are for (`nbdrag.refine`).

        Returns at once. Does nothing if an edit runs.

        Raises
        ------
        ValueError
            If all sliders are at 0, or what they do changes no part.
        """
        self._session.start_refine()

    def learn(self, name: str) -> EditVector:
        """Make what the last edit did a vector: from the picture that it began with to this one.

        It is kept in `library`, and has a slider at once. An edit of any kind will do.

        Raises
        ------
        ValueError
            If the picture shown was not made by an edit, the name is taken, or no file can have it.
        RuntimeError
            If an edit runs.
        """
        return self._session.learn(name)

    def forget(self, name: str) -> None:
        """Delete a vector from `library`, and its slider. Raises ValueError if it isn't there."""
        self._session.forget(name)

    # --------------------------------------------------------------------- where no kernel runs

    def _version(self) -> object:
        known = self._session.part_map
        return super()._version(), known and known.version

    def _sheet(self) -> Image.Image:
        with self._session.lock:
            known, parts = self._session.part_map, self._session.parts
        picture = super()._sheet()
        if known is None or known.size != (picture.height, picture.width):
            return picture
        return part_sheet(picture, known.edited, parts)

    def _savings(self) -> dict[str, Any]:
        with self._session.lock:
            known = self._session.part_map
            return {
                **super()._savings(),
                "saved_parts": from_kernel.encode(legend(self._session.parts)),
                "saved_labels": known.maps[known.cursor] if known else b"",
            }


def opened_library(library: EditLibrary | str | PathLike[str] | None) -> EditLibrary:
    """A library, or the one in a folder; one that is gone with the kernel, if there is none."""
    if isinstance(library, EditLibrary):
        return library
    return PassingLibrary() if library is None else EditLibrary(library)


class PassingLibrary(EditLibrary):
    """A library in a folder that is deleted when nobody needs it any more."""

    def __init__(self) -> None:
        super().__init__(mkdtemp(prefix="nbdrag-edits-"))
        weakref.finalize(self, rmtree, self.folder, ignore_errors=True)
