"""Every message between the kernel and the page, both ways, as typed structs.

A message is a JSON object whose `kind` names its struct, with at most one binary buffer beside it.
js/src/shared/protocol.gen.ts is written from this file by

    python -m nbdrag.widgets.protocol --typescript

The page begins with `Ready` and is answered with everything it needs to draw: a `Snapshot`, the
`Mask`, the picture `Before` any edit, a `Thumbnail` for each entry of the history and the last
`Frame`. From then on every change of state is a new `Snapshot`, sent to all pages alike, and the
page keeps no truth of its own. Whatever a person does is a *request*: it carries an `id` of the
page's choice and is answered by one `Reply`; a request that is refused, or doesn't even decode,
changes nothing. Pages of one kernel see each other's replies, so a page starts counting its ids
at a random number.

While an edit runs, `Frame`s follow each other as fast as the page's `Ack`s allow. A frame's
points and distances are those of its pixels.

Points are in pixels of the full picture, (x, y), pixel centres at +0.5. Masks are True where the
picture may move.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

PROTOCOL = 2
"""Raised with every change that an older page would not understand."""

MAX_ID = 2**53 - 1
MAX_SEED = 2**32 - 1
MAX_POINTS = 64
MAX_PATH = 4096
MAX_COORDINATE = 65536.0
MAX_RADIUS = 1024.0
MAX_OPTIONS = 64
MAX_NAME = 64

Count = Annotated[int, Meta(ge=0, le=MAX_ID)]
Coordinate = Annotated[float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Position = tuple[Coordinate, Coordinate]
Pair = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
OptionValue = (
    bool
    | Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
    | Annotated[float, Meta(ge=-1e12, le=1e12)]
    | Annotated[str, Meta(max_length=MAX_NAME)]
    | None
)
Level = Literal["info", "busy", "warning", "error"]
Format = Literal["image/jpeg", "image/webp", "image/png"]


class _Message(Struct, tag_field="kind", forbid_unknown_fields=True):
    pass


# ----------------------------------------------------------------------------------- page -> kernel


class Ready(_Message, tag="ready"):
    """The page listens: send everything. Said again by a page that has missed something."""

    protocol: Count = PROTOCOL


class Ack(_Message, tag="ack"):
    """Every frame up to `seq` is drawn or skipped. Sent every few frames and for a final one."""

    seq: Count


class Heartbeat(_Message, tag="heartbeat"):
    """Are you there? Answered by `Beat`."""


class _Request(_Message):
    id: Count


class SetPoints(_Request, tag="set_points"):
    """All handle and target points, in place of those before: [handle x, y, target x, y].

    While an edit runs, only targets can be moved, and their number stays: the edit ends and the
    next one goes on from the present picture, with the handles where tracking has them.
    """

    points: Annotated[list[Pair], Meta(max_length=MAX_POINTS)]


class PaintMask(_Request, tag="paint_mask"):
    """One stroke on the mask.

    brush and eraser cover what is within `radius` pixels of the line along `path`; lasso and
    lasso_eraser what the closed path winds around, where it crosses itself too (non-zero winding;
    `radius` is ignored). The erasers take away from where the picture may move. Without a mask
    yet, a brush or lasso starts from nothing and an eraser from the whole picture.
    """

    tool: Literal["brush", "eraser", "lasso", "lasso_eraser"]
    radius: Annotated[float, Meta(gt=0, le=MAX_RADIUS)]
    path: Annotated[list[Position], Meta(min_length=1, max_length=MAX_PATH)]


class EditMask(_Request, tag="edit_mask"):
    """invert: what may move and what stays change places. clear: no mask, everything may move."""

    op: Literal["invert", "clear"]


class SetOptions(_Request, tag="set_options"):
    """The named options get these values, the others stay. Names and ranges: `Snapshot.schema`."""

    options: Annotated[dict[Name, OptionValue], Meta(max_length=MAX_OPTIONS)]


class Sample(_Request, tag="sample"):
    """Draw a new picture from the generator."""

    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)]
    truncation: Annotated[float, Meta(ge=0, le=1)]


class Start(_Request, tag="start"):
    """Drag the handles towards their targets."""


class Stop(_Request, tag="stop"):
    """End the running edit after its present step."""


class Reset(_Request, tag="reset"):
    """Back to the picture before any edit; redo still leads forward again."""


class Undo(_Request, tag="undo"):
    """One entry back in the history."""


class Redo(_Request, tag="redo"):
    """One entry forward in the history."""


class GoTo(_Request, tag="go_to"):
    """To the history entry at `index`."""

    index: Count


class GetCode(_Request, tag="get_code"):
    """The Python code that makes this picture; comes as `Reply.code`."""


class GetPng(_Request, tag="get_png"):
    """The picture as PNG; comes as the reply's buffer."""


