"""What a batch preview shows, in one place and behind one lock: pictures, strengths, who is in.

The direction is as it was learnt, and `strength` says how much of its example's edit is wanted.
From that follows how much each picture gets,

    α_i = strength · α0 + <w0 - w_i, n>,

which is `EditDirection.scaled(strength * α0).strengths(ws)`: the second term is an *offset* that no
slider changes. Some pictures may have a strength of their own instead. What all of them come to is
one object, `Shown`, that is replaced as a whole, so that threads which make pictures can read it
without waiting for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import ceil, floor, isfinite
from numbers import Real
from operator import index as whole
from threading import RLock
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.tiles import Tile
from nbdrag.transfer.direction import EditDirection
from nbdrag.widgets.batch_messages import EXAMPLE, MAX_ALPHA, Progress, SortKey
from nbdrag.widgets.from_kernel import Status
from nbdrag.widgets.protocol import MAX_SCALE

LOW, HIGH = -1.0, 2.0
"""Strengths that the slider offers, at least."""

Numbers = NDArray[np.float64]
What = Literal["strength", "alphas", "selection", "direction", "order"]


class Shown(NamedTuple):
    """The edit as it is now.

    Attributes
    ----------
    direction : EditDirection
        As it was learnt.
    strength : float
        How much of its example's edit.
    alphas : float64 array, shape [N]
        How much each picture gets, in units of w. Can't be written to.
    """

    direction: EditDirection
    strength: float
    alphas: Numbers

    def tiles(self, item: int) -> tuple[Tile, Tile]:
        """A picture before and after; the example is one, too."""
        if item == EXAMPLE:
            alpha = self.strength * self.direction.alpha
            return Tile(item, False, self.direction), Tile(item, True, self.direction, alpha)
        alpha = float(self.alphas[item])
        return Tile(item, False), Tile(item, True, self.direction, alpha)


class BatchState:
    """The state of a batch preview, with every command on it that takes no time.

    A command does the whole of what it says, or raises ValueError and changes nothing.

    Parameters
    ----------
    generator : Generator
    ws : Tensor, shape [N, num_ws, w_dim]
    names : sequence of str
        What the pictures are called.
    direction : EditDirection

    Attributes
    ----------
    shown : Shown
    neutral : float or None
        The strength at which all are as neutral as the average picture.
    overrides : dict
        Strengths of pictures that have their own. Replaced and never changed.
    included : bool array, shape [N]
        Replaced and never changed.
    by : str
        What the pictures are ordered by.
    order : int array, shape [N]
        Which picture stands where.
    running : "search", "export" or None
    progress : Progress or None
        Of that.
    status : Status
    lock : RLock
        Hold it to read more than one attribute.
    revision, offsets_version, order_version, included_version, overrides_version : int
        Grow with every change; of what they name.
    listeners : list of callables
        Called after every change, with the lock held.
    watchers : list of callables
        Called after every change of what can be seen from Python, with a word for it, without the
        lock.
    """

    shown: Shown
    neutral: float | None
    offsets: Numbers
    order: NDArray[np.int64]

    def __init__(
        self, generator: Generator, ws: Tensor, names: list[str], direction: EditDirection
    ) -> None:
        self.lock = RLock()
        self.generator, self.ws, self.names = generator, ws, names
        self.strength, self.overrides = 1.0, dict[int, float]()
        self.included = np.ones(len(ws), bool)
        self.by: SortKey = "source"
        self.running: Literal["search", "export"] | None = None
        self.progress: Progress | None = None
        self.status = Status(level="info", text="")
        self.listeners: list[Callable[[], object]] = []
        self.watchers: list[Callable[[What], object]] = []
        self.revision = self.offsets_version = self.order_version = 0
        self.included_version = self.overrides_version = 0
        self._take(checked_direction(direction, generator))
        self._sort()

    # ------------------------------------------------------------------------------ what there is

    @property
    def count(self) -> int:
        """How many pictures."""
        return len(self.ws)

    @property
    def direction(self) -> EditDirection:
        """The direction, with the example edited as much as the slider says."""
        learnt, strength, _ = self.shown
        return learnt if strength == 1 else learnt.scaled(strength * learnt.alpha)

    @property
    def slider(self) -> tuple[float, float]:
        """Lowest and highest strength that the slider offers."""
        low, high = self.shown.direction.scale_range
        return min(LOW, low, floor(self.strength)), max(HIGH, high, ceil(self.strength))

    def tiles(self, item: int) -> tuple[Tile, Tile]:
        """A picture before and after, as they are now. Waits for nobody."""
        return self.shown.tiles(item)

    def latent(self, tile: Tile) -> Tensor:
        """The latent of a tile before any edit, [num_ws, w_dim]."""
        if tile.item == EXAMPLE and tile.direction is not None:
            return tile.direction.example
        return self.ws[tile.item]

    # ------------------------------------------------------------------------------- what is edited

    def set_strength(self, strength: object, *, moving: bool = False) -> None:
        """Edit the example so much; all others follow. While it is moving, the order stays."""
        number = checked_strength(strength)
        with self._changing("strength"):
            self.strength = number
            self._show()
            if not moving:
                self._sort()

    def set_alphas(self, alphas: dict[int, object], *, moving: bool = False) -> None:
        """Give some pictures a strength of their own; or back the automatic one, for None."""
        found = {
            self.item(item): None if alpha is None else checked_alpha(alpha)
            for item, alpha in alphas.items()
        }
        with self._changing("alphas"):
            kept = {item: own for item, own in self.overrides.items() if item not in found}
            self.overrides = kept | {i: own for i, own in found.items() if own is not None}
            self.overrides_version += 1
            self._show()
            if not moving:
                self._sort()

    def reset_alphas(self) -> None:
        """All strengths automatic again."""
        self.set_alphas(dict.fromkeys(self.overrides))

    def set_direction(self, direction: EditDirection) -> None:
        """Show another edit. Strengths of their own were those of the other, and go."""
        direction = checked_direction(direction, self.generator)
        with self._changing("direction"):
            self.strength, self.overrides = 1.0, {}
            self.overrides_version += 1
            self._take(direction)
            self._sort()

    # ------------------------------------------------------------------------------ who is included

    def include(self, items: Iterable[object], included: bool) -> None:
        """Take pictures in, or leave them out."""
        places = [self.item(item) for item in items]
        with self._changing("selection"):
            self.included = self.included.copy()
            self.included[places] = included
            self.included_version += 1

    def select(self, items: object) -> None:
        """Take in these and no others: their numbers, or True and False for each picture."""
        mask = np.zeros(self.count, bool)
        given = np.asarray(list(items) if isinstance(items, set | frozenset) else items)
        if given.dtype == bool:
            if given.shape != mask.shape:
                raise ValueError(
                    f"selection has shape {list(given.shape)}; expected [{self.count}], True or "
                    "False for each picture, or the numbers of those to include."
                )
            mask = given.copy()
        elif given.size:
            mask[[self.item(item) for item in np.atleast_1d(given).ravel().tolist()]] = True
        with self._changing("selection"):
            self.included = mask
            self.included_version += 1

    def sort(self, by: object) -> None:
        """Order the pictures by something, as it is now."""
        if by not in get_args(SortKey):
            raise ValueError(f"sort is {by!r}; expected one of {', '.join(get_args(SortKey))}.")
        with self._changing("order"):
            self.by = by  # type: ignore[assignment]
            self._sort()

    def item(self, item: object) -> int:
        """The number of a picture, counted from either end. ValueError if there is none."""
        try:
            number = -self.count - 1 if isinstance(item, bool) else whole(item)  # type: ignore[arg-type]
        except TypeError:
            number = -self.count - 1
        if not -self.count <= number < self.count:
            raise ValueError(
                f"there is no picture {item!r}; expected a whole number from 0 to {self.count - 1}."
            )
        return int(number % self.count)

    # --------------------------------------------------------------------------------- what is told

    def complain(self, text: str) -> None:
        """Put an error into the status line."""
        status = Status(level="error", text=text)
        if status != self.status:
            with self._changing():
                self.status = status

    @contextmanager
    def _changing(self, what: What | None = None) -> Iterator[None]:
        """What happens inside is a change, unless it raises."""
        with self.lock:
            yield
            self.revision += 1
            for listener in [*self.listeners]:
                listener()
        if what is not None:
            for watcher in [*self.watchers]:
                watcher(what)

    # ------------------------------------------------------------------------------------- inside

    def _take(self, direction: EditDirection) -> None:
        """With the lock held: another direction, and what follows from it."""
        found = direction.strengths(self.ws).double().cpu().numpy()
        self.offsets = found - direction.alpha
        self.offsets_version += 1
        self.neutral = neutral_strength(direction, self.generator)
        self._show(direction)

    def _show(self, direction: EditDirection | None = None) -> None:
        """With the lock held: all strengths as they are now."""
        direction = direction or self.shown.direction
        alphas = self.offsets + self.strength * direction.alpha
        for item, own in self.overrides.items():
            alphas[item] = own
        alphas.flags.writeable = False
        self.shown = Shown(direction, self.strength, alphas)

    def _sort(self) -> None:
        """With the lock held: order the pictures as they are now."""
        by = {
            "source": np.arange(self.count),
            "strength": self.shown.alphas,
            # Along the unit normal: how far a picture has to go is how far it is away.
            "distance": abs(self.offsets + self.strength * self.shown.direction.alpha),
        }[self.by]
        order = np.argsort(by, kind="stable")
        if self.order_version == 0 or not np.array_equal(order, self.order):
            self.order = order
            self.order_version += 1


# ------------------------------------------------------------------------------------ what is given


def checked_direction(direction: object, generator: Generator) -> EditDirection:
    """A direction of this generator, whose example is edited."""
    if not isinstance(direction, EditDirection):
        raise ValueError(f"direction is a {type(direction).__name__}; expected an EditDirection.")
    direction.check(generator)
    if not direction.alpha:
        raise ValueError(
            f"the direction {direction.name!r} has an example that isn't edited, so that its "
            "slider moves nothing; take direction.scaled(alpha), with alpha in units of w."
        )
    return direction


def neutral_strength(direction: EditDirection, generator: Generator) -> float | None:
    """The strength at which all end where the mean of w lies; None beyond what can be set.

    That is the paper's d = 0: what is peculiar to the example counts no more.
    """
    mean = generator.w_avg.expand(generator.num_ws, -1)
    strength = direction.through(mean.to(direction.normal)).alpha / direction.alpha
    return strength if abs(strength) <= MAX_SCALE else None


def checked_strength(strength: object) -> float:
    """How much of the example's edit, of whatever kind of number."""
    number = checked_number("strength", strength)
    if abs(number) > MAX_SCALE:
        raise ValueError(
            f"strength is {strength!r}; expected a number from {-MAX_SCALE:g} to {MAX_SCALE:g}, "
            "where 1 is the example's own edit."
        )
    return number


def checked_alpha(alpha: object) -> float:
    """How much of the edit a picture gets, in units of w."""
    number = checked_number("alpha", alpha)
    if abs(number) > MAX_ALPHA:
        raise ValueError(f"alpha is {alpha!r}; expected a number up to {MAX_ALPHA:g}.")
    return number


def checked_number(name: str, value: object) -> float:
    """A finite number, or what can be read as one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name} is {value!r}; expected a finite number.")
    return float(value)
