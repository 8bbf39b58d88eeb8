// The store: all that the page knows of one editor. Every view of the model draws from it.
//
// The kernel is the truth. What the user has just done is laid over it as a draft (points) or as
// strokes under way (mask), so that the hand never waits; the kernel's answer settles the draft:
// yes makes it part of the truth, no drops it.

import type { Picture } from "../shared/pictures";
import type { Frame, Loading, Snapshot, Status } from "../shared/protocol.gen";
import type { Connection } from "../shared/pulse";
import { type Mask, type Stroke, withStroke } from "./mask";
import { fromRows, gap, type Pair, toRows } from "./points";

export interface CurvePoint {
  readonly step: number;
  /** Mean distance of the handles from their targets, in pixels. */
  readonly distance: number;
}

export interface Draft {
  readonly revision: number;
  readonly pairs: readonly Pair[];
}

export interface StrokeUnderWay {
  readonly revision: number;
  readonly stroke: Stroke;
}

export interface Notice {
  readonly level: Status["level"];
  readonly text: string;
}

export interface EditorState {
  readonly connection: Connection;
  readonly snapshot: Snapshot | null;
  /** The header of the picture on screen. */
  readonly frame: Frame | null;
  readonly picture: Picture | null;
  /** The picture to compare with. */
  readonly before: Picture | null;
  /** How many frames were drawn. */
  readonly frames: number;
  readonly curve: readonly CurvePoint[];
  /** Null: no mask, everything may move. */
  readonly mask: Mask | null;
  readonly strokes: readonly StrokeUnderWay[];
  readonly draft: Draft | null;
  /** Object URLs by history entry id. */
  readonly thumbnails: ReadonlyMap<number, string>;
  readonly notice: Notice | null;
  /** The kinds of requests under way. */
  readonly asked: readonly string[];
}

export type Event =
  | { kind: "connection"; connection: Connection }
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "frame"; frame: Frame; picture: Picture }
  | { kind: "still"; picture: Picture }
  | { kind: "before"; picture: Picture }
  | { kind: "mask"; mask: Mask | null }
  | { kind: "thumbnail"; entry: number; url: string }
  | { kind: "thumbnails-dropped"; entries: readonly number[] }
  | { kind: "notice"; notice: Notice | null }
  | { kind: "loading"; loading: Loading }
  | { kind: "error-over" }
  | { kind: "draft"; draft: Draft }
  | { kind: "draft-settled"; revision: number; ok: boolean }
  | { kind: "stroke"; revision: number; stroke: Stroke }
  | { kind: "stroke-settled"; revision: number; ok: boolean }
  | { kind: "asked"; request: string }
  | { kind: "answered"; request: string };

export const EMPTY: EditorState = {
  connection: "connecting",
  snapshot: null,
  frame: null,
  picture: null,
  before: null,
  frames: 0,
  curve: [],
  mask: null,
  strokes: [],
  draft: null,
  thumbnails: new Map(),
  notice: null,
  asked: [],
};

export function reduce(state: EditorState, event: Event): EditorState {
  switch (event.kind) {
    case "connection":
      return { ...state, connection: event.connection };
    case "snapshot":
      return withSnapshot(state, event.snapshot);
    case "frame":
      return {
        ...state,
        frame: event.frame,
        picture: event.picture,
        frames: state.frames + 1,
        curve: grown(state.curve, event.frame),
      };
    case "still":
      // A saved still never replaces a live picture.
      return state.frames > 0 ? state : { ...state, picture: event.picture };
    case "before":
      return { ...state, before: event.picture };
    case "mask":
      return { ...state, mask: event.mask };
    case "thumbnail":
      return { ...state, thumbnails: new Map(state.thumbnails).set(event.entry, event.url) };
    case "thumbnails-dropped": {
      const kept = [...state.thumbnails].filter(([entry]) => !event.entries.includes(entry));
      return { ...state, thumbnails: new Map(kept) };
    }
    case "notice":
      return { ...state, notice: event.notice };
    case "loading":
      return state.snapshot === null
        ? state
        : { ...state, snapshot: { ...state.snapshot, loading: event.loading } };
    case "error-over":
      // A request went well: an earlier one's error is no more news.
      if (state.notice?.level !== "error") return state;
      return { ...state, notice: withoutError(state.snapshot?.status ?? null) };
    case "draft":
      return { ...state, draft: event.draft };
    case "draft-settled":
      return settleDraft(state, event.revision, event.ok);
    case "stroke":
      return {
        ...state,
        strokes: [
          ...state.strokes.filter(({ revision }) => revision !== event.revision),
          { revision: event.revision, stroke: event.stroke },
        ],
      };
    case "stroke-settled":
      return settleStroke(state, event.revision, event.ok);
    case "asked":
      return { ...state, asked: [...state.asked, event.request] };
    case "answered": {
      const at = state.asked.indexOf(event.request);
      return { ...state, asked: state.asked.filter((_, i) => i !== at) };
    }
  }
}

function withSnapshot(state: EditorState, snapshot: Snapshot): EditorState {
  const old = state.snapshot;
  const starts = snapshot.running && old?.running !== true;
  const said =
    snapshot.status.text !== old?.status.text || snapshot.status.level !== old.status.level;
  const ends = old?.running === true && !snapshot.running;
  const draft = ends ? rebased(state.draft, snapshot) : state.draft;
  return {
    ...state,
    snapshot,
    // What was placed on another generator's picture is no wish for this one.
    draft: old !== null && isAnother(old, snapshot) ? null : draft,
    // A new run's points come with its first frame; until then the snapshot's hold.
    frame: starts ? null : state.frame,
    curve: starts || snapshot.progress === null ? [] : state.curve,
    notice: said ? snapshot.status : state.notice,
  };
}

