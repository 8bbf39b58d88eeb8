// Written by `python -m nbdrag.widgets.protocol --typescript` from nbdrag/widgets/protocol.py,
// from_page.py and from_kernel.py. Don't edit: change those and write this one anew.

export const PROTOCOL = 2;

/** The largest values and lengths the kernel accepts. */
export const LIMITS = {
  id: 9007199254740991,
  seed: 4294967295,
  points: 64,
  path: 4096,
  coordinate: 65536,
  radius: 1024,
  source: 2000,
  upload: 4294967296,
  chunk: 1048576,
} as const;

export type Position = [number, number];

export type Pair = [number, number, number, number];

export type OptionValue = boolean | number | string | null;

export type Level = "busy" | "error" | "info" | "warning";

export type Format = "image/jpeg" | "image/png" | "image/webp";

/** The generator that makes the pictures, `width` by `height` pixels. */
export interface Model {
  name: string;
  width: number;
  height: number;
  num_ws: number;
  num_labels: number;
}

/**
 * A generator that has a name. `size` in bytes, where known; null for what isn't.
 *
 * `at_hand`: it need not be downloaded first.
 */
export interface KnownModel {
  name: string;
  title: string;
  resolution: number;
  source: string;
  licence: string;
  at_hand: boolean;
  size: number | null;
}

/** Where the running or the last edit stands. `distances` in pixels, one for each pair. */
export interface Progress {
  step: number;
  max_steps: number;
  loss: number | null;
  distances: number[];
  steps_per_s: number | null;
}

/** A picture in the history; `id` is never used twice, so thumbnails can be kept by it. */
export interface Entry {
  id: number;
  label: string;
}

/**
 * An option with a number in [min, max]; a page may offer steps of `step`, or along `scale`.
 *
 * `automatic` says in words what null stands for; where it is null, a number is needed.
 */
export interface NumberOption {
  kind: "number";
  name: string;
  label: string;
  symbol: string;
  unit: string;
  help: string;
  default: number | null;
  min: number;
  max: number;
  step: number;
  integer: boolean;
  scale: "linear" | "log";
  automatic: string | null;
}

/** One of the values an option may take, and how to call it. */
export interface Choice {
  value: string | number | null;
  label: string;
}

/** An option with one of a few values. */
export interface ChoiceOption {
  kind: "choice";
  name: string;
  label: string;
  symbol: string;
  help: string;
  default: string | number | null;
  choices: Choice[];
}

/** An option that is on or off. */
export interface SwitchOption {
  kind: "switch";
  name: string;
  label: string;
  symbol: string;
  help: string;
  default: boolean;
}

export type Option =
  | NumberOption
  | ChoiceOption
  | SwitchOption;

/** The page listens: send everything. Said again by a page that has missed something. */
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

/**
 * All handle and target points, in place of those before: [handle x, y, target x, y].
 *
 * While an edit runs, only targets can be moved, and their number stays: the edit ends and the
 * next one goes on from the present picture, with the handles where tracking has them.
 */
export interface SetPoints {
  kind: "set_points";
  id: number;
  points: Pair[];
}

/**
 * One stroke on the mask.
 *
 * brush and eraser cover what is within `radius` pixels of the line along `path`; lasso and
 * lasso_eraser what the closed path winds around, where it crosses itself too (non-zero winding;
 * `radius` is ignored). The erasers take away from where the picture may move. Without a mask
 * yet, a brush or lasso starts from nothing and an eraser from the whole picture.
 */
export interface PaintMask {
  kind: "paint_mask";
  id: number;
  tool: "brush" | "eraser" | "lasso" | "lasso_eraser";
  radius: number;
  path: Position[];
}

/** invert: what may move and what stays change places. clear: no mask, everything may move. */
export interface EditMask {
  kind: "edit_mask";
  id: number;
  op: "clear" | "invert";
}

/** The named options get these values, the others stay. Names and ranges: `Snapshot.schema`. */
export interface SetOptions {
  kind: "set_options";
  id: number;
  options: Record<string, OptionValue>;
}

/** Draw a new picture from the generator; of one class, if it has any. */
export interface Sample {
  kind: "sample";
  id: number;
  seed: number;
  truncation: number;
  label?: number | null;
}

/** Drag the handles towards their targets. */
export interface Start {
  kind: "start";
  id: number;
}

/** End the running edit after its present step. */
export interface Stop {
  kind: "stop";
  id: number;
}

/** Back to the picture before any edit; redo still leads forward again. */
export interface Reset {
  kind: "reset";
  id: number;
}

/** One entry back in the history. */
export interface Undo {
  kind: "undo";
  id: number;
}

/** One entry forward in the history. */
export interface Redo {
  kind: "redo";
  id: number;
}

/** To the history entry at `index`. */
export interface GoTo {
  kind: "go_to";
  id: number;
  index: number;
}

