import { describe, expect, it } from "vitest";
import { histogramOf } from "../../src/batch/histogram";
import {
  alphaOf,
  type BatchState,
  EMPTY,
  type Event,
  exampleAlpha,
  isIncluded,
  isOwn,
  isSettled,
  mode,
  reduce,
  shownStrength,
} from "../../src/batch/store";
import { batchSnapshot } from "../fakes/batchKernel";

const told = (...events: Event[]): BatchState => events.reduce(reduce, EMPTY);

const known: Event[] = [
  { kind: "connection", connection: "live" },
  { kind: "offsets", offsets: Float32Array.from([-1, 0, 0.5, 3]) },
  { kind: "order", order: Uint32Array.from([0, 1, 2, 3]) },
  { kind: "included", included: Uint8Array.from([0b1011]) },
  { kind: "snapshot", snapshot: batchSnapshot({ count: 4, included: 3 }) },
];

describe("strengths", () => {
  it("are the example's plus an offset of each, at every place of the slider", () => {
    const state = told(...known, { kind: "slide", revision: 1, strength: 0.5 });
    expect(shownStrength(state)).toBe(0.5);
    expect(exampleAlpha(state)).toBe(1);
    expect([0, 1, 2, 3].map((item) => alphaOf(state, item))).toEqual([0, 1, 1.5, 4]);
  });

  it("of their own stay where they are", () => {
    const state = told(
      ...known,
      { kind: "overrides", overrides: new Map([[1, 7]]) },
      { kind: "slide", revision: 1, strength: -1 },
    );
    expect(alphaOf(state, 1)).toBe(7);
    expect([0, 1].map((item) => isOwn(state, item))).toEqual([false, true]);
  });

  it("under the hand lie over what the kernel says, also when they become automatic", () => {
    const own: Event = { kind: "overrides", overrides: new Map([[1, 7]]) };
    const set = told(...known, own, { kind: "override", revision: 2, item: 1, alpha: 3 });
    expect(alphaOf(set, 1)).toBe(3);
    const automatic = reduce(set, { kind: "override", revision: 3, item: 1, alpha: null });
    expect(alphaOf(automatic, 1)).toBe(2);
    expect(isOwn(automatic, 1)).toBe(false);
    const older = reduce(automatic, { kind: "override-settled", revision: 2 });
    expect(alphaOf(older, 1)).toBe(2);
    expect(alphaOf(reduce(older, { kind: "override-settled", revision: 3 }), 1)).toBe(7);
  });

  it("go back to the kernel's when it has the newest place of the slider, and not before", () => {
    const sliding = told(...known, { kind: "slide", revision: 2, strength: 0.1 });
    const older = reduce(sliding, { kind: "slide-settled", revision: 1 });
    expect(shownStrength(older)).toBe(0.1);
    expect(isSettled(older)).toBe(false);
    expect(shownStrength(reduce(older, { kind: "slide-settled", revision: 2 }))).toBe(1);
  });
});

describe("the state", () => {
  it("tells who is included by the bits", () => {
    const state = told(...known);
    expect([0, 1, 2, 3, 4].map((item) => isIncluded(state, item))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it("shows an error until a request goes well", () => {
    const wrong = told(...known, { kind: "notice", notice: { level: "error", text: "no" } });
    expect(mode(wrong)).toBe("error");
    const fine = reduce(wrong, { kind: "error-over" });
    expect(mode(fine)).toBe("idle");
    expect(fine.notice?.text).toBe("");
  });

  it("is said in one word", () => {
    expect(mode(EMPTY)).toBe("connecting");
    expect(
      mode(told(...known, { kind: "snapshot", snapshot: batchSnapshot({ running: "search" }) })),
    ).toBe("running");
    expect(mode(told(...known, { kind: "connection", connection: "gone" }))).toBe("gone");
  });
});

describe("the histogram", () => {
  it("counts all pictures once, and 0 lies on its axis", () => {
    const { bins, low, high, extent, most } = histogramOf(told(...known), 5);
    expect([low, high]).toEqual([0, 5]);
    // 1, 2, 2.5 (left out), 5
    expect(bins.map(({ included }) => included)).toEqual([0, 1, 1, 0, 1]);
    expect(bins.map(({ others }) => others)).toEqual([0, 0, 1, 0, 0]);
    expect(most).toBe(2);
    expect(extent).toEqual([1, 5]);
  });

  it("moves with the slider", () => {
    const { low, high } = histogramOf(
      told(...known, { kind: "slide", revision: 1, strength: -1 }),
      5,
    );
    expect([low, high]).toEqual([-3, 1]);
  });

  it("is empty without pictures", () => {
    expect(histogramOf(EMPTY, 3)).toMatchObject({ most: 0, extent: null });
  });
});
