import { describe, expect, it, vi } from "vitest";
import {
  type EditorState,
  EMPTY,
  type Event,
  isSettled,
  pixelsToGo,
  reduce,
  shownMask,
  shownPairs,
} from "../../src/drag/store";
import { createStore, imageSize, mode } from "../../src/shared/store";
import { frame, snapshot } from "../fakes/kernel";

const picture = { width: 1, height: 1, source: {} as CanvasImageSource, close() {} };

const stateAfter = (...events: Event[]): EditorState => events.reduce(reduce, EMPTY);
const live: Event = { kind: "connection", connection: "live" };
const told = (changes = {}): Event => ({ kind: "snapshot", snapshot: snapshot(changes) });
const shown = (changes = {}): Event => ({ kind: "frame", frame: frame(changes), picture });

it("a picture is as wide and as high as the model's", () => {
  const model = { name: "human", width: 512, height: 1024, num_ws: 18, num_labels: 0 };
  expect(imageSize(snapshot({ model }))).toEqual({ width: 512, height: 1024 });
});

describe("another generator", () => {
  const loading = { kind: "loading", name: "lions", text: "downloading", fraction: 0.5 } as const;

  it("is on its way as the kernel says, until it says otherwise", () => {
    const state = stateAfter(told(), { kind: "loading", loading });
    expect(state.snapshot?.loading).toEqual(loading);
    expect(reduce(state, told()).snapshot?.loading).toBeNull();
    expect(stateAfter({ kind: "loading", loading })).toBe(EMPTY);
  });

  it("has no use for points that were meant for the one before", () => {
    const draft = { revision: 1, pairs: [{ handle: [100, 3], target: [4, 5] }] } as const;
    const before = stateAfter(told(), { kind: "draft", draft });
    expect(reduce(before, told({ revision: 2 })).draft).toBe(draft);
    const model = { name: "lions", width: 64, height: 64, num_ws: 10, num_labels: 0 };
    expect(reduce(before, told({ model })).draft).toBeNull();
  });
});

describe("points", () => {
  const kernels = told({ points: [[10, 10, 20, 20]] });
  const mine = [{ handle: [11, 11], target: [20, 20] }] as const;
  const draft: Event = { kind: "draft", draft: { revision: 7, pairs: mine } };

  it("are the kernel's", () => {
    expect(shownPairs(stateAfter(kernels))).toEqual([{ handle: [10, 10], target: [20, 20] }]);
  });

  it("are the user's while the kernel has not answered, also when it says something else", () => {
    expect(shownPairs(stateAfter(kernels, draft, kernels))).toBe(mine);
  });

  it("become the kernel's when it agrees, and go back when it doesn't", () => {
    const yes = stateAfter(kernels, draft, { kind: "draft-settled", revision: 7, ok: true });
    expect(shownPairs(yes)).toEqual(mine);
    expect(yes.draft).toBeNull();
    const no = stateAfter(kernels, draft, { kind: "draft-settled", revision: 7, ok: false });
    expect(shownPairs(no)[0]?.handle).toEqual([10, 10]);
  });

  it("stay the user's when an older draft is answered", () => {
    const state = stateAfter(kernels, draft, { kind: "draft-settled", revision: 6, ok: false });
    expect(shownPairs(state)).toBe(mine);
  });

  it("follow the frames of a running edit, and of no other", () => {
    const running = told({ points: [[10, 10, 20, 20]], running: true });
    const moved = shown({ points: [[15, 15, 20, 20]] });
    expect(shownPairs(stateAfter(kernels, moved))[0]?.handle).toEqual([10, 10]);
    expect(shownPairs(stateAfter(kernels, moved, running))[0]?.handle).toEqual([10, 10]);
    expect(shownPairs(stateAfter(kernels, running, moved))[0]?.handle).toEqual([15, 15]);
    expect(shownPairs(stateAfter(running, moved, kernels))[0]?.handle).toEqual([10, 10]);
  });

  it("of a running edit have its handles and the user's targets, also when it ends", () => {
    const running = told({ points: [[10, 10, 20, 20]], running: true });
    const moved = shown({ points: [[15, 15, 20, 20]] });
    const retarget: Event = {
      kind: "draft",
      draft: { revision: 8, pairs: [{ handle: [11, 11], target: [30, 30] }] },
    };
    const state = stateAfter(running, retarget, moved);
    expect(shownPairs(state)).toEqual([{ handle: [15, 15], target: [30, 30] }]);
    const ended = reduce(state, told({ points: [[19, 19, 20, 20]] }));
    expect(shownPairs(ended)).toEqual([{ handle: [19, 19], target: [30, 30] }]);
  });

  it("of a running edit keep their new targets until the frames have them, too", () => {
    const running = told({ points: [[10, 10, 20, 20]], running: true });
    const moved = shown({ points: [[15, 15, 20, 20]] });
    const retargeted = told({ points: [[15, 15, 30, 30]], running: true });
    expect(shownPairs(stateAfter(running, moved, retargeted, moved))).toEqual([
      { handle: [15, 15], target: [30, 30] },
    ]);
  });

  it("have a mean distance", () => {
    expect(pixelsToGo([])).toBeNull();
    expect(
      pixelsToGo([
        { handle: [0, 0], target: [3, 4] },
        { handle: [0, 0], target: [0, 1] },
      ]),
    ).toBe(3);
  });
});

