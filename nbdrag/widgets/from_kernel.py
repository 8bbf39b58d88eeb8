"""What the kernel says to a page; see `protocol`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from nbdrag.widgets.protocol import Format, Level, Message, OptionValue, Pair


class Model(Struct, kw_only=True):
    """The generator that makes the pictures, `width` by `height` pixels."""

    name: str
    width: int
    height: int
    num_ws: int
    num_labels: int


class KnownModel(Struct, kw_only=True):
    """A generator that has a name. `size` in bytes, where known; null for what isn't.

    `at_hand`: it need not be downloaded first.
    """

    name: str
    title: str
    resolution: int
    source: str
    licence: str
    at_hand: bool
    size: int | None


class Loading(Message, tag="loading"):
    """The generator that is being loaded, and how far it is: 0 to 1, null where nobody knows.

    Also in every snapshot.
    """

    name: str
    text: str
    fraction: float | None


class Status(Message, tag="status"):
    """The status line; also in every snapshot."""

    level: Level
    text: str


class Progress(Struct, kw_only=True):
    """Where the running or the last edit stands.

    Of a drag: `distances` in pixels, one for each pair. Of painting: `agreement` of the parts with
    those painted (IoU, 0 to 1), and the mean change `outside`, as a share of black to white; null
    elsewhere.
    """

    step: int
    max_steps: int
    loss: float | None
    distances: list[float]
    agreement: float | None
    outside: float | None
    steps_per_s: float | None


class Entry(Struct, kw_only=True):
    """A picture in the history; `id` is never used twice, so thumbnails can be kept by it."""

    id: int
    label: str


class NumberOption(Struct, kw_only=True, tag_field="kind", tag="number"):
    """An option with a number in [min, max]; a page may offer steps of `step`, or along `scale`.

    `automatic` says in words what null stands for; where it is null, a number is needed.
    """

    name: str
    label: str
    symbol: str
    unit: str
    help: str
    default: float | None
    min: float
    max: float
    step: float
    integer: bool
    scale: Literal["linear", "log"]
    automatic: str | None


class Choice(Struct, kw_only=True):
    """One of the values an option may take, and how to call it."""

    value: str | int | None
    label: str


class ChoiceOption(Struct, kw_only=True, tag_field="kind", tag="choice"):
    """An option with one of a few values."""

    name: str
    label: str
    symbol: str
    help: str
    default: str | int | None
    choices: list[Choice]


class SwitchOption(Struct, kw_only=True, tag_field="kind", tag="switch"):
    """An option that is on or off."""

    name: str
    label: str
    symbol: str
    help: str
    default: bool


Option = NumberOption | ChoiceOption | SwitchOption


class DragMethod(Struct, kw_only=True):
    """A way to drag. `missing` says what it lacks with this generator; null if nothing."""

    name: str
    title: str
    help: str
    missing: str | None


class PaintedPart(Struct, kw_only=True):
    """A part that can be painted; its index is its label. `mirrored`: that of the other side."""

    name: str
    colour: str
    mirrored: int


class Vector(Struct, kw_only=True):
    """What a slider is for: an editing vector, and the parts that it was learnt on.

    `packaged`: it came with nbdrag and can't be forgotten.
    """

    name: str
    classes: list[str]
    scale_low: float
    scale_high: float
    packaged: bool


class Snapshot(Message, tag="snapshot"):
    """The whole state but its pictures and the mask's pixels.

    `revision` grows with every change. `history[cursor]` is the picture shown; entries after it
    are there to redo. `mask_version` names the `Mask` that belongs to it. The points are those at
    rest or at the start of the running edit; on the way, the frames tell. `previous` names the
    generator that one can go back to. `label` is the class drawn, where there are classes.

    `labels_version` names the `Labels` that belong to the picture; null while there are none, since
    it moves, they are being made, or nothing here makes them. `strokes` are on them, and
    `strokes_ahead` are there to redo. `scales` are the sliders that are not at 0. `method` says
    what runs: "drag", "paint" or "refine" for instance; null at rest. `drag_method` names the way
    to drag that is chosen, one of `drag_methods`; `options` and `schema` are its. `follow`: the
    picture is to follow a handle that is held.
    """

    protocol: int
    revision: int
    model: Model
    seed: int | None
    truncation: float | None
    label: int | None
    points: list[Pair]
    mask_version: int
    drag_method: str
    drag_methods: list[DragMethod]
    follow: bool
    options: dict[str, OptionValue]
    schema: list[Option]
    labels_version: int | None
    strokes: int
    strokes_ahead: int
    live: bool
    paint_options: dict[str, OptionValue]
    paint_schema: list[Option]
    scales: dict[str, float]
    running: bool
    method: str | None
    progress: Progress | None
    history: list[Entry]
    cursor: int
    status: Status
    loading: Loading | None
    previous: str | None


class Frame(Message, tag="frame"):
    """A picture, in the buffer: the shown one is always that of the highest `seq`.

    While an edit runs, and for a moment after, `final` is false and the picture may be smaller
    than the model's, in the same shape; `points` hold the tracked handles. At rest `final` is true
    and the picture is lossless and of full size.
    """

    seq: int
    final: bool
    format: Format
    width: int
    height: int
    step: int | None
    loss: float | None
    points: list[Pair]
    distances: list[float]
    agreement: float | None
    outside: float | None
    steps_per_s: float | None


class Mask(Message, tag="mask"):
    """The mask, in the buffer: one bit a pixel, row after row, lowest bit first, 1 = may move.

    Without a mask `everywhere` is true, the whole picture may move and the buffer is empty.
    """

    version: int
    width: int
    height: int
    everywhere: bool


class Parts(Message, tag="parts"):
    """The parts that can be painted, in the order of their labels; none without a segmenter."""

    parts: list[PaintedPart]


class Labels(Message, tag="labels"):
    """A part map, in the buffer: a byte a pixel, row after row, compressed by zlib ("deflate").

    `original`: as it was found in the picture, sent only with another one; otherwise as it is
    painted. `version` is the snapshot's `labels_version` that it came with.
    """

    version: int
    width: int
    height: int
    original: bool


class Vectors(Message, tag="vectors"):
    """All vectors that there are sliders for. A buffer each: a small WebP before|after, or none."""

    vectors: list[Vector]


class Before(Message, tag="before"):
    """The picture before any edit, in the buffer, lossless: what one compares with."""

    format: Format


class Thumbnail(Message, tag="thumbnail"):
    """The small picture of the history entry with the id `entry`, in the buffer."""

    entry: int
    format: Format


class Reply(Message, tag="reply"):
    """The answer to a request. `error` says what was wrong and what to do; then nothing changed.

    `id` is null where the message was so broken that no id could be read. `code` answers
    `GetCode`; `filename` and the buffer answer `GetPng`; `models` answers `GetModels`.
    """

    id: int | None
    ok: bool
    error: str | None = None
    code: str | None = None
    filename: str | None = None
    models: list[KnownModel] | None = None


class Beat(Message, tag="beat"):
    """I am here. A page that shows another `revision` has missed something: it says `Ready`."""

    revision: int


FromKernel = (
    Snapshot
    | Frame
    | Mask
    | Parts
    | Labels
    | Vectors
    | Before
    | Thumbnail
    | Status
    | Loading
    | Reply
    | Beat
)


def encode(message: FromKernel) -> dict[str, Any]:
    """Turn a message of the kernel into JSON's Python objects. Numbers in it must be finite."""
    builtins: dict[str, Any] = msgspec.to_builtins(message, str_keys=True)
    return builtins
