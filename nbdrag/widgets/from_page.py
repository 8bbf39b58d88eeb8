"""What a page says to the kernel; see `protocol`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nbdrag.widgets.protocol import (
    MAX_ID,
    MAX_LABEL,
    MAX_OPTIONS,
    MAX_PART,
    MAX_PATH,
    MAX_POINTS,
    MAX_RADIUS,
    MAX_SEED,
    MAX_SOURCE,
    MAX_UPLOAD,
    MAX_VECTOR_NAME,
    MAX_VECTORS,
    PROTOCOL,
    Coordinate,
    Count,
    File,
    Message,
    Name,
    OptionValue,
    Pair,
    Part,
    Position,
    Scale,
)


class Ready(Message, tag="ready"):
    """The page listens: send everything. Said again by a page that has missed something."""

    protocol: Count = PROTOCOL


class Ack(Message, tag="ack"):
    """Every frame up to `seq` is drawn or skipped. Sent every few frames and for a final one."""

    seq: Count


class Heartbeat(Message, tag="heartbeat"):
    """Are you there? Answered by `Beat`."""


class Asked(Message):
    """Base of the requests."""

    id: Count


class SetPoints(Asked, tag="set_points"):
    """All handle and target points, in place of those before: [handle x, y, target x, y].

    While an edit runs, only targets can be moved, and their number stays: the edit ends and the
    next one goes on from the present picture, with the handles where tracking has them.
    """

    points: Annotated[list[Pair], Meta(max_length=MAX_POINTS)]


class PaintMask(Asked, tag="paint_mask"):
    """One stroke on the mask.

    brush and eraser cover what is within `radius` pixels of the line along `path`; lasso and
    lasso_eraser what the closed path winds around, where it crosses itself too (non-zero winding;
    `radius` is ignored). The erasers take away from where the picture may move. Without a mask
    yet, a brush or lasso starts from nothing and an eraser from the whole picture.
    """

    tool: Literal["brush", "eraser", "lasso", "lasso_eraser"]
    radius: Annotated[float, Meta(gt=0, le=MAX_RADIUS)]
    path: Annotated[list[Position], Meta(min_length=1, max_length=MAX_PATH)]


class EditMask(Asked, tag="edit_mask"):
    """invert: what may move and what stays change places. clear: no mask, everything may move."""

    op: Literal["invert", "clear"]


class SetOptions(Asked, tag="set_options"):
    """The named options get these values, the others stay. Names and ranges: `Snapshot.schema`."""

    options: Annotated[dict[Name, OptionValue], Meta(max_length=MAX_OPTIONS)]


class SetMethod(Asked, tag="set_method"):
    """Drag in another way: the name of one of `Snapshot.drag_methods`. Its options come along."""

    method: Name


class SetFollow(Asked, tag="set_follow"):
    """Whether the picture is to follow a handle that is held."""

    follow: bool


class Hold(Asked, tag="hold"):
    """Where a hand has led the points by now, all of them: the picture follows, and no more.

    It follows from where it rests, however often this is said. Answered when the picture has been
    sent; a page waits for that, and then says where the hand is by then.
    """

    points: Annotated[list[Pair], Meta(max_length=MAX_POINTS)]


class Release(Asked, tag="release"):
    """The hand has let go there: what it did becomes an edit, and is refined."""

    points: Annotated[list[Pair], Meta(max_length=MAX_POINTS)]


class LetGo(Asked, tag="let_go"):
    """The hand takes back what it did, or is lost: the picture is again the one at rest."""


class Sample(Asked, tag="sample"):
    """Draw a new picture from the generator; of one class, if it has any."""

    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)]
    truncation: Annotated[float, Meta(ge=0, le=1)]
    label: Annotated[int, Meta(ge=0, le=MAX_LABEL)] | None = None


class PaintLabels(Asked, tag="paint_labels"):
    """One stroke on the part map.

    brush and eraser cover what is within `radius` pixels of the line along `path` (a straight line
    is a brush with two points); lasso and lasso_eraser what the closed path winds around; fill the
    pixels of one part that hang together, by their sides, with the first point of the path. All
    but the erasers put `part` there, which those don't need: they bring back the original map.

    With `mirror` the same is then done at `width - x` with the part's `mirrored`. A fill looks
    there at the map as the first half has left it.
    """

    tool: Literal["brush", "eraser", "lasso", "lasso_eraser", "fill"]
    radius: Annotated[float, Meta(gt=0, le=MAX_RADIUS)]
    path: Annotated[list[Position], Meta(min_length=1, max_length=MAX_PATH)]
    part: Part | None = None
    mirror: bool = False


class MovePart(Asked, tag="move_part"):
    """Move parts by (`dx`, `dy`) pixels and scale them about their centre, as one stroke.

    The centre is that of the box around their pixels. A pixel gets the label of the pixel that its
    centre comes from, if that is one of these parts. What they uncover is filled from the parts
    beside it, ring by ring: a pixel takes the label above it, or else to its left, to its right,
    below it, whichever the ring before has first.

    With `mirror` the same is then done, with -`dx`, to their `mirrored` that aren't among them.
    """

    parts: Annotated[list[Part], Meta(min_length=1, max_length=MAX_PART + 1)]
    dx: Coordinate
    dy: Coordinate
    scale_x: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    scale_y: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    mirror: bool = False


class EditLabels(Asked, tag="edit_labels"):
    """restore: the original part map again, as one stroke."""

    op: Literal["restore"]


class SetPaintOptions(Asked, tag="set_paint_options"):
    """As `SetOptions`, for painting. Names and ranges: `Snapshot.paint_schema`."""

    options: Annotated[dict[Name, OptionValue], Meta(max_length=MAX_OPTIONS)]


class SetLive(Asked, tag="set_live"):
    """Whether the picture follows by itself, a moment after the last stroke."""

    live: bool


class StartPaint(Asked, tag="start_paint"):
    """Let the picture follow the painted part map."""


class StartRefine(Asked, tag="start_refine"):
    """Repair what the sliders did beside the parts they are for."""


class Slide(Asked, tag="slide"):
    """All sliders that are not at 0, by name. The newest of several values is enough."""

    scales: Annotated[dict[File, Scale], Meta(max_length=MAX_VECTORS)]


class LearnVector(Asked, tag="learn_vector"):
    """Make what the last edit did a vector with a slider."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_VECTOR_NAME)]


