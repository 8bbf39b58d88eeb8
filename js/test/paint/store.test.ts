import { describe, expect, it } from "vitest";
import { partAt, type Stroke } from "../../src/paint/labels";
import {
  EMPTY,
  type Event,
  isSettled,
  type PainterState,
  reduce,
  shownMap,
  shownScales,
} from "../../src/paint/store";
import { snapshot } from "../fakes/kernel";

const SIDE = 8;

const stateAfter = (...events: Event[]): PainterState => events.reduce(reduce, EMPTY);
const told = (changes = {}): Event => ({ kind: "snapshot", snapshot: snapshot(changes) });
const map = (version: number, label: number, original = false): Event => {
  const labels = new Uint8Array(SIDE * SIDE).fill(label);
  return {
    kind: "labels",
    original,
    known: { version, map: { width: SIDE, height: SIDE, labels } },
  };
};
const dab: Stroke = {
  kind: "paint_labels",
  tool: "brush",
  part: 5,
  radius: 1,
  path: [[2.5, 2.5]],
  mirror: false,
};
const drawn: Event = { kind: "stroke", revision: 1, stroke: dab };
const settled = (ok: boolean): Event => ({ kind: "stroke-settled", revision: 1, ok });

const at = (state: PainterState) => {
  const shown = shownMap(state);
  return shown && partAt(shown, [2.5, 2.5]);
};

describe("strokes", () => {
  it("lie on the map from the moment they are drawn", () => {
    expect(at(stateAfter(told(), map(1, 0)))).toBe(0);
    expect(at(stateAfter(told(), map(1, 0), drawn))).toBe(5);
    expect(at(stateAfter(told(), drawn))).toBeNull();
  });

  it("go when the kernel refuses", () => {
    const state = stateAfter(told(), map(1, 0), drawn, settled(false));
    expect(at(state)).toBe(0);
    expect(isSettled(state)).toBe(true);
  });

  it("stay after the answer until the map that has them is there", () => {
    const answered = stateAfter(
      told(),
      map(1, 0),
      drawn,
      told({ labels_version: 2 }),
      settled(true),
    );
    expect(at(answered)).toBe(5);
    expect(isSettled(answered)).toBe(false);
    const done = reduce(answered, map(2, 7));
    expect(at(done)).toBe(7);
    expect(isSettled(done)).toBe(true);
  });

  it("stay on a map of before that comes late", () => {
    const state = stateAfter(told(), map(1, 0), drawn, map(2, 3));
    expect(at(state)).toBe(5);
  });

  it("are done when the map was there before the answer", () => {
    const state = stateAfter(
      told(),
      map(1, 0),
      drawn,
      map(2, 5),
      told({ labels_version: 2 }),
      settled(true),
    );
    expect(state.strokes).toEqual([]);
  });

  it("are done at once when there is no map any more", () => {
    const state = stateAfter(told({ labels_version: null }), map(1, 0), drawn, settled(true));
    expect(state.strokes).toEqual([]);
  });

  it("of another generator's picture are forgotten", () => {
    const model = { name: "lions", width: 64, height: 64, num_ws: 10, num_labels: 0 };
    const state = stateAfter(told(), map(1, 0), map(1, 0, true), drawn, told({ model }));
    expect(state).toMatchObject({ edited: null, original: null, strokes: [] });
  });
});

describe("sliders", () => {
  const slide = (revision: number, smile: number): Event => ({
    kind: "slide",
    revision,
    scales: { smile },
  });

  it("are where the hand has them, then where the kernel has them", () => {
    const kernels = stateAfter(told({ scales: { smile: 1 } }));
    expect(shownScales(kernels)).toEqual({ smile: 1 });
    const mine = reduce(kernels, slide(1, 0.5));
    expect(shownScales(mine)).toEqual({ smile: 0.5 });
    expect(shownScales(reduce(mine, told({ scales: { smile: 0.2 } })))).toEqual({ smile: 0.5 });
    const answered = reduce(mine, { kind: "slide-settled", revision: 1, ok: true });
    expect(shownScales(answered)).toEqual({ smile: 0.5 });
    const refused = reduce(mine, { kind: "slide-settled", revision: 1, ok: false });
    expect(shownScales(refused)).toEqual({ smile: 1 });
  });

  it("don't jump back for the answer to an older place", () => {
    const state = stateAfter(told(), slide(1, 0.5), slide(2, 0.7));
    const answered = reduce(state, { kind: "slide-settled", revision: 1, ok: true });
    expect(shownScales(answered)).toEqual({ smile: 0.7 });
    expect(isSettled(answered)).toBe(false);
  });
});
