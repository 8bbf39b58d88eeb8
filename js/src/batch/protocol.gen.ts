// Written by `python -m nbdrag.widgets.protocol --typescript batch` from
// nbdrag/widgets/batch_messages.py. Don't edit: change that and write this one anew.

export const PROTOCOL = 2;

/** The largest values and lengths the kernel accepts. */
export const LIMITS = {
  id: 9007199254740991,
  in_sight: 512,
  strength: 10,
  alpha: 1000000,
  file: 1000,
  chunk: 1048576,
} as const;

export type Level = "busy" | "error" | "info" | "warning";

export type SortKey = "distance" | "source" | "strength";

export type ExportFormat = "csv" | "folder" | "latents" | "zip";

/** The generator, whose pictures are `width` by `height`. */
export interface Pictured {
  name: string;
  width: number;
  height: number;
}

/** How far what runs is: in words, and from 0 to 1, or null where nobody knows. */
export interface Progress {
  text: string;
  fraction: number | null;
}

/** A file that was written, to be fetched by its number; `size` in bytes. */
export interface Written {
  number: number;
  name: string;
  size: number;
}

/** Which picture: of an item, before the edit or after so much of it. */
export interface Tile {
  item: number;
  after: boolean;
  alpha: number;
}

/** The page listens: send everything. */
export interface Ready {
  kind: "ready";
  protocol?: number;
}

/** Every frame up to `seq` is drawn or skipped. Sent every few frames and for a final one. */
export interface Ack {
  kind: "ack";
  seq: number;
}

/** Are you there? Answered by `Beat`. */
export interface Heartbeat {
  kind: "heartbeat";
}

/** What a view has in sight, what matters most first; nothing, if nobody sees it. */
export interface Look {
  kind: "look";
  view: number;
  items: number[];
}

/** How much the example is edited: 1 is as it was. While it is `moving`, the order stays. */
export interface SetStrength {
  kind: "set_strength";
  id: number;
  strength: number;
  moving?: boolean;
}

/** The strength of one picture, whatever the slider says; null: automatic again. */
export interface SetAlpha {
  kind: "set_alpha";
  id: number;
  item: number;
  alpha: number | null;
  moving?: boolean;
}

/** All strengths automatic again. */
export interface ResetAlphas {
  kind: "reset_alphas";
  id: number;
}

/** Take pictures in, or leave them out. */
export interface Include {
  kind: "include";
  id: number;
  items: number[];
  included: boolean;
}

/** Take in all pictures, none, or those that were left out. */
export interface IncludeAll {
  kind: "include_all";
  id: number;
  which: "all" | "none" | "others";
}

/** Order the pictures: as they came, by strength, or by distance to the hyperplane. */
export interface Sort {
  kind: "sort";
  id: number;
  by: SortKey;
}

/**
 * Write the included pictures, edited, to a file or folder of the kernel's machine.
 *
 * `resume`: go on with a folder in which the same export was begun.
 */
export interface Export {
  kind: "export";
  id: number;
  format: ExportFormat;
  path: string;
  resume?: boolean;
}

/** A piece of the file that is offered by this number, from `offset` on: at most 1 MiB. */
export interface Fetch {
  kind: "fetch";
  id: number;
  file: number;
  offset: number;
}

/** End what runs: the search for the direction, or an export. */
export interface Stop {
  kind: "stop";
  id: number;
}

export type Request =
  | SetStrength
  | SetAlpha
  | ResetAlphas
  | Include
  | IncludeAll
  | Sort
  | Export
  | Fetch
  | Stop;

export type FromPage =
  | Ready
  | Ack
  | Heartbeat
  | Look
  | SetStrength
  | SetAlpha
  | ResetAlphas
  | Include
  | IncludeAll
  | Sort
  | Export
  | Fetch
  | Stop;

/**
 * The whole state but its pictures and what is sent as numbers beside it.
 *
 * `revision` grows with every change, `epoch` with every page that comes up. The example was
 * edited by `alpha`, in units of w, and is by `strength` times that now. The slider goes from
 * `low` to `high`; where it is `neutral`, all end as neutral as the average picture (null: that is
 * further than it can go). `running` says what runs: "search" or "export"; null at rest. `path` is
 * a name that an export may have, `written` the file that the last one has made, if it made one.
 * The versions name the `Offsets`, `Order`, `Included` and `Overrides` that belong to it.
 */
export interface Snapshot {
  kind: "snapshot";
  protocol: number;
  revision: number;
  epoch: number;
  name: string;
  model: Pictured;
  count: number;
  strength: number;
  alpha: number;
  low: number;
  high: number;
  neutral: number | null;
  by: SortKey;
  running: "export" | "search" | null;
  progress: Progress | null;
  path: string;
  written: Written | null;
  included: number;
  offsets_version: number;
  order_version: number;
  included_version: number;
  overrides_version: number;
  status: Status;
}

/** What the pictures are called, as they came. */
export interface Names {
  kind: "names";
  names: string[];
}

/** Strengths less the example's: little-endian floats of 4 bytes in the buffer. */
export interface Offsets {
  kind: "offsets";
  version: number;
}

/** Which picture stands where: little-endian whole numbers of 4 bytes in the buffer. */
export interface Order {
  kind: "order";
  version: number;
}

/** Which pictures are included: a bit for each in the buffer, lowest bit first. */
export interface Included {
  kind: "included";
  version: number;
}

/** Pictures with a strength of their own, and those strengths. */
export interface Overrides {
  kind: "overrides";
  version: number;
  items: number[];
  alphas: number[];
}

/** A few pictures, JPEG, a buffer each; an empty one, where a picture can't be shown. */
export interface Tiles {
  kind: "tiles";
  seq: number;
  tiles: Tile[];
}

/** The status line; also in every snapshot. */
export interface Status {
  kind: "status";
  level: Level;
  text: string;
}

/**
 * The answer to a request. `error` says what was wrong and what to do; then nothing changed.
 *
 * What was fetched is in its buffer.
 */
export interface Reply {
  kind: "reply";
  id: number | null;
  ok: boolean;
  error: string | null;
}

/** I am here. A page that shows another `revision` has missed something: it says `Ready`. */
export interface Beat {
  kind: "beat";
  revision: number;
}

export type FromKernel =
  | Snapshot
  | Names
  | Offsets
  | Order
  | Included
  | Overrides
  | Tiles
  | Status
  | Reply
  | Beat;
