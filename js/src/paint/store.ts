// The painter's store: parts, part maps, vectors and sliders, beside what all widgets know.
//
// The kernel's part maps are the truth. Strokes are laid over them until a map has come that has
// them; sliders show what the hand does until the kernel has answered.

import type { PaintedPart, Snapshot, Vector } from "../shared/protocol.gen";
import {
  isAnother,
  NOTHING,
  reduceWidget,
  type WidgetEvent,
  type WidgetState,
} from "../shared/store";
import { type PartMap, type Stroke, withStroke } from "./labels";

/** A map as the kernel has sent it. */
export interface Known {
  readonly version: number;
  readonly map: PartMap;
}

export interface StrokeUnderWay {
  readonly revision: number;
  readonly stroke: Stroke;
  /** The version of the first map that has it; null until the kernel has answered. */
  readonly version: number | null;
}

export interface Slider extends Vector {
  /** Object URL of a small before|after, if there is one. */
  readonly preview: string | null;
}

export type Scales = Readonly<Record<string, number>>;

export interface PainterState extends WidgetState {
  readonly parts: readonly PaintedPart[];
  readonly edited: Known | null;
  readonly original: Known | null;
  readonly strokes: readonly StrokeUnderWay[];
  readonly sliders: readonly Slider[];
  /** Where the hand has the sliders. */
  readonly sliding: { readonly revision: number; readonly scales: Scales } | null;
}

export type Event =
  | WidgetEvent
  | { kind: "parts"; parts: readonly PaintedPart[] }
  | { kind: "labels"; original: boolean; known: Known }
  | { kind: "stroke"; revision: number; stroke: Stroke }
  | { kind: "stroke-settled"; revision: number; ok: boolean }
  | { kind: "sliders"; sliders: readonly Slider[] }
  | { kind: "slide"; revision: number; scales: Scales }
  | { kind: "slide-settled"; revision: number; ok: boolean };

export const EMPTY: PainterState = {
  ...NOTHING,
  parts: [],
  edited: null,
  original: null,
  strokes: [],
  sliders: [],
  sliding: null,
};

export function reduce(state: PainterState, event: Event): PainterState {
  switch (event.kind) {
    case "snapshot":
      return withSnapshot(reduceWidget(state, event), state.snapshot, event.snapshot);
    case "parts":
      return { ...state, parts: event.parts };
    case "labels":
      return withoutDone(
        event.original ? { ...state, original: event.known } : { ...state, edited: event.known },
      );
    case "stroke": {
      const { revision, stroke } = event;
      const others = state.strokes.filter((under) => under.revision !== revision);
      return { ...state, strokes: [...others, { revision, stroke, version: null }] };
    }
    case "stroke-settled":
      return settleStroke(state, event.revision, event.ok);
    case "sliders":
      return { ...state, sliders: event.sliders };
    case "slide":
      return { ...state, sliding: { revision: event.revision, scales: event.scales } };
    case "slide-settled":
      return settleSlide(state, event.revision, event.ok);
    default:
      return reduceWidget(state, event);
  }
}

function withSnapshot(state: PainterState, old: Snapshot | null, snapshot: Snapshot): PainterState {
  if (old === null || !isAnother(old, snapshot)) return withoutDone(state);
  // What is of another generator's picture is no use for this one.
  return { ...state, edited: null, original: null, strokes: [], sliding: null };
}

function settleStroke(state: PainterState, revision: number, ok: boolean): PainterState {
  const version = state.snapshot?.labels_version ?? Number.NEGATIVE_INFINITY;
  return withoutDone({
    ...state,
    strokes: state.strokes.flatMap((stroke) => {
      if (stroke.revision !== revision) return [stroke];
      return ok ? [{ ...stroke, version }] : [];
    }),
  });
}

/** Drops the strokes that the map at hand has on it. */
function withoutDone(state: PainterState): PainterState {
  const at = state.edited?.version ?? Number.NEGATIVE_INFINITY;
  const strokes = state.strokes.filter(({ version }) => version === null || version > at);
  return strokes.length === state.strokes.length ? state : { ...state, strokes };
}

function settleSlide(state: PainterState, revision: number, ok: boolean): PainterState {
  const { sliding, snapshot } = state;
  if (sliding?.revision !== revision) return state;
  const agreed = ok && snapshot !== null;
  return {
    ...state,
    sliding: null,
    snapshot: agreed ? { ...snapshot, scales: { ...sliding.scales } } : snapshot,
  };
}

// ------------------------------------------------------------------------------------- selectors

/** The part map to show: the kernel's, with the strokes under way on it. */
export function shownMap(state: PainterState): PartMap | null {
  const { edited, strokes } = state;
  if (edited === null) return null;
  const original = state.original?.map ?? edited.map;
  const mirrored = mirrors(state);
  return strokes.reduce(
    (map, { stroke }) => withStroke(map, original, stroke, mirrored),
    edited.map,
  );
}

/** For each part that of the other side. */
export function mirrors({ parts }: PainterState): number[] {
  return parts.map(({ mirrored }) => mirrored);
}

/** Where the sliders are: under the hand, else as the kernel says. */
export function shownScales({ sliding, snapshot }: PainterState): Scales {
  return sliding?.scales ?? snapshot?.scales ?? {};
}

/** Whether the kernel has answered all that the user did: what it has is what is shown. */
export function isSettled({ asked, strokes, sliding }: PainterState): boolean {
  return asked.length === 0 && strokes.length === 0 && sliding === null;
}

/** Whether there are parts to paint, as far as is known. */
export function isPaintable({ parts, edited }: PainterState): boolean {
  return parts.length > 0 && edited !== null;
}