describe("the mask", () => {
  const stroke = { tool: "brush", radius: 3, path: [[20, 20]] } as const;
  const painting: Event = { kind: "stroke", revision: 3, stroke };
  const pixel = (state: EditorState, x: number, y: number) => shownMask(state)?.bits[y * 128 + x];

  it("shows a stroke at once, and forgets it when it is refused", () => {
    const state = stateAfter(told(), painting);
    expect(pixel(state, 20, 20)).toBe(1);
    expect(pixel(state, 60, 60)).toBe(0);
    const refused = reduce(state, { kind: "stroke-settled", revision: 3, ok: false });
    expect(shownMask(refused)).toBeNull();
  });

  it("keeps a stroke that the kernel took, until its own mask comes", () => {
    const taken = stateAfter(told(), painting, { kind: "stroke-settled", revision: 3, ok: true });
    expect(taken.strokes).toEqual([]);
    expect(pixel(taken, 20, 20)).toBe(1);
    expect(shownMask(reduce(taken, { kind: "mask", mask: null }))).toBeNull();
  });
});

describe("what the kernel has not answered", () => {
  const mine = [{ handle: [11, 11], target: [20, 20] }] as const;
  const stroke = { tool: "brush", radius: 5, path: [[20, 20]] } as const;

  it.each<[string, Event, Event]>([
    ["a request", { kind: "asked", request: "undo" }, { kind: "answered", request: "undo" }],
    [
      "a draft",
      { kind: "draft", draft: { revision: 7, pairs: mine } },
      { kind: "draft-settled", revision: 7, ok: true },
    ],
    [
      "a stroke",
      { kind: "stroke", revision: 3, stroke },
      { kind: "stroke-settled", revision: 3, ok: false },
    ],
  ])("is %s until its answer comes", (_, made, answered) => {
    expect(isSettled(stateAfter(told()))).toBe(true);
    expect(isSettled(stateAfter(told(), made))).toBe(false);
    expect(isSettled(stateAfter(told(), made, answered))).toBe(true);
  });
});

describe("the curve", () => {
  const at = (step: number, ...distances: number[]) => shown({ step, distances });

  it("grows with the steps of a run and begins anew with the next", () => {
    const first = stateAfter(told({ running: true }), at(1, 8), at(2, 7, 5), shown({ step: null }));
    expect(first.curve).toEqual([
      { step: 1, distance: 8 },
      { step: 2, distance: 6 },
    ]);
    const progress = {
      step: 2,
      max_steps: 9,
      loss: 1,
      distances: [6],
      agreement: null,
      outside: null,
      steps_per_s: 1,
    };
    const ended = reduce(first, told({ progress }));
    expect(ended.curve).toHaveLength(2);
    expect(reduce(ended, told({ progress, running: true })).curve).toEqual([]);
  });

  it("doesn't count a step twice", () => {
    const state = stateAfter(told({ running: true }), at(1, 8), at(2, 7), at(2, 7));
    expect(state.curve).toHaveLength(2);
  });
});

describe("what is said", () => {
  const error: Event = { kind: "notice", notice: { level: "error", text: "No." } };

  it("is the kernel's status, when that changes", () => {
    const status = { kind: "status", level: "info", text: "Arrived." };
    expect(stateAfter(told({ status })).notice).toMatchObject({ text: "Arrived." });
    expect(stateAfter(told({ status }), error, told({ status })).notice?.text).toBe("No.");
  });

  it("is no more an error when a request went well", () => {
    const state = stateAfter(live, told(), error);
    expect(mode(state)).toBe("error");
    expect(mode(reduce(state, { kind: "error-over" }))).toBe("idle");
  });

  it.each([
    [[], "connecting"],
    [[live, told()], "idle"],
    [[live, told({ running: true })], "running"],
    [[{ kind: "connection", connection: "gone" } as Event, told({ running: true })], "gone"],
  ])("in one word %#", (events, word) => {
    expect(mode(stateAfter(...(events as Event[])))).toBe(word);
  });
});

it("a saved still never replaces a live picture", () => {
  const still: Event = { kind: "still", picture };
  expect(stateAfter(still).picture).toBe(picture);
  const other = { ...picture };
  expect(stateAfter(shown(), { kind: "still", picture: other }).picture).toBe(picture);
});

it("a store calls back on changes only, until that is ended", () => {
  const store = createStore(0, (n, by: number) => n + by);
  const callback = vi.fn();
  const end = store.subscribe(callback);
  store.dispatch(0);
  store.dispatch(2);
  end();
  store.dispatch(2);
  expect(store.get()).toBe(4);
  expect(callback).toHaveBeenCalledTimes(1);
});