Request = (
    SetPoints
    | PaintMask
    | EditMask
    | SetOptions
    | Sample
    | Start
    | Stop
    | Reset
    | Undo
    | Redo
    | GoTo
    | GetCode
    | GetPng
)
FromPage = Ready | Ack | Heartbeat | Request


# ----------------------------------------------------------------------------------- kernel -> page


class Model(Struct, kw_only=True):
    """The generator that makes the pictures, `width` by `height` pixels."""

    name: str
    width: int
    height: int
    num_ws: int


class Status(_Message, tag="status"):
    """The status line; also in every snapshot."""

    level: Level
    text: str


class Progress(Struct, kw_only=True):
    """Where the running or the last edit stands. `distances` in pixels, one for each pair."""

    step: int
    max_steps: int
    loss: float | None
    distances: list[float]
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


class Snapshot(_Message, tag="snapshot"):
    """The whole state but its pictures and the mask's pixels.

    `revision` grows with every change. `history[cursor]` is the picture shown; entries after it
    are there to redo. `mask_version` names the `Mask` that belongs to it. The points are those at
    rest or at the start of the running edit; on the way, the frames tell.
    """

    protocol: int
    revision: int
    model: Model
    seed: int | None
    truncation: float | None
    points: list[Pair]
    mask_version: int
    options: dict[str, OptionValue]
    schema: list[Option]
    running: bool
    progress: Progress | None
    history: list[Entry]
    cursor: int
    status: Status


class Frame(_Message, tag="frame"):
    """A picture, in the buffer: the shown one is always that of the highest `seq`.

    While an edit runs, `final` is false and the picture may be smaller than the model's, in the
    same shape; `points` hold the tracked handles. At rest `final` is true and the picture is
    lossless and of full size.
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
    steps_per_s: float | None


class Mask(_Message, tag="mask"):
    """The mask, in the buffer: one bit a pixel, row after row, lowest bit first, 1 = may move.

    Without a mask `everywhere` is true, the whole picture may move and the buffer is empty.
    """

    version: int
    width: int
    height: int
    everywhere: bool


class Before(_Message, tag="before"):
    """The picture before any edit, in the buffer, lossless: what one compares with."""

    format: Format


class Thumbnail(_Message, tag="thumbnail"):
    """The small picture of the history entry with the id `entry`, in the buffer."""

    entry: int
    format: Format


class Reply(_Message, tag="reply"):
    """The answer to a request. `error` says what was wrong and what to do; then nothing changed.

    `id` is null where the message was so broken that no id could be read. `code` answers
    `GetCode`; `filename` and the buffer answer `GetPng`.
    """

    id: int | None
    ok: bool
    error: str | None = None
    code: str | None = None
    filename: str | None = None


class Beat(_Message, tag="beat"):
    """I am here. A page that shows another `revision` has missed something: it says `Ready`."""

    revision: int


FromKernel = Snapshot | Frame | Mask | Before | Thumbnail | Status | Reply | Beat


# ----------------------------------------------------------------------------- to and from the wire


class ProtocolError(ValueError):
    """A message that doesn't decode. `id` is its request id, if it had a readable one."""

    def __init__(self, message: str, id: int | None) -> None:  # noqa: A002
        super().__init__(message)
        self.id = id


def decode(content: object) -> FromPage:
    """Read a message of the page.

    Parameters
    ----------
    content : object
        What the comm delivered: JSON as Python objects.

    Raises
    ------
    ProtocolError
        If it is none of the messages above, or something in it is of the wrong type, too long or
        out of range (NaN and infinities are).
    """
    try:
        return msgspec.convert(content, FromPage)  # type: ignore[no-any-return]
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        request_id = content.get("id") if isinstance(content, dict) else None
        readable = type(request_id) is int and 0 <= request_id <= MAX_ID
        raise ProtocolError(
            f"message not understood: {error}", request_id if readable else None
        ) from None


def encode(message: FromKernel) -> dict[str, Any]:
    """Turn a message of the kernel into JSON's Python objects. Numbers in it must be finite."""
    builtins: dict[str, Any] = msgspec.to_builtins(message, str_keys=True)
    return builtins


if __name__ == "__main__":
    from nbdrag.widgets.typescript import main

    sys.exit(main(sys.argv[1:]))
