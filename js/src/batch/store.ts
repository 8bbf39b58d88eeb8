// The store: what the page knows of one batch. Every view of the model draws from it.
//
// The kernel is the truth; what the hand has just moved lies over it until the kernel has it. All
// strengths follow from that without asking: a picture's is the example's plus its own offset.

import type { Connection } from "../shared/pulse";
import type { Notice } from "../shared/store";
import type { Snapshot, Written } from "./protocol.gen";

export interface BatchState {
  readonly connection: Connection;
  readonly snapshot: Snapshot | null;
  readonly names: readonly string[];
  readonly offsets: Float32Array;
  /** Which picture stands where. */
  readonly order: Uint32Array;
  /** A bit for each picture, lowest first. */
  readonly included: Uint8Array;
  /** Strengths of pictures that have their own. */
  readonly overrides: ReadonlyMap<number, number>;
  /** Where the slider is, until the kernel has it. */
  readonly sliding: { readonly revision: number; readonly strength: number } | null;
  /** A strength under the hand, until the kernel has it; null: automatic again. */
  readonly overriding: {
    readonly revision: number;
    readonly item: number;
    readonly alpha: number | null;
  } | null;
  /** The file that this page fetches, and how many bytes of it are here. */
  readonly fetching: { readonly file: Written; readonly bytes: number } | null;
  readonly notice: Notice | null;
  /** The kinds of requests under way. */
  readonly asked: readonly string[];
  /** The saved sheet, as an object URL. */
  readonly sheet: string | null;
}

export type Event =
  | { kind: "connection"; connection: Connection }
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "names"; names: readonly string[] }
  | { kind: "offsets"; offsets: Float32Array }
  | { kind: "order"; order: Uint32Array }
  | { kind: "included"; included: Uint8Array }
  | { kind: "overrides"; overrides: ReadonlyMap<number, number> }
  | { kind: "slide"; revision: number; strength: number }
  | { kind: "slide-settled"; revision: number }
  | { kind: "override"; revision: number; item: number; alpha: number | null }
  | { kind: "override-settled"; revision: number }
  | { kind: "fetching"; fetching: BatchState["fetching"] }
  | { kind: "notice"; notice: Notice | null }
  | { kind: "error-over" }
  | { kind: "asked"; request: string }
  | { kind: "answered"; request: string }
  | { kind: "sheet"; sheet: string };

export const EMPTY: BatchState = {
  connection: "connecting",
  snapshot: null,
  names: [],
  offsets: new Float32Array(),
  order: new Uint32Array(),
  included: new Uint8Array(),
  overrides: new Map(),
  sliding: null,
  overriding: null,
  fetching: null,
  notice: null,
  asked: [],
  sheet: null,
};

export function reduce(state: BatchState, event: Event): BatchState {
  switch (event.kind) {
    case "connection":
      return { ...state, connection: event.connection };
    case "snapshot":
      return withSnapshot(state, event.snapshot);
    case "names":
      return { ...state, names: event.names };
    case "offsets":
      return { ...state, offsets: event.offsets };
    case "order":
      return { ...state, order: event.order };
    case "included":
      return { ...state, included: event.included };
    case "overrides":
      return { ...state, overrides: event.overrides };
    case "slide":
      return { ...state, sliding: { revision: event.revision, strength: event.strength } };
    case "slide-settled":
      return state.sliding?.revision === event.revision ? { ...state, sliding: null } : state;
    case "override": {
      const { revision, item, alpha } = event;
      return { ...state, overriding: { revision, item, alpha } };
    }
    case "override-settled":
      return state.overriding?.revision === event.revision ? { ...state, overriding: null } : state;
    case "fetching":
      return { ...state, fetching: event.fetching };
    case "notice":
      return { ...state, notice: event.notice };
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
    case "sheet":
      return { ...state, sheet: event.sheet };
  }
}

function withSnapshot(state: BatchState, snapshot: Snapshot): BatchState {
  const old = state.snapshot?.status;
  const said = snapshot.status.text !== old?.text || snapshot.status.level !== old.level;
  return { ...state, snapshot, notice: said ? snapshot.status : state.notice };
}

function withoutError(notice: Notice | null): Notice | null {
  return notice?.level === "error" ? null : notice;
}

// ------------------------------------------------------------------------------------- selectors

/** Where the slider is: under the hand, else as the kernel says. */
export function shownStrength({ sliding, snapshot }: BatchState): number {
  return sliding?.strength ?? snapshot?.strength ?? 1;
}

/** How much of the edit the example gets now, in units of w. */
export function exampleAlpha(state: BatchState): number {
  return shownStrength(state) * (state.snapshot?.alpha ?? 0);
}

/** How much of the edit a picture gets. */
export function alphaOf(state: BatchState, item: number): number {
  const { overriding, overrides, offsets } = state;
  const automatic = exampleAlpha(state) + (offsets[item] ?? 0);
  if (overriding?.item === item) return overriding.alpha ?? automatic;
  return overrides.get(item) ?? automatic;
}

/** Whether a picture has a strength of its own. */
export function isOwn({ overriding, overrides }: BatchState, item: number): boolean {
  return overriding?.item === item ? overriding.alpha !== null : overrides.has(item);
}

export function isIncluded({ included }: BatchState, item: number): boolean {
  return ((included[item >> 3] ?? 0) & (1 << (item & 7))) !== 0;
}

export function nameOf({ names }: BatchState, item: number): string {
  return names[item] ?? `picture ${item}`;
}

/** One word for the whole: what `data-state` and the status dot say. */
export type Mode = Exclude<Connection, "live"> | "running" | "error" | "idle";

export function mode({ connection, snapshot, fetching, notice }: BatchState): Mode {
  if (connection !== "live") return connection;
  if (snapshot?.running || fetching) return "running";
  return notice?.level === "error" ? "error" : "idle";
}

/** What runs: in the kernel, or a file on its way to this page. */
export function running({
  snapshot,
  fetching,
}: BatchState): "search" | "export" | "download" | null {
  return fetching ? "download" : (snapshot?.running ?? null);
}

/** Whether there is a kernel, as far as is known: a static page has none. */
export function isLive({ connection }: BatchState): boolean {
  return connection !== "static";
}

/** Whether the user can change anything now. */
export function isEditable({ connection, snapshot }: BatchState): boolean {
  return snapshot !== null && (connection === "live" || connection === "silent");
}

/** Whether the kernel has answered all that the user did. */
export function isSettled({ asked, sliding, overriding }: BatchState): boolean {
  return asked.length === 0 && sliding === null && overriding === null;
}