/** The Python code that makes this picture; comes as `Reply.code`. */
export interface GetCode {
  kind: "get_code";
  id: number;
}

/** The picture as PNG; comes as the reply's buffer. */
export interface GetPng {
  kind: "get_png";
  id: number;
}

/** The generators that have a name; they come as `Reply.models`. */
export interface GetModels {
  kind: "get_models";
  id: number;
}

/**
 * Load another generator, beside everything else, and go on with it: its name, or an address.
 *
 * What is being loaded already is given up.
 */
export interface LoadModel {
  kind: "load_model";
  id: number;
  source: string;
}

/**
 * Load another generator from a file of the page's own machine, `size` bytes long.
 *
 * The bytes follow in `Chunk`s, which name this request's id as their `upload`.
 */
export interface Upload {
  kind: "upload";
  id: number;
  name: string;
  size: number;
}

/** The bytes of an upload from `offset` on, in the buffer: at most 1 MiB, and in their order. */
export interface Chunk {
  kind: "chunk";
  id: number;
  upload: number;
  offset: number;
}

/** Give up what is being loaded, and keep the present generator. */
export interface StopLoading {
  kind: "stop_loading";
  id: number;
}

/** To the generator before this one, and to all that was made with it. */
export interface GoBack {
  kind: "go_back";
  id: number;
}

export type Request =
  | SetPoints
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
  | GetModels
  | LoadModel
  | Upload
  | Chunk
  | StopLoading
  | GoBack;

export type FromPage =
  | Ready
  | Ack
  | Heartbeat
  | SetPoints
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
  | GetModels
  | LoadModel
  | Upload
  | Chunk
  | StopLoading
  | GoBack;

/**
 * The whole state but its pictures and the mask's pixels.
 *
 * `revision` grows with every change. `history[cursor]` is the picture shown; entries after it
 * are there to redo. `mask_version` names the `Mask` that belongs to it. The points are those at
 * rest or at the start of the running edit; on the way, the frames tell. `previous` names the
 * generator that one can go back to. `label` is the class drawn, where there are classes.
 */
export interface Snapshot {
  kind: "snapshot";
  protocol: number;
  revision: number;
  model: Model;
  seed: number | null;
  truncation: number | null;
  label: number | null;
  points: Pair[];
  mask_version: number;
  options: Record<string, OptionValue>;
  schema: Option[];
  running: boolean;
  progress: Progress | null;
  history: Entry[];
  cursor: number;
  status: Status;
  loading: Loading | null;
  previous: string | null;
}

/**
 * A picture, in the buffer: the shown one is always that of the highest `seq`.
 *
 * While an edit runs, and for a moment after, `final` is false and the picture may be smaller
 * than the model's, in the same shape; `points` hold the tracked handles. At rest `final` is true
 * and the picture is lossless and of full size.
 */
export interface Frame {
  kind: "frame";
  seq: number;
  final: boolean;
  format: Format;
  width: number;
  height: number;
  step: number | null;
  loss: number | null;
  points: Pair[];
  distances: number[];
  steps_per_s: number | null;
}

/**
 * The mask, in the buffer: one bit a pixel, row after row, lowest bit first, 1 = may move.
 *
 * Without a mask `everywhere` is true, the whole picture may move and the buffer is empty.
 */
export interface Mask {
  kind: "mask";
  version: number;
  width: number;
  height: number;
  everywhere: boolean;
}

/** The picture before any edit, in the buffer, lossless: what one compares with. */
export interface Before {
  kind: "before";
  format: Format;
}

/** The small picture of the history entry with the id `entry`, in the buffer. */
export interface Thumbnail {
  kind: "thumbnail";
  entry: number;
  format: Format;
}

/** The status line; also in every snapshot. */
export interface Status {
  kind: "status";
  level: Level;
  text: string;
}

/**
 * The generator that is being loaded, and how far it is: 0 to 1, null where nobody knows.
 *
 * Also in every snapshot.
 */
export interface Loading {
  kind: "loading";
  name: string;
  text: string;
  fraction: number | null;
}

/**
 * The answer to a request. `error` says what was wrong and what to do; then nothing changed.
 *
 * `id` is null where the message was so broken that no id could be read. `code` answers
 * `GetCode`; `filename` and the buffer answer `GetPng`; `models` answers `GetModels`.
 */
export interface Reply {
  kind: "reply";
  id: number | null;
  ok: boolean;
  error: string | null;
  code: string | null;
  filename: string | null;
  models: KnownModel[] | null;
}

/** I am here. A page that shows another `revision` has missed something: it says `Ready`. */
export interface Beat {
  kind: "beat";
  revision: number;
}

export type FromKernel =
  | Snapshot
  | Frame
  | Mask
  | Before
  | Thumbnail
  | Status
  | Loading
  | Reply
  | Beat;
