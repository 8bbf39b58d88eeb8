// @vitest-environment jsdom

// The editor under hand and keyboard, in a JupyterLab-like host.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as module from "../../src/drag/index";
import { click, drag, part, pointer, press, release, STAGE, standIn } from "../fakes/browser";
import { HOSTS, Host } from "../fakes/hosts";
import { FakeKernel } from "../fakes/kernel";

let host: Host;
let kernel: FakeKernel;
let root: HTMLElement;
let stage: HTMLElement;

const settle = () => vi.advanceTimersByTimeAsync(100);

const rows = () =>
  [...root.querySelectorAll<HTMLElement>('[data-testid^="handle-"]')].map((handle) => {
    const target = part(root, handle.dataset.testid?.replace("handle", "target") ?? "");
    return [handle, target].flatMap(({ dataset: { x, y } }) => [Number(x), Number(y)]);
  });

const focused = () => (document.activeElement as HTMLElement).dataset.testid;

beforeEach(async () => {
  vi.useFakeTimers();
  standIn();
  host = new Host(HOSTS.jupyterlab);
  kernel = new FakeKernel(host);
  await host.open(module);
  root = await host.show();
  stage = part(root, "stage");
  await settle();
});

afterEach(() => {
  host.close();
  expect(host.listening).toBe(0);
  vi.useRealTimers();
});

