// The store: what the page knows of one widget. Every view of the model draws from it.
//
// The kernel is the truth. Here is what all widgets know of it: who answers, its last snapshot, the
// picture on screen, the history's small pictures, what the status line says. Each widget adds what
// is its own, and lays over all that what the user has just done, until the kernel has answered.

import type { Picture } from "./pictures";
import type { Frame, Loading, Snapshot, Status } from "./protocol.gen";
import type { Connection } from "./pulse";
import type { Size } from "./viewport";

export interface Notice {
  readonly level: Status["level"];
  readonly text: string;
}

export interface WidgetState {
  readonly connection: Connection;
  readonly snapshot: Snapshot | null;
  /** The header of the picture on screen. */
  readonly frame: Frame | null;
  readonly picture: Picture | null;
  /** The picture to compare with. */
  readonly before: Picture | null;
  /** How many frames were drawn. */
  readonly frames: number;
  /** Object URLs by history entry id. */
  readonly thumbnails: ReadonlyMap<number, string>;
  readonly notice: Notice | null;
  /** The kinds of requests under way. */
  readonly asked: readonly string[];
}

export type WidgetEvent =
  | { kind: "connection"; connection: Connection }
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "frame"; frame: Frame; picture: Picture }
  | { kind: "still"; picture: Picture }
  | { kind: "before"; picture: Picture }
  | { kind: "thumbnail"; entry: number; url: string }
  | { kind: "thumbnails-dropped"; entries: readonly number[] }
  | { kind: "notice"; notice: Notice | null }
  | { kind: "loading"; loading: Loading }
  | { kind: "error-over" }
  | { kind: "asked"; request: string }
  | { kind: "answered"; request: string };

export const NOTHING: WidgetState = {
  connection: "connecting",
  snapshot: null,
  frame: null,
  picture: null,
  before: null,
  frames: 0,
  thumbnails: new Map(),
  notice: null,
  asked: [],
};

export function reduceWidget<S extends WidgetState>(state: S, event: WidgetEvent): S {
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
      };
    case "still":
      // A saved still never replaces a live picture.
      return state.frames > 0 ? state : { ...state, picture: event.picture };
    case "before":
      return { ...state, before: event.picture };
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
    case "asked":
      return { ...state, asked: [...state.asked, event.request] };
    case "answered": {
      const at = state.asked.indexOf(event.request);
      return { ...state, asked: state.asked.filter((_, i) => i !== at) };
    }
  }
}

function withSnapshot<S extends WidgetState>(state: S, snapshot: Snapshot): S {
  const old = state.snapshot;
  const said =
    snapshot.status.text !== old?.status.text || snapshot.status.level !== old.status.level;
  return {
    ...state,
    snapshot,
    // A new run's numbers come with its first frame; until then the snapshot's hold.
    frame: starts(old, snapshot) ? null : state.frame,
    notice: said ? snapshot.status : state.notice,
  };
}

function withoutError(notice: Notice | null): Notice | null {
  return notice?.level === "error" ? null : notice;
}

// ------------------------------------------------------------------------------------- selectors

/** Whether an edit has begun between two snapshots. */
export function starts(old: Snapshot | null, snapshot: Snapshot): boolean {
  return snapshot.running && old?.running !== true;
}

/** Whether the pictures come from another generator. */
export function isAnother({ model: old }: Snapshot, { model }: Snapshot): boolean {
  return old.name !== model.name || old.width !== model.width || old.height !== model.height;
}

export function imageSize({ model: { width, height } }: Snapshot): Size {
  return { width, height };
}

/** The step of the running or the last edit. */
export function shownStep({ frame, snapshot }: WidgetState): number {
  return frame?.step ?? snapshot?.progress?.step ?? 0;
}

/** One word for the whole: what `data-state` and the status dot say. */
export type Mode = Exclude<Connection, "live"> | "running" | "error" | "idle";

export function mode({ connection, snapshot, notice }: WidgetState): Mode {
  if (connection !== "live") return connection;
  if (snapshot?.running) return "running";
  return notice?.level === "error" ? "error" : "idle";
}

/** Whether there is a kernel, as far as is known: a static page has none. */
export function isLive({ connection }: WidgetState): boolean {
  return connection !== "static";
}

export function isRunning({ snapshot }: WidgetState): boolean {
  return snapshot?.running === true;
}

/** Whether the user can change anything now. */
export function isEditable({ connection, snapshot }: WidgetState): boolean {
  return snapshot !== null && (connection === "live" || connection === "silent");
}

/** Strokes on the part map are taken back one by one, before pictures are. */
export function canUndo({ snapshot }: WidgetState): boolean {
  return snapshot !== null && (snapshot.strokes > 0 || snapshot.cursor > 0);
}

export function canRedo({ snapshot }: WidgetState): boolean {
  if (snapshot === null) return false;
  return snapshot.strokes_ahead > 0 || snapshot.cursor < snapshot.history.length - 1;
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
