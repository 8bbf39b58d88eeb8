// The drag editor's store: points, mask and the way so far, beside what all widgets know.
//
// What the user has just done is laid over the kernel's truth as a draft (points) or as strokes
// under way (mask), so that the hand never waits; the kernel's answer settles the draft: yes makes
// it part of the truth, no drops it.

import type { Frame, Snapshot } from "../shared/protocol.gen";
import {
  imageSize,
  isAnother,
  NOTHING,
  reduceWidget,
  starts,
  type WidgetEvent,
  type WidgetState,
} from "../shared/store";
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
  /** The pair that a hand holds, where the picture follows. */
  readonly held?: number | undefined;
}

export interface StrokeUnderWay {
  readonly revision: number;
  readonly stroke: Stroke;
}

export interface EditorState extends WidgetState {
  readonly curve: readonly CurvePoint[];
  /** Null: no mask, everything may move. */
  readonly mask: Mask | null;
  readonly strokes: readonly StrokeUnderWay[];
  readonly draft: Draft | null;
}

export type Event =
  | WidgetEvent
  | { kind: "mask"; mask: Mask | null }
  | { kind: "draft"; draft: Draft }
  | { kind: "draft-settled"; revision: number; ok: boolean }
  | { kind: "stroke"; revision: number; stroke: Stroke }
  | { kind: "stroke-settled"; revision: number; ok: boolean };

export const EMPTY: EditorState = { ...NOTHING, curve: [], mask: null, strokes: [], draft: null };

export function reduce(state: EditorState, event: Event): EditorState {
  switch (event.kind) {
    case "snapshot":
      return { ...reduceWidget(state, event), ...withSnapshot(state, event.snapshot) };
    case "frame":
      return { ...reduceWidget(state, event), curve: grown(state.curve, event.frame) };
    case "mask":
      return { ...state, mask: event.mask };
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
    default:
      return reduceWidget(state, event);
  }
}

function withSnapshot(state: EditorState, snapshot: Snapshot): Partial<EditorState> {
  const old = state.snapshot;
  const ends = old?.running === true && !snapshot.running;
  const draft = ends ? rebased(state.draft, snapshot) : state.draft;
  return {
    // What was placed on another generator's picture is no wish for this one.
    draft: old !== null && isAnother(old, snapshot) ? null : draft,
    curve: starts(old, snapshot) || snapshot.progress === null ? [] : state.curve,
  };
}

/** New targets for an edit that has ended meanwhile: its handles are where the edit left them. */
function rebased(draft: Draft | null, { points }: Snapshot): Draft | null {
  // A hand that holds a handle has ended the edit, and goes on from where it took hold.
  if (isHeld({ draft })) return draft;
  if (draft?.pairs.length !== points.length) return null;
  const pairs = fromRows(points).map(({ handle }, i) => ({
    handle,
    target: draft.pairs[i]?.target ?? handle,
  }));
  return { ...draft, pairs };
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

/**
 * The pairs to show: the user's draft, else the kernel's.
 *
 * While an edit runs its handles are on the way, as the newest frame tells; only targets can be
 * the user's then. A frame may still be on its way to older ones.
 */
export function shownPairs({ draft, frame, snapshot }: EditorState): readonly Pair[] {
  const pairs = draft?.pairs ?? fromRows(snapshot?.points ?? []);
  if (isHeld({ draft })) return pairs;
  const tracked = frame?.points;
  if (!snapshot?.running || tracked?.length !== pairs.length) return pairs;
  return fromRows(tracked).map(({ handle, target }, i) => ({
    handle,
    target: pairs[i]?.target ?? target,
  }));
}

/** Whether a hand holds a handle, and the picture follows. */
export function isHeld({ draft }: Pick<EditorState, "draft">): boolean {
  return draft?.held !== undefined;
}

/** Whether the picture is to follow a handle that is held. */
export function follows({ snapshot }: EditorState): boolean {
  return snapshot?.follow === true;
}

/** Whether it could: there is something that predicts drags. */
export function canFollow({ snapshot }: EditorState): boolean {
  const way = snapshot?.drag_methods.find(({ name }) => name === "auto_drag");
  return way !== undefined && way.missing === null;
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

/** Whether the kernel has answered all that the user did: what it has is what is shown. */
export function isSettled({ asked, draft, strokes }: EditorState): boolean {
  return asked.length === 0 && draft === null && strokes.length === 0;
}

function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