describe("points", () => {
  it("are placed by two clicks", async () => {
    click(stage, [40, 50]);
    expect(kernel.all("set_points")).toEqual([]);
    pointer(stage, "pointermove", [45, 55]);
    click(stage, [60, 70]);
    await settle();
    expect(kernel.last("set_points")?.points).toEqual([[40, 50, 60, 70]]);
    expect(rows()).toEqual([[40, 50, 60, 70]]);
  });

  it("are placed on a picture that is higher than wide, and not beside it", async () => {
    // 128 CSS pixels wide, in the middle of 256; `click` counts 2 of them as one.
    kernel.change({ model: { name: "human", width: 64, height: 128, num_ws: 12, num_labels: 0 } });
    await settle();
    click(stage, [30, 50]);
    click(stage, [40, 50]);
    click(stage, [95, 126]);
    await settle();
    expect(kernel.last("set_points")?.points).toEqual([[8, 50, 63, 126]]);
  });

  it("are placed by one drag", async () => {
    drag(stage, [
      [40, 50],
      [50, 60],
      [62, 72],
    ]);
    await settle();
    expect(rows()).toEqual([[40, 50, 62, 72]]);
    expect(kernel.state.points).toEqual([[40, 50, 62, 72]]);
  });

  it("show at once and reach the kernel at most 30 times a second", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    kernel.heard.length = 0;
    pointer(stage, "pointerdown", [40, 40]);
    for (let i = 1; i <= 100; i++) {
      pointer(stage, "pointermove", [40 + i / 10, 40]);
      await vi.advanceTimersByTimeAsync(10);
    }
    pointer(stage, "pointerup", [50, 40]);
    expect(rows()[0]?.[0]).toBeCloseTo(50);
    await settle();
    expect(kernel.all("set_points").length).toBeLessThanOrEqual(32);
    expect(kernel.state.points[0]?.[0]).toBeCloseTo(50);
  });

  it("don't jump when taken hold of off their centre", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    drag(stage, [
      [42, 41],
      [52, 51],
    ]);
    await settle();
    expect(rows()[0]).toEqual([50, 50, 80, 80]);
  });

  it("go back when the kernel refuses, and the status line says why", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    kernel.answers.set_points = () => ({ ok: false, error: "Points lie outside the image." });
    drag(stage, [
      [40, 40],
      [70, 70],
    ]);
    await settle();
    expect(rows()).toEqual([[40, 40, 80, 80]]);
    expect(root.dataset.state).toBe("error");
    expect(part(root, "message").textContent).toBe("Points lie outside the image.");
    kernel.answers = {};
    drag(stage, [
      [40, 40],
      [45, 45],
    ]);
    await settle();
    expect(root.dataset.state).toBe("idle");
  });

  it("stay inside the image", async () => {
    drag(stage, [
      [100, 100],
      [500, -20],
    ]);
    await settle();
    expect(rows()).toEqual([[100, 100, 128, 0]]);
  });

  it("are nudged by the arrow keys and deleted by Delete", async () => {
    kernel.change({
      points: [
        [40, 40, 80, 80],
        [20, 20, 30, 30],
      ],
    });
    await settle();
    part(root, "target-1").focus();
    expect(press(part(root, "target-1"), "ArrowRight")).toBe(true);
    press(part(root, "target-1"), "ArrowUp", { shiftKey: true });
    await settle();
    expect(rows()[0]).toEqual([40, 40, 81, 70]);
    part(root, "target-2").focus();
    press(part(root, "target-2"), "Delete");
    await settle();
    expect(rows()).toEqual([[40, 40, 81, 70]]);
    // The keyboard is not lost with the point that had it.
    expect(focused()).toBe("stage");
  });

  it("have names with their coordinates, and can all be reached by Tab", async () => {
    kernel.change({ points: [[40.25, 41, 80, 80.5]] });
    await settle();
    expect(part(root, "handle-1").getAttribute("aria-label")).toBe("Handle 1 at 40.3, 41.0");
    expect(part(root, "target-1").getAttribute("aria-label")).toBe("Target 1 at 80.0, 80.5");
    expect(part(root, "handle-1").tabIndex).toBe(0);
    expect(part(root, "target-1").tabIndex).toBe(0);
  });

  it("have a menu to delete them", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    stage.dispatchEvent(
      new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 80, clientY: 80 }),
    );
    await settle();
    const [one, all] = part(root, "menu").querySelectorAll("button");
    expect(document.activeElement).toBe(one);
    press(one as Element, "ArrowDown");
    expect(document.activeElement).toBe(all);
    press(all as Element, "ArrowDown");
    expect(document.activeElement).toBe(one);
    one?.click();
    await settle();
    expect(kernel.state.points).toEqual([]);
  });

  it("have a menu that a long press opens, and that stays when the finger is lifted", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    const finger = { pointerType: "touch" };
    pointer(stage, "pointerdown", [80, 80], finger);
    await vi.advanceTimersByTimeAsync(600);
    pointer(stage, "pointerup", [80, 80], finger);
    const emulated = new MouseEvent("mousedown", { bubbles: true, cancelable: true });
    stage.dispatchEvent(emulated);
    expect(emulated.defaultPrevented).toBe(true);
    await settle();
    expect(part(root, "menu").textContent).toContain("Delete pair 1");
    expect(rows()).toEqual([[40, 40, 80, 80]]);
    click(stage, [10, 10], finger);
    await settle();
    expect(root.querySelector('[data-testid="menu"]')).toBeNull();
  });

  it("have a menu that closes when the keyboard leaves it", async () => {
    kernel.change({ points: [[40, 40, 80, 80]] });
    await settle();
    stage.dispatchEvent(
      new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 80, clientY: 80 }),
    );
    await settle();
    part(root, "seed").focus();
    await settle();
    expect(root.querySelector('[data-testid="menu"]')).toBeNull();
    expect(focused()).toBe("seed");
  });

  it("are given up by Escape", async () => {
    click(stage, [40, 50]);
    press(stage, "Escape");
    click(stage, [60, 70]);
    click(stage, [80, 90]);
    await settle();
    expect(rows()).toEqual([[60, 70, 80, 90]]);
  });

  it("are placed by the keyboard's crosshair", async () => {
    stage.focus();
    for (let i = 0; i < 3; i++) press(stage, "ArrowLeft");
    press(stage, "Enter");
    press(stage, "ArrowDown", { shiftKey: true });
    press(stage, "Enter");
    await settle();
    expect(rows()).toEqual([[61, 64, 61, 74]]);
  });

  it("move along with the frames of a running edit", async () => {
    kernel.change({ points: [[40, 40, 80, 80]], running: true });
    kernel.frame({ step: 12, points: [[55, 56, 80, 80]], distances: [34.7] });
    await settle();
    expect(rows()).toEqual([[55, 56, 80, 80]]);
    expect(root.dataset.step).toBe("12");
    expect(part(root, "step").textContent).toBe("step 12");
    expect(part(root, "speed").textContent).toBe("24 steps/s");
    expect(part(root, "to-go").textContent).toBe("34.7 px to go");
  });
});

