"""The part of a session that is painted: strokes on the part map, and the picture that follows.

The part map of a picture is found by the generator's segmenter, and painted over by strokes. They
belong to that picture, and are undone one by one before the picture is. When the picture is to
follow, an edit looks for the latent whose parts are those painted (`nbdrag.paint`).

In live mode it follows by itself, a moment after the last stroke. A stroke that comes while it does
ends that edit, whose result is let go: the next one starts from the same picture again, and has all
strokes to follow. So strokes add up, where results would drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from numpy.typing import ArrayLike

from nbdrag.editing.paint_options import PaintOptions
from nbdrag.runtime.rest import AtRest
from nbdrag.runtime.synthesis import segmented
from nbdrag.runtime.wishes import Wish
from nbdrag.widgets import labels as rasters
from nbdrag.widgets.from_page import MovePart, PaintLabels
from nbdrag.widgets.inputs import check_options
from nbdrag.widgets.labels import LabelArray
from nbdrag.widgets.part_map import PartMap
from nbdrag.widgets.running import Running
from nbdrag.widgets.work import Work

LIVE_PAUSE = 0.3  # seconds after the last stroke


class Painting(Running):
    """A state whose parts can be painted."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._follow_soon = AtRest(self._follow, pause=LIVE_PAUSE)

    def close(self) -> None:
        """Ask whatever is under way to end."""
        self._follow_soon.close()
        super().close()

    # ------------------------------------------------------------------------------------ strokes

    def known_parts(self) -> PartMap:
        """The parts of the picture at rest, found now if they aren't known yet.

        Raises
        ------
        ValueError
            If the generator has no segmenter.
        """
        while True:
            with self.lock:
                generator, album = self.generator, self.album
                shown = album.current
                known = album.part_map(shown)
            if known is not None:
                return known
            _, labels = segmented(generator, shown.ws)  # may take its time, in which all goes on
            with self.lock:
                is_shown = self.album is album and album.current.ws is shown.ws
                if is_shown and album.part_map(shown) is None:
                    with self._changing():
                        album.keep_parts(shown, PartMap.found(labels))

    def paint_labels(self, stroke: PaintLabels) -> None:
        """Put a stroke on the part map."""
        self._paint(lambda now: rasters.painted(now.edited, now.original, stroke, self._mirrored))

    def move_part(self, move: MovePart) -> None:
        """Move and scale parts, as one stroke."""
        self._paint(lambda now: rasters.moved(now.edited, move, self._mirrored))

    def set_labels(self, labels: ArrayLike) -> None:
        """Paint the whole part map at once, as one stroke."""
        self._paint(lambda _: rasters.checked(labels, self.work.size, len(self.parts)))

    def restore_labels(self) -> None:
        """Paint the original part map, as one stroke."""
        self._paint(lambda now: now.original)

    def set_paint_options(self, options: PaintOptions | Mapping[str, object]) -> None:
        """Set all options of painting, or those named."""
        with self._preparing():
            self.work.paint_options = check_options(options, self.paint_options, self.generator)

    # ---------------------------------------------------------------------------------- following

    def start_paint(self) -> None:
        """Let the picture follow what is painted, beside this thread. Does nothing if it runs."""
        self.known_parts()
        with self.lock:
            painted = self.part_map
            if self.running:
                return
            if painted is None or not painted.is_edited:
                raise ValueError(
                    "nothing is painted over the parts of this picture; paint on the part map, or "
                    "set labels to a changed copy of it."
                )
            options = asdict(self.paint_options)
            wish = Wish("paint", options, labels=painted.original, edited=painted.edited)
            self._run(wish, "Painting.")

    def set_live(self, live: bool) -> None:
        """Set whether the picture follows what is painted by itself."""
        if not isinstance(live, bool):
            raise ValueError(f"live is {live!r}; expected True or False.")
        with self.lock, self._changing():
            self.live = live
            if live:
                self._follow_soon.settle()
            else:
                self._follow_soon.move()

    def stop(self) -> None:
        """Ask the running edit to end after its present step, and live mode to begin none."""
        with self.lock:
            self._follow_soon.move()
            super().stop()
            if not self.running:
                self._freshen()

    def wait_for_live(self) -> None:
        """Wait until the edit has begun that live mode will begin soon, if it will."""
        self._follow_soon.wait()

    # ------------------------------------------------------------------------------------- inside

    @property
    def _mirrored(self) -> list[int]:
        """For each part that of the other side."""
        return rasters.mirrors([part.name for part in self.parts])

    def _paint(self, stroke: Callable[[PartMap], LabelArray]) -> None:
        with self.lock:
            self._check_paintable()
        self.known_parts()
        with self.lock:
            self._check_paintable()
            known = self.album.part_map(self.album.current)
            if known is None:
                raise RuntimeError("another picture came meanwhile; paint on that one.")
            painted = known.painted(stroke(known))
            if painted is not known:
                self._put(painted)

    def _step_strokes(self, back: bool) -> bool:
        """Undo or redo one stroke; tells whether there was one."""
        now = self.part_map
        if now is None or not (now.strokes if back else now.strokes_ahead):
            return False
        if self.running and not self._follows:
            return False
        self._put(now.undone() if back else now.redone(), begin=self.running)
        return True

    def _put(self, painted: PartMap, *, begin: bool = True) -> None:
        """With the lock held: this is painted now; in live mode, the picture follows."""
        with self._changing():
            self.album.keep_parts(self.album.current, painted)
            if self.running:
                self._interrupt(self._follow_soon.settle, keep=False)
        if self.live and begin:
            self._follow_soon.settle()

    def _follow(self, moved: Callable[[], bool]) -> None:
        """On a thread of its own, a moment after the last stroke."""
        with self.lock:
            if moved() or self.running or not self.live:
                return
            try:
                if self.part_map is not None and self.part_map.is_edited:
                    self.start_paint()
                    return
            except (ValueError, RuntimeError) as error:
                self.complain(str(error))
            self._freshen()

    def _freshen(self) -> None:
        """Show the picture of the history, where that of an edit that was let go may be shown."""
        if self._is_stale:
            with self._changing():
                self._is_stale = False
                self.still_version += 1

    @property
    def _follows(self) -> bool:
        """Whether an edit runs that goes on from new strokes."""
        return self.live and self.method == "paint"

    def _check_paintable(self) -> None:
        if self.running and not self._follows:
            raise RuntimeError("an edit is running; stop it before you paint.")

    def _move(self) -> None:
        """The picture will be another, and nothing follows what is painted on this one."""
        self._follow_soon.move()
        super()._move()