/** Whether the pictures come from another generator. */
export function isAnother({ model: old }: Snapshot, { model }: Snapshot): boolean {
  return old.name !== model.name || old.width !== model.width || old.height !== model.height;
}

/** New targets for an edit that has ended meanwhile: its handles are where the edit left them. */
function rebased(draft: Draft | null, { points }: Snapshot): Draft | null {
  if (draft?.pairs.length !== points.length) return null;
  const pairs = fromRows(points).map(({ handle }, i) => ({
    handle,
    target: draft.pairs[i]?.target ?? handle,
  }));
  return { ...draft, pairs };
}

function withoutError(notice: Notice | null): Notice | null {
  return notice?.level === "error" ? null : notice;
}

function grown(curve: readonly CurvePoint[], frame: Frame): readonly CurvePoint[] {
  const distance = mean(frame.distances);
  const { step } = frame;
  if (distance === null || step === null) return curve;
  const last = curve.at(-1);
  const before = last && last.step >= step ? curve.filter((point) => point.step < step) : curve;
  return [...before, { step, distance }];
}

function settleDraft(state: EditorState, revision: number, ok: boolean): EditorState {
  const { draft, snapshot } = state;
  if (draft === null || draft.revision !== revision) return state;
  const agreed = ok && snapshot !== null;
  return {
    ...state,
    draft: null,
    snapshot: agreed ? { ...snapshot, points: toRows(draft.pairs) } : snapshot,
  };
}

function settleStroke(state: EditorState, revision: number, ok: boolean): EditorState {
  const under = state.strokes.find((stroke) => stroke.revision === revision);
  if (under === undefined) return state;
  const { snapshot } = state;
  return {
    ...state,
    strokes: state.strokes.filter((stroke) => stroke !== under),
    mask:
      ok && snapshot !== null
        ? withStroke(state.mask, under.stroke, imageSize(snapshot))
        : state.mask,
  };
}

// ------------------------------------------------------------------------------------- selectors

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export function imageSize({ model: { width, height } }: Snapshot): ImageSize {
  return { width, height };
}

/**
 * The pairs to show: the user's draft, else the kernel's.
 *
 * While an edit runs, its handles go their own way, as the newest frame tells; only targets can be
 * the user's then. A frame may still be on its way to older ones.
 */
export function shownPairs({ draft, frame, snapshot }: EditorState): readonly Pair[] {
  const pairs = draft?.pairs ?? fromRows(snapshot?.points ?? []);
  const tracked = frame?.points;
  if (!snapshot?.running || tracked?.length !== pairs.length) return pairs;
  return fromRows(tracked).map(({ handle, target }, i) => ({
    handle,
    target: pairs[i]?.target ?? target,
  }));
}

/** The step of the running or the last edit. */
export function shownStep({ frame, snapshot }: EditorState): number {
  return frame?.step ?? snapshot?.progress?.step ?? 0;
}

/** The mask to show: the kernel's, with the strokes under way on it. */
export function shownMask({ mask, strokes, snapshot }: EditorState): Mask | null {
  if (snapshot === null) return mask;
  return strokes.reduce<Mask | null>(
    (result, { stroke }) => withStroke(result, stroke, imageSize(snapshot)),
    mask,
  );
}

/** Mean distance of the shown handles from their targets, in pixels; null without points. */
export function pixelsToGo(pairs: readonly Pair[]): number | null {
  return mean(pairs.map(gap));
}

/** One word for the whole: what `data-state` and the status dot say. */
export type Mode = Exclude<Connection, "live"> | "running" | "error" | "idle";

export function mode({ connection, snapshot, notice }: EditorState): Mode {
  if (connection !== "live") return connection;
  if (snapshot?.running) return "running";
  return notice?.level === "error" ? "error" : "idle";
}

/** Whether there is a kernel, as far as is known: a static page has none. */
export function isLive({ connection }: EditorState): boolean {
  return connection !== "static";
}

/** Whether the kernel has answered all that the user did: what it has is what is shown. */
export function isSettled({ asked, draft, strokes }: EditorState): boolean {
  return asked.length === 0 && draft === null && strokes.length === 0;
}

export function isRunning({ snapshot }: EditorState): boolean {
  return snapshot?.running === true;
}

/** Whether the user can change anything now. */
export function isEditable({ connection, snapshot }: EditorState): boolean {
  return snapshot !== null && (connection === "live" || connection === "silent");
}

function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// ----------------------------------------------------------------------------------------- store

export interface Store<S, E> {
  get(): S;
  dispatch(event: E): void;
  /** Calls back after every change; returns what ends it. */
  subscribe(callback: () => void): () => void;
}

export function createStore<S, E>(initial: S, reducer: (state: S, event: E) => S): Store<S, E> {
  let state = initial;
  const callbacks = new Set<() => void>();
  return {
    get: () => state,
    dispatch(event) {
      const next = reducer(state, event);
      if (next === state) return;
      state = next;
      for (const callback of [...callbacks]) callback();
    },
    subscribe(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
  };
}