describe("while an edit runs", () => {
  beforeEach(async () => {
    kernel.change({ points: [[40, 40, 80, 80]], running: true });
    kernel.frame({ step: 3, points: [[50, 50, 80, 80]] });
    await settle();
    kernel.heard.length = 0;
  });

  it("targets can be moved, and are sent once the hand rests", async () => {
    pointer(stage, "pointerdown", [80, 80]);
    for (let i = 1; i <= 20; i++) {
      pointer(stage, "pointermove", [80 + i, 80]);
      await vi.advanceTimersByTimeAsync(20);
    }
    kernel.frame({ step: 4, points: [[51, 51, 80, 80]] });
    await settle();
    expect(rows()).toEqual([[51, 51, 100, 80]]);
    expect(kernel.all("set_points")).toEqual([]);
    pointer(stage, "pointerup", [100, 80]);
    await vi.advanceTimersByTimeAsync(300);
    expect(kernel.all("set_points")).toHaveLength(1);
    expect(kernel.last("set_points")?.points[0]?.slice(2)).toEqual([100, 80]);
  });

  it("a target that is let go again leaves the handles where the edit has them", async () => {
    pointer(stage, "pointerdown", [80, 80]);
    pointer(stage, "pointermove", [90, 80]);
    kernel.change({ points: [[70, 70, 80, 80]], running: false });
    await settle();
    press(root, "Escape");
    await vi.advanceTimersByTimeAsync(300);
    expect(rows()).toEqual([[70, 70, 80, 80]]);
    expect(kernel.state.points).toEqual([[70, 70, 80, 80]]);
  });

  it("nothing else can be, and the status line says so", async () => {
    click(stage, [20, 20]);
    drag(stage, [
      [50, 50],
      [60, 60],
    ]);
    press(root, "b");
    drag(stage, [
      [20, 20],
      [30, 30],
    ]);
    press(root, "n");
    await vi.advanceTimersByTimeAsync(300);
    expect(kernel.heard.filter(({ kind }) => kind !== "ack")).toEqual([]);
    expect(rows()).toEqual([[50, 50, 80, 80]]);
    expect(part(root, "message").textContent).toContain("stop first");
  });
});

describe("the method", () => {
  const UNTRAINED = {
    name: "auto_drag",
    title: "One pass",
    help: "Predicts.",
    missing: "There is no predictor for this generator. Train one: python -m …",
  };
  const list = () => part<HTMLSelectElement>(root, "method");
  const choose = async (index: number) => {
    list().selectedIndex = index;
    list().dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
  };

  it("is chosen from a list", async () => {
    expect([...list().options].map(({ text }) => text)).toEqual(["DragGAN", "One pass"]);
    await choose(1);
    expect(kernel.last("set_method")?.method).toBe("auto_drag");
    kernel.change({ drag_method: "auto_drag" });
    await settle();
    expect(list().selectedIndex).toBe(1);
  });

  it("stays when the kernel refuses another", async () => {
    kernel.answers.set_method = () => ({ ok: false, error: "No." });
    await choose(1);
    expect(list().selectedIndex).toBe(0);
    expect(part(root, "message").textContent).toBe("No.");
  });

  it("says how to train what is missing, and the picture can't follow", async () => {
    const [draggan] = kernel.state.drag_methods;
    kernel.change({ drag_methods: draggan ? [draggan, UNTRAINED] : [] });
    await settle();
    await choose(1);
    expect(list().selectedIndex).toBe(0);
    expect(kernel.all("set_method")).toEqual([]);
    expect(part(root, "message").textContent).toBe(`One pass: ${UNTRAINED.missing}`);
    expect(part<HTMLButtonElement>(root, "toggleFollow").disabled).toBe(true);
    press(root, "h");
    await settle();
    expect(kernel.all("set_follow")).toEqual([]);
  });

  it("can't be changed while an edit runs", async () => {
    kernel.change({ running: true });
    await settle();
    expect(list().disabled).toBe(true);
  });
});