class ForgetVector(Asked, tag="forget_vector"):
    """Remove a vector that was learnt, and its slider."""

    name: File


class Start(Asked, tag="start"):
    """Drag the handles towards their targets."""


class Stop(Asked, tag="stop"):
    """End the running edit after its present step."""


class Reset(Asked, tag="reset"):
    """Back to the picture before any edit; redo still leads forward again."""


class Undo(Asked, tag="undo"):
    """One stroke on the part map back, or where there is none, one entry in the history."""


class Redo(Asked, tag="redo"):
    """One stroke on the part map forward, or where there is none, one entry in the history."""


class GoTo(Asked, tag="go_to"):
    """To the history entry at `index`."""

    index: Count


class GetCode(Asked, tag="get_code"):
    """The Python code that makes this picture; comes as `Reply.code`."""


class GetPng(Asked, tag="get_png"):
    """The picture as PNG; comes as the reply's buffer."""


class ToBatch(Asked, tag="to_batch"):
    """Show the present edit on many pictures, in a preview beneath the editor."""


class GetModels(Asked, tag="get_models"):
    """The generators that have a name; they come as `Reply.models`."""


class LoadModel(Asked, tag="load_model"):
    """Load another generator, beside everything else, and go on with it: its name, or an address.

    What is being loaded already is given up.
    """

    source: Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE)]


class Upload(Asked, tag="upload"):
    """Load another generator from a file of the page's own machine, `size` bytes long.

    The bytes follow in `Chunk`s, which name this request's id as their `upload`.
    """

    name: Annotated[File, Meta(min_length=1)]
    size: Annotated[int, Meta(ge=1, le=MAX_UPLOAD)]


class Chunk(Asked, tag="chunk"):
    """The bytes of an upload from `offset` on, in the buffer: at most 1 MiB, and in their order."""

    upload: Count
    offset: Annotated[int, Meta(ge=0, le=MAX_UPLOAD)]


class StopLoading(Asked, tag="stop_loading"):
    """Give up what is being loaded, and keep the present generator."""


class GoBack(Asked, tag="go_back"):
    """To the generator before this one, and to all that was made with it."""


Request = (
    SetPoints
    | PaintMask
    | EditMask
    | SetOptions
    | SetMethod
    | SetFollow
    | Hold
    | Release
    | LetGo
    | PaintLabels
    | MovePart
    | EditLabels
    | SetPaintOptions
    | SetLive
    | StartPaint
    | StartRefine
    | Slide
    | LearnVector
    | ForgetVector
    | Sample
    | Start
    | Stop
    | Reset
    | Undo
    | Redo
    | GoTo
    | GetCode
    | GetPng
    | ToBatch
    | GetModels
    | LoadModel
    | Upload
    | Chunk
    | StopLoading
    | GoBack
)
FromPage = Ready | Ack | Heartbeat | Request


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
