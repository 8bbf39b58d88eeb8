"""Every message between a `BatchPreview` and its pages, both ways, as typed structs.

They follow the rules of `protocol`: JSON objects whose `kind` names their struct, requests with an
`id` that are answered by one `Reply`, and a kernel that is the truth. js/src/batch/protocol.gen.ts
is written from this file by

    python -m nbdrag.widgets.protocol --typescript batch

What differs is how pictures travel. A batch may have thousands and a page shows a few, so each view
says which ones are in sight (`Look`), and is sent those and no others, in `Tiles`: a few at a time,
the oldest first, always of the newest strength. A view that looks somewhere else has let go of what
it saw before, and a page that is told another `epoch` says anew what it looks at.

What an export wrote lies where the kernel runs, which may be far from the page. A single file is
offered in the `Snapshot`, and a page that wants it asks for one piece after the other (`Fetch`),
each of which comes in its reply's buffer: at most a few are under way, so neither side holds more.

Strengths need no pictures. A picture's automatic strength is the example's plus an offset of its
own, so a page knows all of them at every place of the slider from `Offsets` alone, and the
histogram moves under the hand.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from nbdrag.widgets.from_kernel import Beat, Status
from nbdrag.widgets.from_page import Ack, Asked, Heartbeat, ProtocolError
from nbdrag.widgets.protocol import MAX_CHUNK, MAX_ID, MAX_SCALE, Count, Message, Scale

BATCH_PROTOCOL = 2
MAX_ITEMS = 20_000
"""Pictures in a preview."""
MAX_IN_SIGHT = 512
MAX_ALPHA = 1e6
MAX_FILE = 1000

EXAMPLE = -1
"""The number of the example, which is shown as the others are."""

Item = Annotated[int, Meta(ge=0, lt=MAX_ITEMS)]
Shown = Annotated[int, Meta(ge=EXAMPLE, lt=MAX_ITEMS)]
Alpha = Annotated[float, Meta(ge=-MAX_ALPHA, le=MAX_ALPHA)]
SortKey = Literal["source", "strength", "distance"]
ExportFormat = Literal["folder", "zip", "latents", "csv"]


# ----------------------------------------------------------------------------- what the page says


class Ready(Message, tag="ready"):
    """The page listens: send everything."""

    protocol: Count = BATCH_PROTOCOL


class Look(Message, tag="look"):
    """What a view has in sight, what matters most first; nothing, if nobody sees it."""

    view: Count
    items: Annotated[list[Shown], Meta(max_length=MAX_IN_SIGHT)]


class SetStrength(Asked, tag="set_strength"):
    """How much the example is edited: 1 is as it was. While it is `moving`, the order stays."""

    strength: Scale
    moving: bool = False


class SetAlpha(Asked, tag="set_alpha"):
    """The strength of one picture, whatever the slider says; null: automatic again."""

    item: Item
    alpha: Alpha | None
    moving: bool = False


class ResetAlphas(Asked, tag="reset_alphas"):
    """All strengths automatic again."""


class Include(Asked, tag="include"):
    """Take pictures in, or leave them out."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)]
    included: bool


class IncludeAll(Asked, tag="include_all"):
    """Take in all pictures, none, or those that were left out."""

    which: Literal["all", "none", "others"]


class Sort(Asked, tag="sort"):
    """Order the pictures: as they came, by strength, or by distance to the hyperplane."""

    by: SortKey


class Export(Asked, tag="export"):
    """Write the included pictures, edited, to a file or folder of the kernel's machine.

    `resume`: go on with a folder in which the same export was begun.
    """

    format: ExportFormat
    path: Annotated[str, Meta(min_length=1, max_length=MAX_FILE)]
    resume: bool = False


class Fetch(Asked, tag="fetch"):
    """A piece of the file that is offered by this number, from `offset` on: at most 1 MiB."""

    file: Count
    offset: Count


class Stop(Asked, tag="stop"):
    """End what runs: the search for the direction, or an export."""