describe("in follow mode", () => {
  const hand = (type: string, at: [number, number], init?: PointerEventInit) =>
    pointer(stage, `pointer${type}`, at, init);
  const kinds = () =>
    kernel.heard.map(({ kind }) => kind).filter((kind) => kind !== "ack" && kind !== "ready");

  beforeEach(async () => {
    kernel.change({ points: [[40, 40, 60, 40]], follow: true });
    await settle();
    kernel.heard.length = 0;
  });

  it("a button and a key switch it, and say so", async () => {
    const button = part(root, "toggleFollow");
    expect(button.getAttribute("aria-pressed")).toBe("true");
    button.click();
    await settle();
    expect(kernel.last("set_follow")?.follow).toBe(false);
    kernel.change({ follow: false });
    await settle();
    expect(button.getAttribute("aria-pressed")).toBe("false");
    press(root, "h");
    await settle();
    expect(kernel.last("set_follow")?.follow).toBe(true);
  });

  it("a held handle leads its target, at most 30 times a second, and a release ends it", async () => {
    hand("down", [41, 40]);
    expect(kinds()).toEqual([]);
    for (let i = 1; i <= 100; i++) {
      hand("move", [41 + i / 10, 40 + i / 20]);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(rows()).toEqual([[40, 40, 50, 45]]);
    expect(part(root, "status").textContent).toContain("following");
    const holds = kernel.all("hold");
    expect(holds.length).toBeGreaterThan(25);
    expect(holds.length).toBeLessThanOrEqual(32);
    expect(holds.every(({ points: [row] }) => row?.[0] === 40 && row[1] === 40)).toBe(true);
    expect(new Set(kinds())).toEqual(new Set(["hold"]));
    hand("up", [51, 45]);
    await settle();
    expect(kernel.last("release")?.points).toEqual([[40, 40, 50, 45]]);
    expect(root.dataset.settled).toBe("true");
    expect(kernel.all("set_points")).toEqual([]);
  });

  it("a slow kernel finds the next place when it is ready, and never more than one", async () => {
    const [way, pass] = [20, 60]; // ms there, as many back; and what the kernel takes
    const hear = host.onSend;
    let [underWay, most, free] = [0, 0, 0];
    host.onSend = (message, buffers) => {
      if (message.kind !== "hold") return hear(message, buffers);
      most = Math.max(most, ++underWay);
      free = Math.max(performance.now() + way, free) + pass;
      const answered = free + way - performance.now();
      setTimeout(() => {
        underWay--;
        hear(message, buffers);
      }, answered);
    };
    hand("down", [40, 40]);
    for (let i = 1; i <= 200; i++) {
      hand("move", [40 + i / 10, 40]);
      await vi.advanceTimersByTimeAsync(10);
    }
    // If it had to wait for each answer, 20 passes would be made; without a break, 33.
    expect(kernel.all("hold").length).toBeGreaterThan(24);
    expect(most).toBe(2);
    await vi.advanceTimersByTimeAsync(500);
    expect(kernel.last("hold")?.points).toEqual([[40, 40, 60, 40]]);
    expect(underWay).toBe(0);
    hand("up", [60, 40]);
    await settle();
    expect(kernel.heard.at(-1)?.kind).toBe("release");
  });

  it("a target is led from where it is", async () => {
    drag(stage, [
      [60, 40],
      [64, 44],
    ]);
    await settle();
    expect(kernel.last("release")?.points).toEqual([[40, 40, 64, 44]]);
  });

  it("what lies on free ground becomes a handle", async () => {
    drag(stage, [
      [80, 80],
      [90, 70],
    ]);
    await settle();
    expect(kernel.last("release")?.points).toEqual([
      [40, 40, 60, 40],
      [80, 80, 90, 70],
    ]);
  });

  it("clicks place a pair as ever", async () => {
    click(stage, [80, 80]);
    click(stage, [90, 70]);
    await settle();
    expect(kinds()).toEqual(["set_points"]);
    expect(kernel.state.points).toHaveLength(2);
  });

  it.each([
    ["Escape", () => press(root, "Escape")],
    ["a lost pointer", () => pointer(stage, "lostpointercapture", [50, 40])],
    ["a pointer that is taken away", () => hand("cancel", [50, 40])],
    ["a second finger", () => hand("down", [90, 90], { pointerId: 2 })],
  ])("%s takes it back", async (_, end) => {
    hand("down", [40, 40]);
    hand("move", [50, 40]);
    await settle();
    end();
    hand("move", [52, 40]);
    hand("up", [52, 40]);
    await settle();
    expect(kinds().slice(-1)).toEqual(["let_go"]);
    expect(kernel.all("let_go")).toHaveLength(1);
    expect(kernel.all("release")).toEqual([]);
    expect(rows()).toEqual([[40, 40, 60, 40]]);
  });

  it("what is done meanwhile ends the gesture", async () => {
    hand("down", [40, 40]);
    hand("move", [50, 40]);
    press(root, "y");
    hand("move", [60, 40]);
    hand("up", [60, 40]);
    await settle();
    expect(kinds()).toEqual(["hold", "release", "get_code"]);
    expect(kernel.last("release")?.points).toEqual([[40, 40, 50, 40]]);
  });

  it("a finger does what a mouse does", async () => {
    const finger = { pointerType: "touch", pointerId: 7 };
    hand("down", [40, 40], finger);
    hand("move", [50, 40], finger);
    hand("up", [50, 40], finger);
    await settle();
    expect(kernel.last("release")?.points).toEqual([[40, 40, 50, 40]]);
  });

  it("a bad place is refused, told, and taken back", async () => {
    kernel.answers.hold = () => ({ ok: false, error: "Too near." });
    kernel.answers.release = () => ({ ok: false, error: "Too near." });
    drag(stage, [
      [40, 40],
      [50, 40],
    ]);
    await settle();
    expect(part(root, "message").textContent).toBe("Too near.");
    expect(rows()).toEqual([[40, 40, 60, 40]]);
  });

  it("a burst of arrow keys is one gesture", async () => {
    const handle = part(root, "handle-1");
    handle.focus();
    for (let i = 0; i < 3; i++) {
      press(handle, "ArrowDown");
      await vi.advanceTimersByTimeAsync(200);
    }
    press(handle, "ArrowRight", { shiftKey: true });
    await settle();
    expect(rows()).toEqual([[40, 40, 50, 43]]);
    expect(kernel.all("release")).toEqual([]);
    await vi.advanceTimersByTimeAsync(700);
    expect(kernel.all("release").map(({ points }) => points)).toEqual([[[40, 40, 50, 43]]]);
    expect(kernel.all("set_points")).toEqual([]);
  });

  it("Escape takes a burst back, Enter ends it, and so does whatever comes next", async () => {
    const handle = part(root, "handle-1");
    handle.focus();
    press(handle, "ArrowDown");
    press(handle, "Escape");
    await vi.advanceTimersByTimeAsync(700);
    expect(kinds()).toEqual(["hold", "let_go"]);
    press(handle, "ArrowDown");
    press(handle, "Enter");
    await settle();
    expect(kinds().slice(2)).toEqual(["hold", "release"]);
    kernel.change({ cursor: 1, history: [...kernel.state.history, { id: 2, label: "one pass" }] });
    await settle();
    press(handle, "ArrowDown");
    press(root, "z", { ctrlKey: true });
    await settle();
    expect(kinds().slice(4)).toEqual(["hold", "release", "undo"]);
  });

  it("an edit that runs is no obstacle: the next gesture goes on from there", async () => {
    kernel.change({ running: true, method: "auto_drag" });
    kernel.frame({ step: 6, points: [[59, 40, 60, 40]] });
    await settle();
    hand("down", [60, 40]);
    hand("move", [70, 40]);
    kernel.change({ running: false, points: [[58, 40, 60, 40]] });
    await settle();
    expect(rows()).toEqual([[59, 40, 70, 40]]);
    hand("up", [70, 40]);
    await settle();
    expect(kernel.last("release")?.points).toEqual([[59, 40, 70, 40]]);
  });

  it("where a handle is by now must be known before it is held", async () => {
    kernel.change({ running: true, method: "auto_drag" });
    await settle();
    drag(stage, [
      [40, 40],
      [50, 40],
    ]);
    await settle();
    expect(kinds()).toEqual([]);
  });

  it("another generator takes the picture from under the hand", async () => {
    hand("down", [40, 40]);
    hand("move", [50, 40]);
    kernel.change({
      model: { name: "human", width: 128, height: 128, num_ws: 12, num_labels: 0 },
      points: [],
    });
    await settle();
    hand("move", [60, 40]);
    hand("up", [60, 40]);
    await settle();
    expect(kernel.all("release")).toEqual([]);
    expect(rows()).toEqual([]);
  });
});

describe("the mask", () => {
  it("is painted with the brush, as one stroke", async () => {
    press(root, "b");
    drag(stage, [
      [20, 20],
      [30, 20],
      [40, 25],
    ]);
    await settle();
    expect(kernel.all("paint_mask")).toHaveLength(1);
    expect(kernel.last("paint_mask")).toMatchObject({
      tool: "brush",
      radius: 8,
      path: [
        [20, 20],
        [30, 20],
        [40, 25],
      ],
    });
  });

  it("is erased by a pen turned around, whatever the tool", async () => {
    press(root, "l");
    const pen = { pointerType: "pen", buttons: 32 };
    pointer(stage, "pointerdown", [20, 20], pen);
    pointer(stage, "pointermove", [30, 20], pen);
    pointer(stage, "pointermove", [30, 40], pen);
    pointer(stage, "pointerup", [30, 40], pen);
    await settle();
    expect(kernel.last("paint_mask")?.tool).toBe("lasso_eraser");
  });

  it("is painted by the keyboard", async () => {
    stage.focus();
    press(stage, "e");
    press(stage, "Enter");
    for (let i = 0; i < 4; i++) press(stage, "ArrowRight");
    press(stage, "Enter");
    await settle();
    const stroke = kernel.last("paint_mask");
    expect(stroke?.tool).toBe("eraser");
    expect(stroke?.path.at(0)).toEqual([64, 64]);
    expect(stroke?.path.at(-1)).toEqual([68, 64]);
  });

  it("is inverted and cleared once there is one", async () => {
    press(root, "i");
    press(root, "x");
    await settle();
    expect(kernel.all("edit_mask")).toEqual([]);
    const everything = new Uint8Array(2048).fill(255);
    kernel.say(
      { kind: "mask", version: 1, width: 128, height: 128, everywhere: false },
      everything,
    );
    await settle();
    press(root, "i");
    part(root, "clearMask").click();
    await settle();
    expect(kernel.all("edit_mask").map(({ op }) => op)).toEqual(["invert", "clear"]);
  });

  it("is left alone by a stroke that a second finger breaks off", async () => {
    press(root, "b");
    pointer(stage, "pointerdown", [20, 20], { pointerType: "touch", pointerId: 1 });
    pointer(stage, "pointermove", [24, 20], { pointerType: "touch", pointerId: 1 });
    pointer(stage, "pointerdown", [60, 60], { pointerType: "touch", pointerId: 2 });
    pointer(stage, "pointermove", [80, 80], { pointerType: "touch", pointerId: 2 });
    pointer(stage, "pointerup", [80, 80], { pointerType: "touch", pointerId: 2 });
    pointer(stage, "pointerup", [24, 20], { pointerType: "touch", pointerId: 1 });
    await settle();
    expect(kernel.all("paint_mask")).toEqual([]);
  });

  it("takes a lost pointer for a release", async () => {
    press(root, "b");
    pointer(stage, "pointerdown", [20, 20]);
    pointer(stage, "pointermove", [30, 30]);
    pointer(stage, "lostpointercapture", [30, 30]);
    await settle();
    expect(kernel.all("paint_mask")).toHaveLength(1);
  });
});

describe("pointers", () => {
  const brush = () => {
    pointer(stage, "pointermove", [64, 64]);
    return stage.querySelector(".nb-brush");
  };
  const scale = () => Number(brush()?.getAttribute("r"));

  beforeEach(async () => {
    press(root, "b");
    await settle();
  });

  it("that pan and are cancelled leave the next press to the tool", async () => {
    pointer(stage, "pointerdown", [20, 20], { button: 1 });
    pointer(stage, "pointercancel", [20, 20], { button: 1 });
    drag(stage, [
      [20, 20],
      [30, 30],
    ]);
    await settle();
    expect(kernel.all("paint_mask")).toHaveLength(1);
  });

  it("pinch from where the first finger is, and not from where it came down", async () => {
    brush();
    await settle();
    const before = scale();
    const first = { pointerType: "touch", pointerId: 1 };
    const second = { pointerType: "touch", pointerId: 2 };
    pointer(stage, "pointerdown", [10, 64], first);
    pointer(stage, "pointermove", [50, 64], first);
    pointer(stage, "pointerdown", [70, 64], second);
    pointer(stage, "pointermove", [50, 64.5], first);
    pointer(stage, "pointerup", [50, 64.5], first);
    pointer(stage, "pointerup", [70, 64], second);
    brush();
    await settle();
    expect(scale() / before).toBeCloseTo(1, 2);
  });

  it("with a second button down, of a mouse or a pen, paint nothing", async () => {
    for (const pointerType of ["mouse", "pen"]) {
      for (const button of [2, 3, 4]) click(stage, [20, 20], { pointerType, button });
    }
    await settle();
    expect(kernel.all("paint_mask")).toEqual([]);
  });

  it("point at the same pixels when the host shows the widget scaled", async () => {
    const box = Element.prototype.getBoundingClientRect;
    Element.prototype.getBoundingClientRect = () => new DOMRect(0, 0, 2 * STAGE, 2 * STAGE);
    drag(stage, [
      [40, 60],
      [80, 100],
    ]);
    Element.prototype.getBoundingClientRect = box;
    await settle();
    expect(kernel.last("paint_mask")?.path).toEqual([
      [20, 30],
      [40, 50],
    ]);
  });
});

describe("keys", () => {
  it("are kept from the notebook when handled, and left to it when not", () => {
    const outside = vi.fn();
    document.addEventListener("keydown", outside);
    expect(press(root, "p")).toBe(true);
    expect(outside).not.toHaveBeenCalled();
    expect(press(root, "q")).toBe(false);
    expect(press(root, "s", { ctrlKey: true })).toBe(false);
    expect(outside).toHaveBeenCalledTimes(2);
    document.removeEventListener("keydown", outside);
  });

  it("typed into a field stay there", () => {
    const outside = vi.fn();
    document.addEventListener("keydown", outside);
    press(part(root, "seed"), "1");
    press(part(root, "seed"), "b");
    expect(outside).not.toHaveBeenCalled();
    expect(part(root, "brush").getAttribute("aria-pressed")).toBe("false");
    document.removeEventListener("keydown", outside);
  });

  it("start, stop, undo, redo and reset", async () => {
    kernel.change({
      history: [
        { id: 1, label: "a" },
        { id: 2, label: "b" },
        { id: 3, label: "c" },
      ],
      cursor: 1,
    });
    await settle();
    press(root, "s");
    press(root, "z", { ctrlKey: true });
    press(root, "Z", { ctrlKey: true, shiftKey: true });
    press(root, "r");
    kernel.change({ running: true });
    await settle();
    press(root, "s");
    await settle();
    const asked = kernel.heard.map(({ kind }) => kind).filter((kind) => kind !== "ack");
    expect(asked).toEqual(["ready", "start", "undo", "redo", "reset", "stop"]);
  });

  it("show the picture as before for as long as C is held", async () => {
    press(root, "c");
    await settle();
    expect(part(root, "compare").getAttribute("aria-pressed")).toBe("true");
    release(root, "c");
    await settle();
    expect(part(root, "compare").getAttribute("aria-pressed")).toBe("false");
  });

  it("are listed by ?, and the focus comes back", async () => {
    stage.focus();
    press(stage, "?");
    await settle();
    expect(part(root, "help-panel").textContent).toContain("copy as Python");
    press(part(root, "help-panel"), "Escape");
    await settle();
    expect(root.querySelector('[data-testid="help-panel"]')).toBeNull();
    expect(focused()).toBe("stage");
  });
});

describe("the sidebar", () => {
  it("samples by seed and truncation, and takes no nonsense", async () => {
    const seed = part<HTMLInputElement>(root, "seed");
    seed.value = "42";
    seed.dispatchEvent(new Event("change", { bubbles: true }));
    const truncation = part<HTMLInputElement>(root, "truncation");
    truncation.value = "0.5";
    truncation.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    seed.value = "-3";
    seed.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(kernel.all("sample").map(({ seed: s, truncation: t }) => [s, t])).toEqual([
      [42, 0.7],
      [11, 0.5],
    ]);
    expect(seed.value).toBe("11");
    expect(part(root, "message").textContent).toContain("-3 is not a whole number from 0");
  });

  it("has a name on every field, which is no other view's and no button's", async () => {
    const other = await host.show();
    await settle();
    for (const view of [root, other]) {
      const rate = part<HTMLInputElement>(view, "option-learning_rate");
      expect(rate.labels?.[0]?.textContent).toBe("Step size");
      expect(rate.labels?.[0]?.control).toBe(rate);
      expect(part<HTMLButtonElement>(view, "newSeed").labels).toHaveLength(0);
      expect(part(view, "seed").getAttribute("aria-label")).toBe("Seed");
    }
  });

  it("sends an option that the arrow keys have stepped, once they are let go", async () => {
    const rate = part<HTMLInputElement>(root, "option-learning_rate");
    press(rate, "ArrowUp");
    press(rate, "ArrowUp");
    expect(kernel.all("set_options")).toEqual([]);
    release(rate, "ArrowUp");
    await settle();
    expect(kernel.last("set_options")?.options).toEqual({ learning_rate: 0.003125 });
  });

  it("deletes a pair and leaves no other selected in its place", async () => {
    kernel.change({
      points: [
        [40, 40, 80, 80],
        [20, 20, 30, 30],
      ],
    });
    await settle();
    part(root, "target-1").focus();
    part(root, "points-list").querySelector<HTMLElement>('[aria-label="Delete pair 1"]')?.click();
    press(root, "Delete");
    await settle();
    expect(rows()).toEqual([[20, 20, 30, 30]]);
  });

  it("offers the options of the kernel's schema, and shows again what holds after a refusal", async () => {
    kernel.answers.set_options = () => ({ ok: false, error: "learning_rate must be positive." });
    const rate = part<HTMLInputElement>(root, "option-learning_rate");
    rate.value = "-5";
    rate.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(kernel.last("set_options")?.options).toEqual({ learning_rate: -5 });
    expect(rate.value).toBe("0.002");
    const space = part<HTMLSelectElement>(root, "option-space");
    space.selectedIndex = 1;
    space.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(kernel.last("set_options")?.options).toEqual({ space: "w" });
    expect(space.selectedIndex).toBe(0);
    expect(part(root, "options").textContent).toContain("W+ · 2e-3");
  });
});

describe("history", () => {
  it("is a strip of pictures to go back to", async () => {
    kernel.change({
      history: [
        { id: 1, label: "seed 11" },
        { id: 5, label: "drag" },
      ],
      cursor: 1,
    });
    kernel.say({ kind: "thumbnail", entry: 5, format: "image/webp" }, new Uint8Array([1]));
    await settle();
    expect(part(root, "edits").textContent).toBe("1 of 1 edits");
    expect(part(root, "history-1").querySelector("img")).not.toBeNull();
    expect(part(root, "history-1").getAttribute("aria-current")).toBe("true");
    part(root, "history-0").click();
    await settle();
    expect(kernel.last("go_to")?.index).toBe(0);
  });
});

describe("export", () => {
  it("copies Python, and shows it where there is no clipboard", async () => {
    kernel.answers.get_code = () => ({ code: "import nbdrag\n" });
    const write = vi.fn(async (_text: string) => undefined);
    vi.stubGlobal("navigator", { userAgent: "x", clipboard: { writeText: write } });
    press(root, "y");
    await settle();
    expect(write).toHaveBeenCalledWith("import nbdrag\n");
    write.mockRejectedValue(new Error("not allowed"));
    part(root, "copyCode").click();
    await settle();
    const code = part(root, "code-panel").querySelector("textarea") as HTMLTextAreaElement;
    expect(code.value).toBe("import nbdrag\n");
    // Ctrl+C copies what is selected where the focus is.
    expect(document.activeElement).toBe(code);
    press(code, "Escape");
    await settle();
    expect(root.querySelector('[data-testid="code-panel"]')).toBeNull();
  });

  it("saves the PNG under the kernel's name", async () => {
    kernel.answers.get_png = () => ({ filename: "toonfaces-seed11.png" });
    const saved = vi
      .spyOn(HTMLAnchorElement.prototype, "click")
      .mockImplementation(() => undefined);
    const say = kernel.say.bind(kernel);
    kernel.say = (message, ...buffers) =>
      message.kind === "reply" ? say(message, new Uint8Array([1])) : say(message, ...buffers);
    press(root, "d");
    await settle();
    expect(saved.mock.contexts[0]).toMatchObject({ download: "toonfaces-seed11.png" });
  });
});
