"""What belongs to one generator: pictures it made, what is placed on the one shown, how to edit.

An editor that goes on with another generator puts the work with the present one away and begins
anew; it can go back to it later and find everything as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from nbdrag.editing.features import Size
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.options import Options
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Sampled, sample
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.album import Album
from nbdrag.widgets.inputs import check_options, check_start
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.methods import DRAG_METHODS, DragMethod, drag_method, missing
from nbdrag.widgets.pairs import Pair


@dataclass(eq=False)
class Work:
    """All that is made with one generator.

    Attributes
    ----------
    generator : Generator
    source : str
        What `load_generator` made it from; empty if somebody else did.
    name : str
        For people.
    options : Options
        Of the chosen way to drag; the others' are kept until they are chosen.
    paint_options : PaintOptions
    album : Album
        Every picture so far.
    ws : Tensor, shape [num_ws, w_dim]
        Latent of the picture shown; in the middle of an edit, none of the album's.
    points : tuple of Pair
    mask : bool array, shape [H, W], or None
        Can't be written to.
    way : DragMethod
        The chosen way to drag.
    predictor : LatentPredictor or None
        That somebody brought along. None: the packaged one, if there is one.
    follows : bool
        Whether the picture is to follow a handle that is held.
    """

    generator: Generator
    source: str
    name: str
    options: Options
    paint_options: PaintOptions
    album: Album
    ws: Tensor
    points: tuple[Pair, ...] = ()
    mask: MaskArray | None = None
    way: DragMethod = DRAG_METHODS["drag"]
    predictor: LatentPredictor | None = None
    follows: bool = False
    _put_away: dict[str, Options] = field(default_factory=dict)
    _hash: str = ""
    _packaged: EditLibrary | None = None

    @classmethod
    def begin(
        cls,
        generator: Generator,
        *,
        source: str = "",
        name: str = "generator",
        seed: int = 0,
        truncation: float = 0.7,
        label: int | None = None,
        method: str = "drag",
        options: Options | Mapping[str, object] | None = None,
        paint_options: PaintOptions | Mapping[str, object] | None = None,
    ) -> Work:
        """Draw a first picture. Raises ValueError if what is asked for doesn't suit the generator.

        Parameters
        ----------
        seed, truncation, label : of the picture; see `nbdrag.sample`
        method : of dragging, by the name of one of `DRAG_METHODS`
        options, paint_options : the method's options and PaintOptions, or mappings, optional
            All of them, or some by name. Default: those that suit the generator.
        """
        way = drag_method(method)
        if lack := missing(way, generator, None):
            raise ValueError(lack)
        dragging = check_options(options or {}, way.options(generator), generator)
        suited = PaintOptions.for_generator(generator)
        painting = check_options(paint_options or {}, suited, generator)
        start = check_start(generator, seed, truncation, label)
        ws = sample(generator, start.seed, start.truncation, start.label)
        album = Album(generator, start, ws)
        return cls(generator, source, name, dragging, painting, album, ws, way=way)

    @property
    def size(self) -> Size:
        """Height and width of the pictures."""
        return self.generator.height, self.generator.width

    @property
    def start(self) -> Sampled | None:
        """What the picture shown goes back to, if it was drawn; None where a latent was set."""
        origin = self.album.origin
        return origin if isinstance(origin, Sampled) else None

    def choose(self, way: DragMethod) -> None:
        """Drag another way from now on, with the options that it had when it was chosen last."""
        options = self.options_of(way)
        self._put_away[self.way.name] = self.options
        self.way, self.options = way, options

    def options_of(self, way: DragMethod) -> Options:
        """The options that a way to drag would have if it were chosen."""
        if way is self.way:
            return self.options
        return self._put_away.get(way.name) or way.options(self.generator)

    def note_what_is_placed(self) -> None:
        """Remember the points and the mask with the picture shown."""
        self.album.history.annotate(points=self.points, mask=self.mask)

    @property
    def generator_hash(self) -> str:
        """Of the generator as it was when somebody asked first."""
        self._hash = self._hash or self.generator.content_hash
        return self._hash

    def vectors(self, own: EditLibrary) -> dict[str, EditVector]:
        """Editing vectors for this generator: those that come with nbdrag, and those in `own`."""
        if self._packaged is None:
            self._packaged = EditLibrary.packaged(self.generator)
        return {
            name: vector
            for library in (self._packaged, own)
            for name, vector in library.items()
            if vector.generator_hash == self.generator_hash
        }

    def recipe(self) -> Recipe:
        """How the picture shown was made; a running edit is not in it."""
        return self.album.history.recipe(self.source, self.generator_hash)