Request = SetStrength | SetAlpha | ResetAlphas | Include | IncludeAll | Sort | Export | Fetch | Stop
FromPage = Ready | Ack | Heartbeat | Look | Request


# --------------------------------------------------------------------------- what the kernel says


class Pictured(Struct, kw_only=True):
    """The generator, whose pictures are `width` by `height`."""

    name: str
    width: int
    height: int


class Progress(Struct, kw_only=True):
    """How far what runs is: in words, and from 0 to 1, or null where nobody knows."""

    text: str
    fraction: float | None


class Written(Struct, kw_only=True):
    """A file that was written, to be fetched by its number; `size` in bytes."""

    number: int
    name: str
    size: int


class Snapshot(Message, tag="snapshot"):
    """The whole state but its pictures and what is sent as numbers beside it.

    `revision` grows with every change, `epoch` with every page that comes up. The example was
    edited by `alpha`, in units of w, and is by `strength` times that now. The slider goes from
    `low` to `high`; where it is `neutral`, all end as neutral as the average picture (null: that is
    further than it can go). `running` says what runs: "search" or "export"; null at rest. `path` is
    a name that an export may have, `written` the file that the last one has made, if it made one.
    The versions name the `Offsets`, `Order`, `Included` and `Overrides` that belong to it.
    """

    protocol: int
    revision: int
    epoch: int
    name: str
    model: Pictured
    count: int
    strength: float
    alpha: float
    low: float
    high: float
    neutral: float | None
    by: SortKey
    running: Literal["search", "export"] | None
    progress: Progress | None
    path: str
    written: Written | None
    included: int
    offsets_version: int
    order_version: int
    included_version: int
    overrides_version: int
    status: Status


class Names(Message, tag="names"):
    """What the pictures are called, as they came."""

    names: list[str]


class Offsets(Message, tag="offsets"):
    """Strengths less the example's: little-endian floats of 4 bytes in the buffer."""

    version: int


class Order(Message, tag="order"):
    """Which picture stands where: little-endian whole numbers of 4 bytes in the buffer."""

    version: int


class Included(Message, tag="included"):
    """Which pictures are included: a bit for each in the buffer, lowest bit first."""

    version: int


class Overrides(Message, tag="overrides"):
    """Pictures with a strength of their own, and those strengths."""

    version: int
    items: list[int]
    alphas: list[float]


class Tile(Struct, kw_only=True):
    """Which picture: of an item, before the edit or after so much of it."""

    item: int
    after: bool
    alpha: float


class Tiles(Message, tag="tiles"):
    """A few pictures, JPEG, a buffer each; an empty one, where a picture can't be shown."""

    seq: int
    tiles: list[Tile]


class Reply(Message, tag="reply"):
    """The answer to a request. `error` says what was wrong and what to do; then nothing changed.

    What was fetched is in its buffer.
    """

    id: int | None
    ok: bool
    error: str | None = None


FromKernel = (
    Snapshot | Names | Offsets | Order | Included | Overrides | Tiles | Status | Reply | Beat
)

LIMITS: dict[str, int] = {
    "id": MAX_ID,
    "in_sight": MAX_IN_SIGHT,
    "strength": int(MAX_SCALE),
    "alpha": int(MAX_ALPHA),
    "file": MAX_FILE,
    "chunk": MAX_CHUNK,
}


def decode(content: object) -> FromPage:
    """Read a message of the page. Raises `ProtocolError` if it is none of those above."""
    try:
        return msgspec.convert(content, FromPage)  # type: ignore[no-any-return]
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        number = content.get("id") if isinstance(content, dict) else None
        readable = type(number) is int and 0 <= number <= MAX_ID
        raise ProtocolError(
            f"message not understood: {error}", number if readable else None
        ) from None


def encode(message: FromKernel) -> dict[str, Any]:
    """Turn a message of the kernel into JSON's Python objects. Numbers in it must be finite."""
    builtins: dict[str, Any] = msgspec.to_builtins(message, str_keys=True)
    return builtins
