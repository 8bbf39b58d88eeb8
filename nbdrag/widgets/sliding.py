"""The part of a session that slides: editing vectors, added to the picture by how much one likes.

The picture is that of the entry before, plus scale times delta for each slider. So sliders can be
moved to and fro without adding up: what they show is one entry of the history, made anew with every
move. Anything else, strokes among it, starts from what they have made, with all sliders at 0.

A hand on a slider waits for the picture and for nothing else. So that is shown first, in passing;
its lossless form, its parts and the news for the pages come once the slider has been at rest for a
moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from difflib import get_close_matches

import numpy as np

from nbdrag.editing.paint_options import PaintOptions
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry
from nbdrag.runtime.synthesis import glance
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Slide, Wish, slid
from nbdrag.transfer.library import EditLibrary, checked_name
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.inputs import check_scale
from nbdrag.widgets.painting import Painting
from nbdrag.widgets.work import Work


class Sliding(Painting):
    """A state with sliders.

    Attributes
    ----------
    library : EditLibrary or None
        Where vectors go that are learnt here. None: nobody slides yet.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.library: EditLibrary | None = None

    def set_library(self, library: EditLibrary) -> None:
        """Give sliders to the vectors of this library, and of the one that nbdrag brings along."""
        with self.lock:
            self.library = library
            self.look_for_vectors()

    def look_for_vectors(self) -> None:
        """Give sliders to all vectors that there are by now for this generator."""
        with self.lock:
            if self.library is None:
                return
            found = self.work.vectors(self.library)
            if found != self.vectors:
                with self._changing():
                    self.vectors = found

    def slide(self, scales: Mapping[str, float]) -> None:
        """Move all sliders; those not named to 0."""
        work = self.work
        slides = self._checked(scales)
        with self._in_passing():
            self._check_same(work)
            if {slide.name: slide.scale for slide in slides} == self.scales:
                return
            if slides:
                self._slide_to(slides)
            else:
                with self._changing():
                    self.album.history.undo()
                    self._arrive(f"At: {self.album.current.label}.")

    def start_refine(self) -> None:
        """Repair what the sliders did beside the parts they are for, beside this thread."""
        with self.lock:
            if self.running:
                return
            change = self.album.current.change
            if not isinstance(change, Edit) or not self.is_slid:
                raise ValueError("there is nothing to refine; move a slider first.")
            options = asdict(PaintOptions.for_refinement(self.generator))
            self._run(Wish("refine", options, vectors=change.wish.vectors), "Refining.")

    def learn(self, name: str) -> EditVector:
        """Make what the last edit did a vector with a slider."""
        with self.lock:
            if self.running:
                raise RuntimeError("an edit is running; stop it, or wait for its end.")
            if self.library is None:
                raise ValueError("there are no sliders here; make a SegmentationPainter of this.")
            if (name := checked_name(name)) in self.vectors:
                raise ValueError(f"there is a vector {name!r} already; choose another name.")
            generator, library = self.generator, self.library
            before, after = self._before(), self.album.current
            if not isinstance(after.change, Edit):
                raise ValueError(
                    "there is no edit to learn from: this picture was drawn or set. Paint on its "
                    "parts and let it follow, or drag it; then learn what that did."
                )
            about = self._about(after.change.wish)
        with generator_lock(generator):
            vector = EditVector.between(
                before.ws, after.ws, name=name, generator=generator, classes=about
            )
        library.add(vector)
        self.look_for_vectors()
        return library[name]

    def forget(self, name: str) -> None:
        """Delete a vector that was learnt here, or is in the user's library."""
        with self.lock:
            if self.library is None or name not in self.library:
                if name in self.vectors:
                    raise ValueError(f"{name!r} came with nbdrag, and stays.")
                raise ValueError(f"there is no vector {name!r} to forget.")
            self.library.remove(name)
            self.look_for_vectors()

    # ------------------------------------------------------------------------------------- inside

    def _slide_to(self, slides: tuple[Slide, ...]) -> None:
        """Show the picture at once; what else there is to tell of it comes when it rests."""
        album, again = self.album, self.is_slid
        ws = slid((self._before() if again else album.current).ws, slides)
        picture = glance(self.generator, ws)
        for listener in [*self.listeners]:
            listener.on_pass(Picture(picture, points=self.points))
        if not again:
            self.work.note_what_is_placed()
        edit = Edit(Wish("slide", vectors=slides), 1, ws)
        with album.instead() if again else nullcontext():
            album.add_in_passing(edit, ws, self.points, self.mask, picture)
        self.revision += 1
        self._arrive(f"At: {album.current.label}.")

    def _checked(self, scales: Mapping[str, float]) -> tuple[Slide, ...]:
        """Vectors and how much of each, if they are there and the numbers some."""
        if not isinstance(scales, Mapping):
            raise ValueError(
                f"scales is a {type(scales).__name__}; expected numbers by the names of vectors."
            )
        slides = []
        for name, scale in scales.items():
            if name not in self.vectors:
                near = get_close_matches(str(name), self.vectors, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "see vectors for those there are."
                raise ValueError(f"there is no vector {name!r}; {hint}")
            vector = self.vectors[name]
            delta = vector.delta.to(self.ws)
            slides.append(Slide(name, check_scale(name, scale), delta, vector.classes))
        return tuple(slide for slide in sorted(slides, key=lambda s: s.name) if slide.scale)

    def _before(self) -> Entry:
        """The entry that the one shown was made from."""
        history = self.album.history
        return history.entries[max(history.cursor - 1, 0)]

    def _about(self, wish: Wish) -> tuple[str, ...]:
        """Names of the parts that an edit was about, as far as that is known."""
        if wish.labels is None or wish.edited is None:
            return tuple(dict.fromkeys(name for s in wish.vectors for name in s.classes))
        painted = wish.labels != wish.edited
        touched = np.union1d(wish.labels[painted], wish.edited[painted])
        return tuple(self.parts[label].name for label in touched)
