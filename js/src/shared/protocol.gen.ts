// Written by `python -m nbdrag.widgets.protocol --typescript` from nbdrag/widgets/protocol.py,
// from_page.py and from_kernel.py. Don't edit: change those and write this one anew.

export const PROTOCOL = 4;

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
  vector_name: 80,
  scale: 10,
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

/**
 * Where the running or the last edit stands.
 *
 * Of a drag: `distances` in pixels, one for each pair. Of painting: `agreement` of the parts with
 * those painted (IoU, 0 to 1), and the mean change `outside`, as a share of black to white; null
 * elsewhere.
 */
export interface Progress {
  step: number;
  max_steps: number;
  loss: number | null;
  distances: number[];
  agreement: number | null;
  outside: number | null;
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

/** A way to drag. `missing` says what it lacks with this generator; null if nothing. */
export interface DragMethod {
  name: string;
  title: string;
  help: string;
  missing: string | null;
}

/** A part that can be painted; its index is its label. `mirrored`: that of the other side. */
export interface PaintedPart {
  name: string;
  colour: string;
  mirrored: number;
}

/**
 * What a slider is for: an editing vector, and the parts that it was learnt on.
 *
 * `packaged`: it came with nbdrag and can't be forgotten.
 */
export interface Vector {
  name: string;
  classes: string[];
  scale_low: number;
  scale_high: number;
  packaged: boolean;
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

/** Drag in another way: the name of one of `Snapshot.drag_methods`. Its options come along. */
export interface SetMethod {
  kind: "set_method";
  id: number;
  method: string;
}

/** Whether the picture is to follow a handle that is held. */
export interface SetFollow {
  kind: "set_follow";
  id: number;
  follow: boolean;
}

/**
 * Where a hand has led the points by now, all of them: the picture follows, and no more.
 *
 * It follows from where it rests, however often this is said. Answered when the picture has been
 * sent; a page waits for that, and then says where the hand is by then.
 */
export interface Hold {
  kind: "hold";
  id: number;
  points: Pair[];
}

/** The hand has let go there: what it did becomes an edit, and is refined. */
export interface Release {
  kind: "release";
  id: number;
  points: Pair[];
}

/** The hand takes back what it did, or is lost: the picture is again the one at rest. */
export interface LetGo {
  kind: "let_go";
  id: number;
}

/**
 * One stroke on the part map.
 *
 * brush and eraser cover what is within `radius` pixels of the line along `path` (a straight line
 * is a brush with two points); lasso and lasso_eraser what the closed path winds around; fill the
 * pixels of one part that hang together, by their sides, with the first point of the path. All
 * but the erasers put `part` there, which those don't need: they bring back the original map.
 *
 * With `mirror` the same is then done at `width - x` with the part's `mirrored`. A fill looks
 * there at the map as the first half has left it.
 */
export interface PaintLabels {
  kind: "paint_labels";
  id: number;
  tool: "brush" | "eraser" | "fill" | "lasso" | "lasso_eraser";
  radius: number;
  path: Position[];
  part?: number | null;
  mirror?: boolean;
}

/**
 * Move parts by (`dx`, `dy`) pixels and scale them about their centre, as one stroke.
 *
 * The centre is that of the box around their pixels. A pixel gets the label of the pixel that its
 * centre comes from, if that is one of these parts. What they uncover is filled from the parts
 * beside it, ring by ring: a pixel takes the label above it, or else to its left, to its right,
 * below it, whichever the ring before has first.
 *
 * With `mirror` the same is then done, with -`dx`, to their `mirrored` that aren't among them.
 */
export interface MovePart {
  kind: "move_part";
  id: number;
  parts: number[];
  dx: number;
  dy: number;
  scale_x?: number;
  scale_y?: number;
  mirror?: boolean;
}

/** restore: the original part map again, as one stroke. */
export interface EditLabels {
  kind: "edit_labels";
  id: number;
  op: "restore";
}

/** As `SetOptions`, for painting. Names and ranges: `Snapshot.paint_schema`. */
export interface SetPaintOptions {
  kind: "set_paint_options";
  id: number;
  options: Record<string, OptionValue>;
}

/** Whether the picture follows by itself, a moment after the last stroke. */
export interface SetLive {
  kind: "set_live";
  id: number;
  live: boolean;
}

/** Let the picture follow the painted part map. */
export interface StartPaint {
  kind: "start_paint";
  id: number;
}

/** Repair what the sliders did beside the parts they are for. */
export interface StartRefine {
  kind: "start_refine";
  id: number;
}

/** All sliders that are not at 0, by name. The newest of several values is enough. */
export interface Slide {
  kind: "slide";
  id: number;
  scales: Record<string, number>;
}

/** Make what the last edit did a vector with a slider. */
export interface LearnVector {
  kind: "learn_vector";
  id: number;
  name: string;
}

/** Remove a vector that was learnt, and its slider. */
export interface ForgetVector {
  kind: "forget_vector";
  id: number;
  name: string;
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

/** One stroke on the part map back, or where there is none, one entry in the history. */
export interface Undo {
  kind: "undo";
  id: number;
}

/** One stroke on the part map forward, or where there is none, one entry in the history. */
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

/** Show the present edit on many pictures, in a preview beneath the editor. */
export interface ToBatch {
  kind: "to_batch";
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
  | GoBack;

export type FromPage =
  | Ready
  | Ack
  | Heartbeat
  | SetPoints
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
  | GoBack;

/**
 * The whole state but its pictures and the mask's pixels.
 *
 * `revision` grows with every change. `history[cursor]` is the picture shown; entries after it
 * are there to redo. `mask_version` names the `Mask` that belongs to it. The points are those at
 * rest or at the start of the running edit; on the way, the frames tell. `previous` names the
 * generator that one can go back to. `label` is the class drawn, where there are classes.
 *
 * `labels_version` names the `Labels` that belong to the picture; null while there are none, since
 * it moves, they are being made, or nothing here makes them. `strokes` are on them, and
 * `strokes_ahead` are there to redo. `scales` are the sliders that are not at 0. `method` says
 * what runs: "drag", "paint" or "refine" for instance; null at rest. `drag_method` names the way
 * to drag that is chosen, one of `drag_methods`; `options` and `schema` are its. `follow`: the
 * picture is to follow a handle that is held.
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
  drag_method: string;
  drag_methods: DragMethod[];
  follow: boolean;
  options: Record<string, OptionValue>;
  schema: Option[];
  labels_version: number | null;
  strokes: number;
  strokes_ahead: number;
  live: boolean;
  paint_options: Record<string, OptionValue>;
  paint_schema: Option[];
  scales: Record<string, number>;
  running: boolean;
  method: string | null;
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
  agreement: number | null;
  outside: number | null;
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

/** The parts that can be painted, in the order of their labels; none without a segmenter. */
export interface Parts {
  kind: "parts";
  parts: PaintedPart[];
}

/**
 * A part map, in the buffer: a byte a pixel, row after row, compressed by zlib ("deflate").
 *
 * `original`: as it was found in the picture, sent only with another one; otherwise as it is
 * painted. `version` is the snapshot's `labels_version` that it came with.
 */
export interface Labels {
  kind: "labels";
  version: number;
  width: number;
  height: number;
  original: boolean;
}

/** All vectors that there are sliders for. A buffer each: a small WebP before|after, or none. */
export interface Vectors {
  kind: "vectors";
  vectors: Vector[];
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
  | Parts
  | Labels
  | Vectors
  | Before
  | Thumbnail
  | Status
  | Loading
  | Reply
  | Beat;
