"""DragEditor: drag points of a generated picture in a notebook cell.

What can be done by hand can be done here, too, from Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from numpy.typing import ArrayLike

from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import has_predictor, predictor_of
from nbdrag.editing.options import Options
from nbdrag.generators.stylegan2 import Generator
from nbdrag.widgets.editor import Editor, session_of
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair


class DragEditor(Editor):
    """Drag points of a generated picture, by mouse or from Python.

    Show it by writing its name at the end of a cell. Everything that can be done by hand can be
    done here, too; both act on the same state, and all views of it agree.

    Parameters
    ----------
    generator : Generator, str, path-like or another editor
        One that was loaded, or what `load_generator` takes. Editors may share one. Of another
        editor, such as a `SegmentationPainter`, it shows the same picture and history.
    seed : int, optional
        Of the first picture, from 0 to 2**32 - 1. Default: 0.
    truncation : float, optional
        ψ, from 0 (the mean picture) to 1 (as the generator draws it). Default: 0.7.
    label : int, optional
        Class of it, from 0, if the generator has any. Default: the first.
    method : str, optional
        How to drag: "drag" (DragGAN), "free_drag" (FreeDrag), "auto_drag" (one pass),
        "auto_drag_refined" (one pass, and a few steps of DragGAN) or "layout_drag"
        (UserControllableLT). Default: "drag".
    options : DragOptions or mapping, optional
        All options, those of the method, or some by name. Default: those that suit the generator.

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
        generator: Generator | str | PathLike[str] | Editor = "toonfaces-128",
        *,
        seed: int | None = None,
        truncation: float | None = None,
        label: int | None = None,
        method: str | None = None,
        options: Options | Mapping[str, object] | None = None,
    ) -> None:
        begin = {"seed": seed, "truncation": truncation, "label": label}
        super().__init__(*session_of(generator, **begin, method=method, options=options))

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
    def method(self) -> str:
        """How to drag: "drag", "free_drag", "auto_drag", "auto_drag_refined" or "layout_drag".

        Each has options of its own, which it keeps while others are chosen.
        """
        return self._session.work.way.name

    @method.setter
    def method(self, method: str) -> None:
        self._session.set_drag_method(method)

    @property
    def options(self) -> Options:
        """How to drag in detail: the method's options. Set all of it, or a mapping of some."""
        return self._session.options

    @options.setter
    def options(self, options: Options | Mapping[str, object]) -> None:
        self._session.set_options(options)

    @property
    def predictor(self) -> LatentPredictor | None:
        """What predicts drags; None where nothing does.

        Set one that was trained for this generator, as `load_predictor` gives it, or None for the
        one that comes with nbdrag.
        """
        work = self._session.work
        if work.predictor is None and has_predictor(work.generator):
            return predictor_of(work.generator)
        return work.predictor

    @predictor.setter
    def predictor(self, predictor: LatentPredictor | None) -> None:
        self._session.set_predictor(predictor)

    @property
    def space(self) -> str:
        """Whether the layers move each for itself, "w+", or alike, "w"; one of the options."""
        space: str | None = getattr(self._session.options, "space", None)
        if space is None:
            raise ValueError(f"{self.method} has no spaces to choose from; choose another method.")
        return space

    @space.setter
    def space(self, space: str) -> None:
        self._session.set_options({"space": space})

    # ------------------------------------------------------------------------------------ the edit

    @property
    def follow(self) -> bool:
        """Whether the picture follows a handle while a hand holds it. Needs a predictor."""
        return self._session.work.follows

    @follow.setter
    def follow(self, follow: bool) -> None:
        self._session.set_follow(follow)

    def hold(self, points: ArrayLike) -> None:
        """Show where one pass takes these points, as a hand does that holds a handle.

        Returns when the picture has been sent. It is always told from the picture at rest, which
        stays what `ws`, `image` and `history` have until `release`. Ends a running edit first.

        Parameters
        ----------
        points : array_like, shape [P, 4] or [P, 2, 2]
            As for `points`; handles are at least a pixel apart.

        Raises
        ------
        ValueError
            If the points are bad, or there is no predictor for this generator.
        """
        self._session.hold(points)

    def release(self, points: ArrayLike | None = None) -> None:
        """Let go of what is held: an edit goes there in one pass, and is refined.

        Returns at once, and does nothing if nothing is held and no points are given. How far it is
        refined is an option, `refine`, of the method "auto_drag_refined"; not at all where
        "auto_drag" is chosen.

        Parameters
        ----------
        points : array_like, shape [P, 4] or [P, 2, 2], optional
            Default: the last ones that were held.
        """
        self._session.release(points)

    def let_go(self) -> None:
        """Give up what is held: the picture at rest is shown again."""
        self._session.let_go()

    def start(self) -> None:
        """Drag the handles towards their targets, beside the notebook's cells.

        Returns at once. Does nothing if an edit runs.

        Raises
        ------
        ValueError
            If there are no points, or nothing may move.
        """
        self._session.start()
