// @vitest-environment jsdom

// The painter under hand and keyboard, in a JupyterLab-like host.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as module from "../../src/paint/index";
import { click, drag, part, pointer, press, STAGE, standIn } from "../fakes/browser";
import { HOSTS, Host } from "../fakes/hosts";
import { PIXELS, snapshot } from "../fakes/kernel";
import { deflated, FakePaintKernel, PARTS, vector } from "../fakes/paintKernel";

let host: Host;
let kernel: FakePaintKernel;
let root: HTMLElement;
let stage: HTMLElement;

const settle = () => vi.advanceTimersByTimeAsync(100);

const button = (id: string) => part<HTMLButtonElement>(root, id);
const input = (id: string) => part<HTMLInputElement>(root, id);

const checked = () => {
  const found = root.querySelectorAll<HTMLElement>('[role="radio"][aria-checked="true"]');
  return [...found].map(({ dataset }) => dataset.testid?.replace("part-", ""));
};

const slideTo = (name: string, scale: number) => {
  const slider = input(`vector-${name}`);
  slider.value = `${scale}`;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
};

async function open(prepare: (kernel: FakePaintKernel) => void = () => undefined): Promise<void> {
  host?.close();
  host = new Host(HOSTS.jupyterlab);
  kernel = new FakePaintKernel(host);
  prepare(kernel);
  await host.open(module);
  root = await host.show();
  stage = part(root, "map-stage");
  await settle();
}

beforeEach(async () => {
  vi.useFakeTimers();
  standIn();
  await open();
});

afterEach(() => {
  host.close();
  expect(host.listening).toBe(0);
  vi.useRealTimers();
});

describe("a stroke", () => {
  it("is sent whole when the hand is lifted, and confirmed by the kernel's map", async () => {
    button("part-skin").click();
    drag(stage, [
      [10, 10],
      [14, 10],
      [20, 12],
    ]);
    await vi.advanceTimersByTimeAsync(1);
    expect(root.dataset.settled).toBe("false");
    await settle();
    expect(kernel.all("paint_labels")).toHaveLength(1);
    expect(kernel.last("paint_labels")).toMatchObject({
      tool: "brush",
      part: 1,
      radius: 4,
      mirror: false,
      path: [
        [10, 10],
        [14, 10],
        [20, 12],
      ],
    });
    expect(kernel.partAt(14, 10)).toBe("skin");
    expect(root.dataset.settled).toBe("true");
    expect(root.dataset.labels).toBe("2");
  });

  it("stays in sight until a map has come that has it", async () => {
    kernel.mapsWait = true;
    click(stage, [10, 10]);
    await settle();
    expect(kernel.partAt(10, 10)).toBe("skin");
    expect(root.dataset.settled).toBe("false");
    kernel.sayMap();
    await settle();
    expect(root.dataset.settled).toBe("true");
  });

  it("goes when the kernel refuses it, and the status line says why", async () => {
    kernel.answers.paint_labels = () => ({ ok: false, error: "No such part." });
    click(stage, [10, 10]);
    await settle();
    expect(root.dataset.settled).toBe("true");
    expect(root.dataset.state).toBe("error");
    expect(part(root, "message").textContent).toBe("No such part.");
  });

  it("can be painted on the picture, too", async () => {
    drag(part(root, "stage"), [
      [10, 10],
      [12, 10],
    ]);
    await settle();
    expect(kernel.partAt(12, 10)).toBe("skin");
  });

  it("is dropped when a second finger comes", async () => {
    pointer(stage, "pointerdown", [10, 10], { pointerId: 1, pointerType: "touch" });
    pointer(stage, "pointermove", [20, 10], { pointerId: 1, pointerType: "touch" });
    pointer(stage, "pointerdown", [40, 40], { pointerId: 2, pointerType: "touch" });
    await settle();
    expect(kernel.all("paint_labels")).toEqual([]);
    expect(root.dataset.settled).toBe("true");
  });

  it("is done on both sides with the mirror", async () => {
    button("part-left_eye").click();
    button("mirror").click();
    click(stage, [10, 10]);
    await settle();
    expect(button("mirror").getAttribute("aria-pressed")).toBe("true");
    expect(kernel.last("paint_labels")?.mirror).toBe(true);
    expect(kernel.partAt(10, 10)).toBe("left_eye");
    expect(kernel.partAt(117, 10)).toBe("right_eye");
  });

  it("waits while an edit runs, but in live mode", async () => {
    kernel.change({ running: true, method: "paint" });
    await settle();
    click(stage, [10, 10]);
    await settle();
    expect(kernel.all("paint_labels")).toEqual([]);
    expect(part(root, "message").textContent).toContain("stop it before you paint");
    kernel.change({ live: true });
    await settle();
    click(stage, [10, 10]);
    await settle();
    expect(kernel.all("paint_labels")).toHaveLength(1);
  });
});

describe("the tools", () => {
  it("line goes straight from press to release", async () => {
    button("line").click();
    drag(stage, [
      [10, 10],
      [50, 90],
      [30, 10],
    ]);
    await settle();
    expect(kernel.last("paint_labels")).toMatchObject({
      tool: "brush",
      path: [
        [10, 10],
        [30, 10],
      ],
    });
  });

  it("eraser names no part, nor does a pen turned around", async () => {
    button("eraser").click();
    click(stage, [50, 50]);
    button("brush").click();
    click(stage, [60, 50], { pointerType: "pen", button: 5, buttons: 32 });
    await settle();
    const tools = kernel.all("paint_labels").map(({ tool, part: painted }) => [tool, painted]);
    expect(tools).toEqual([
      ["eraser", null],
      ["eraser", null],
    ]);
  });

  it("fill is done with the press", async () => {
    button("part-background").click();
    button("fill").click();
    pointer(stage, "pointerdown", [50, 50]);
    await settle();
    expect(kernel.partAt(45, 49)).toBe("background");
    expect(kernel.partAt(60, 60)).toBe("skin");
  });

  it("lasso surrounds what is drawn in one go", async () => {
    button("lasso").click();
    drag(stage, [
      [4, 4],
      [20, 4],
      [20, 20],
      [4, 20],
    ]);
    await settle();
    expect(kernel.last("paint_labels")?.tool).toBe("lasso");
    expect(kernel.partAt(10, 10)).toBe("skin");
    expect(kernel.partAt(25, 10)).toBe("background");
  });

  it("lasso is clicked together, and closed at its first corner", async () => {
    button("lasso").click();
    for (const corner of [
      [4, 4],
      [30, 4],
      [30, 30],
      [4, 30],
    ] as const) {
      click(stage, corner);
    }
    await settle();
    expect(kernel.all("paint_labels")).toEqual([]);
    click(stage, [5, 5]);
    await settle();
    expect(kernel.last("paint_labels")?.path).toHaveLength(4);
    expect(kernel.partAt(20, 20)).toBe("skin");
    expect(root.querySelector(".nb-grip")).toBeNull();
  });

  it("lasso's corners are taken back by Backspace, and all of them by Escape", async () => {
    button("lasso").click();
    click(stage, [4, 4]);
    click(stage, [30, 4]);
    await settle();
    const corners = () => stage.querySelectorAll(".nb-grip").length;
    const before = corners();
    press(stage, "Backspace");
    await settle();
    expect(corners()).toBe(before - 1);
    press(stage, "Escape");
    await settle();
    expect(corners()).toBe(0);
  });

  it("pick takes the part that is there, and gives the tool before back", async () => {
    button("fill").click();
    button("pick").click();
    click(stage, [48, 52]);
    await settle();
    expect(checked()).toEqual(["left_eye"]);
    expect(button("fill").getAttribute("aria-pressed")).toBe("true");
    expect(kernel.all("paint_labels")).toEqual([]);
  });

  it("pick is there with Alt and with the right button, too", async () => {
    click(stage, [80, 52], { altKey: true });
    await settle();
    expect(checked()).toEqual(["right_eye"]);
    const at = { bubbles: true, clientX: 60 * 2, clientY: 60 * 2 };
    stage.dispatchEvent(new MouseEvent("contextmenu", at));
    await settle();
    expect(checked()).toEqual(["skin"]);
    expect(kernel.all("paint_labels")).toEqual([]);
  });
});

describe("the move tool", () => {
  it("moves the part that is pressed by whole pixels", async () => {
    button("move").click();
    drag(stage, [
      [48, 52],
      [50, 55],
      [53.3, 61.6],
    ]);
    await settle();
    expect(checked()).toEqual(["left_eye"]);
    expect(kernel.last("move_part")).toMatchObject({ parts: [2], dx: 5, dy: 10, scale_x: 1 });
    expect(kernel.partAt(48, 52)).toBe("skin");
    expect(kernel.partAt(53, 62)).toBe("left_eye");
  });

  it("scales by a corner of the box in proportion, by a side along one axis", async () => {
    button("move").click();
    button("part-left_eye").click();
    await settle();
    drag(stage, [
      [52, 56],
      [56, 60],
    ]);
    await settle();
    expect(kernel.last("move_part")?.scale_x).toBeCloseTo(2);
    expect(kernel.last("move_part")?.scale_y).toBeCloseTo(2);
    // It is 16 wide now, from 40 to 56.
    drag(stage, [
      [56, 52],
      [52, 52],
    ]);
    await settle();
    expect(kernel.last("move_part")?.scale_x).toBeCloseTo(0.5);
    expect(kernel.last("move_part")?.scale_y).toBe(1);
  });

  it("moves a part, however narrow, by its middle", async () => {
    button("part-left_eye").click();
    button("move").click();
    await settle();
    drag(stage, [
      [48, 52],
      [48.4, 40],
    ]);
    await settle();
    expect(kernel.last("move_part")).toMatchObject({ dx: 0, dy: -12, scale_x: 1, scale_y: 1 });
  });

  it("takes along what is chosen with Shift", async () => {
    button("move").click();
    button("part-left_eye").click();
    button("part-right_eye").dispatchEvent(
      new MouseEvent("click", { bubbles: true, shiftKey: true }),
    );
    await settle();
    drag(stage, [
      [48, 52],
      [48, 54],
    ]);
    await settle();
    expect(kernel.last("move_part")?.parts.toSorted()).toEqual([2, 3]);
  });

  it("moves both sides apart with the mirror", async () => {
    button("move").click();
    button("mirror").click();
    drag(stage, [
      [48, 52],
      [46, 53],
    ]);
    await settle();
    expect(kernel.all("move_part")).toHaveLength(1);
    expect(kernel.last("move_part")).toMatchObject({ parts: [2], dx: -2, dy: 1, mirror: true });
    expect(root.dataset.strokes).toBe("1");
  });

  it("changes nothing by a press alone", async () => {
    button("move").click();
    click(stage, [48, 52]);
    await settle();
    expect(kernel.all("move_part")).toEqual([]);
    expect(root.dataset.settled).toBe("true");
  });

  it("goes by the arrow keys, as one stroke once they rest", async () => {
    button("move").click();
    button("part-left_eye").click();
    press(stage, "ArrowRight");
    press(stage, "ArrowDown", { shiftKey: true });
    await settle();
    expect(kernel.all("move_part")).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(kernel.all("move_part")).toHaveLength(1);
    expect(kernel.last("move_part")).toMatchObject({ dx: 1, dy: 10 });
    press(stage, "ArrowLeft");
    press(stage, "s");
    await settle();
    const order = kernel.heard.map(({ kind }) => kind).slice(-2);
    expect(order).toEqual(["move_part", "start_paint"]);
  });

  it("scales by . and ,", async () => {
    button("part-left_eye").click();
    press(stage, ".");
    await settle();
    expect(kernel.all("move_part")).toEqual([]);
    press(stage, "v");
    press(stage, ".");
    await settle();
    expect(kernel.last("move_part")).toMatchObject({ parts: [2], scale_x: 1.1, scale_y: 1.1 });
  });
});

describe("the legend", () => {
  it("has every part, with its name and key", () => {
    const names = [...root.querySelectorAll('[role="radio"]')].map((one) => one.textContent);
    expect(names).toEqual(["1background", "2skin", "3left eye", "4right eye"]);
    expect(checked()).toEqual(["skin"]);
  });

  it("is chosen from by digits, whatever the layout has on them", async () => {
    press(stage, "3", { code: "Digit3" });
    await settle();
    expect(checked()).toEqual(["left_eye"]);
    press(stage, "&", { code: "Digit1" });
    await settle();
    expect(checked()).toEqual(["background"]);
    expect(press(stage, "9", { code: "Digit9" })).toBe(false);
  });

  it("is walked through by the arrow keys", async () => {
    part(root, "part-skin").focus();
    press(part(root, "part-skin"), "ArrowDown");
    await settle();
    expect(checked()).toEqual(["left_eye"]);
    expect((document.activeElement as HTMLElement).dataset.testid).toBe("part-left_eye");
  });

  it("hides a part's colour, and shows it again when it is chosen", async () => {
    button("show-left_eye").click();
    await settle();
    expect(button("show-left_eye").getAttribute("aria-pressed")).toBe("false");
    button("part-left_eye").click();
    await settle();
    expect(button("show-left_eye").getAttribute("aria-pressed")).toBe("true");
  });

  it("says what is missing where nothing tells the parts", async () => {
    await open((other) => {
      other.parts = [];
      other.state = { ...other.state, labels_version: null };
    });
    expect(part(root, "parts").textContent).toContain("load_segmenter");
    expect(stage.textContent).toContain("Nothing tells this generator's parts.");
    click(stage, [10, 10]);
    await settle();
    expect(kernel.all("paint_labels")).toEqual([]);
  });
});

describe("undo and redo", () => {
  it("take strokes back before pictures", async () => {
    expect(button("undo").disabled).toBe(true);
    click(stage, [10, 10]);
    await settle();
    expect(button("undo").disabled).toBe(false);
    press(stage, "z", { ctrlKey: true });
    await settle();
    expect(kernel.all("undo")).toHaveLength(1);
    kernel.edited = kernel.original;
    kernel.repainted({ strokes: 0, strokes_ahead: 1 });
    await settle();
    expect(button("undo").disabled).toBe(true);
    expect(button("redo").disabled).toBe(false);
    expect(root.dataset.labels).toBe("3");
  });
});

describe("following", () => {
  it("is begun by Apply, and told of in the status line", async () => {
    const progress = {
      step: 0,
      max_steps: 100,
      loss: null,
      distances: [],
      agreement: null,
      outside: null,
      steps_per_s: null,
    };
    kernel.answers.start_paint = () => {
      kernel.change({ running: true, method: "paint", progress });
      return {};
    };
    button("apply").click();
    await settle();
    kernel.frame({ step: 61, agreement: 0.834, outside: 0.0091 });
    await settle();
    expect(root.dataset.state).toBe("running");
    expect(part(root, "status").textContent).toContain("following");
    expect(part(root, "step").textContent).toBe("step 61 / 100");
    expect(part(root, "agreement").textContent).toBe("IoU in region 0.83");
    expect(part(root, "outside").textContent).toBe("outside changed 0.9 %");
    button("stop").click();
    await settle();
    expect(kernel.all("stop")).toHaveLength(1);
  });

  it("goes by itself when Live is on", async () => {
    button("live").click();
    await settle();
    expect(kernel.last("set_live")?.live).toBe(true);
    expect(button("live").getAttribute("aria-pressed")).toBe("true");
    press(stage, "a");
    await settle();
    expect(kernel.last("set_live")?.live).toBe(false);
  });
});

describe("sliders", () => {
  it("send the newest place of all, one request at a time", async () => {
    host.traits.latency = 50;
    for (const scale of [0.1, 0.2, 0.3, 0.4]) slideTo("smile", scale);
    slideTo("eyes", -1);
    await vi.advanceTimersByTimeAsync(20);
    expect(input("vector-smile").value).toBe("0.4");
    await vi.advanceTimersByTimeAsync(500);
    expect(kernel.all("slide").map(({ scales }) => scales)).toEqual([
      { smile: 0.1 },
      { smile: 0.4, eyes: -1 },
    ]);
    expect(root.dataset.settled).toBe("true");
    expect(kernel.state.scales).toEqual({ smile: 0.4, eyes: -1 });
    host.traits.latency = 2;
  });

  it("go before whatever is asked for next", async () => {
    host.traits.latency = 50;
    slideTo("smile", 0.1);
    slideTo("smile", 0.7);
    button("apply").click();
    await vi.advanceTimersByTimeAsync(500);
    const asked = kernel.heard.filter(({ kind }) => kind === "slide" || kind === "start_paint");
    expect(asked).toMatchObject([
      { scales: { smile: 0.1 } },
      { scales: { smile: 0.7 } },
      { kind: "start_paint" },
    ]);
    host.traits.latency = 2;
  });

  it("go back to 0 by a double click, Home, or all at once", async () => {
    slideTo("smile", 1);
    slideTo("eyes", 1);
    await settle();
    input("vector-smile").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    await settle();
    expect(kernel.state.scales).toEqual({ eyes: 1 });
    press(input("vector-eyes"), "Home");
    await settle();
    expect(kernel.state.scales).toEqual({});
    expect(root.querySelector('[data-testid="slideBack"]')).toBeNull();
    slideTo("smile", 1);
    slideTo("eyes", 1);
    await settle();
    button("slideBack").click();
    await settle();
    expect(kernel.state.scales).toEqual({});
  });

  it("go back where they were when the kernel refuses", async () => {
    slideTo("smile", 1);
    await settle();
    kernel.answers.slide = () => ({ ok: false, error: "The vector is of another generator." });
    slideTo("smile", 2);
    await settle();
    expect(input("vector-smile").value).toBe("1");
    expect(part(root, "message").textContent).toContain("another generator");
  });

  it("are repaired by refining, once they are off 0", async () => {
    press(stage, "w");
    expect(kernel.all("start_refine")).toEqual([]);
    slideTo("smile", 1);
    await settle();
    button("refine").click();
    await settle();
    expect(kernel.all("start_refine")).toHaveLength(1);
  });

  it("show a small before and after where there is one", async () => {
    kernel.vectors = [vector("smile"), vector("eyes")];
    kernel.sayVectors(PIXELS, new Uint8Array());
    await settle();
    expect(root.querySelectorAll(".nb-preview")).toHaveLength(1);
  });
});

describe("a vector", () => {
  it("is learnt from the last edit, under a name", async () => {
    expect(button("learn").disabled).toBe(true);
    kernel.change({ history: [...kernel.state.history, { id: 2, label: "paint" }], cursor: 1 });
    await settle();
    button("learn").click();
    await settle();
    expect(document.activeElement).toBe(input("vector-name"));
    input("vector-name").value = "  fuller lips ";
    button("vector-learn").click();
    await settle();
    expect(kernel.last("learn_vector")?.name).toBe("fuller lips");
    expect(root.querySelector('[data-testid="vector-name"]')).toBeNull();
  });

  it("can be forgotten, but not one that came along", async () => {
    expect(root.querySelector('[data-testid="forget-smile"]')).toBeNull();
    button("forget-mine").click();
    await settle();
    expect(kernel.last("forget_vector")?.name).toBe("mine");
  });
});

describe("the view", () => {
  it("has the map beside the picture, or over it", async () => {
    expect(root.querySelectorAll(".nb-stage")).toHaveLength(2);
    press(stage, "o");
    await settle();
    expect(root.querySelectorAll(".nb-stage")).toHaveLength(1);
    expect(input("opacity").value).toBe("0.6");
    drag(part(root, "stage"), [
      [10, 10],
      [12, 10],
    ]);
    await settle();
    expect(kernel.partAt(12, 10)).toBe("skin");
  });

  it("names the part under the pointer", async () => {
    pointer(stage, "pointermove", [48, 52]);
    await settle();
    expect(part(root, "under").textContent).toBe("left eye");
    pointer(stage, "pointerleave", [48, 52]);
    await settle();
    expect(root.querySelector('[data-testid="under"]')).toBeNull();
  });

  it("shows the brush at its radius, on both", async () => {
    pointer(stage, "pointermove", [48, 52]);
    await settle();
    const rings = root.querySelectorAll(".nb-ring-dash");
    expect(rings).toHaveLength(2);
    expect(Number(rings[0]?.getAttribute("r"))).toBe((4 * STAGE) / 128);
    press(stage, "]");
    await settle();
    expect(Number(root.querySelector(".nb-ring-dash")?.getAttribute("r"))).toBe((5 * STAGE) / 128);
  });

  it("is painted by the keyboard alone", async () => {
    press(stage, "3", { code: "Digit3" });
    press(stage, "ArrowUp", { shiftKey: true });
    press(stage, "Enter");
    press(stage, "ArrowRight", { shiftKey: true });
    press(stage, "Enter");
    await settle();
    expect(kernel.last("paint_labels")).toMatchObject({
      part: 2,
      path: [
        [64, 54],
        [74, 54],
      ],
    });
    press(stage, "k");
    press(stage, "2", { code: "Digit2" });
    press(stage, "Enter");
    await settle();
    expect(kernel.last("paint_labels")).toMatchObject({ tool: "fill", part: 1 });
  });

  it("lists its keys", async () => {
    press(stage, "?");
    await settle();
    expect(part(root, "help-panel").textContent).toContain("both sides at once");
  });

  it("is as the kernel has it in several views", async () => {
    const other = await host.show();
    await settle();
    click(stage, [10, 10]);
    await settle();
    expect(other.dataset.labels).toBe(root.dataset.labels);
    expect(other.dataset.strokes).toBe("1");
  });

  it("forgets the map when another generator comes", async () => {
    expect(root.dataset.labels).toBe("1");
    const model = { name: "lions", width: 64, height: 64, num_ws: 10, num_labels: 0 };
    kernel.parts = [];
    kernel.say({ kind: "parts", parts: [] });
    kernel.change({ model, labels_version: null });
    await settle();
    expect(root.dataset.labels).toBeUndefined();
  });
});

it("shows a saved picture without a kernel, and nothing can be changed", async () => {
  host.close();
  host = new Host(HOSTS.static, { still: PIXELS, saved: snapshot({ live: true }) });
  await host.open(module);
  root = await host.show();
  await vi.advanceTimersByTimeAsync(5000);
  expect(root.dataset.state).toBe("static");
  expect(root.querySelectorAll(".nb-stage")).toHaveLength(1);
  for (const name of ["apply", "live", "undo", "redo", "reset", "copyCode", "savePng", "seed"]) {
    expect(button(name).disabled, name).toBe(true);
  }
});

it("shows the part map and the legend that were saved with it", async () => {
  host.close();
  const saved = snapshot({ labels_version: 7, strokes: 2 });
  const saved_parts = { kind: "parts", parts: PARTS };
  const saved_labels = new DataView(deflated(kernel.original.labels));
  host = new Host(HOSTS.static, { still: PIXELS, saved, saved_parts, saved_labels });
  await host.open(module);
  root = await host.show();
  await vi.advanceTimersByTimeAsync(5000);
  expect(root.dataset).toMatchObject({ state: "static", labels: "7" });
  expect(root.querySelectorAll(".nb-stage")).toHaveLength(2);
  expect(root.querySelectorAll(".nb-part")).toHaveLength(PARTS.length);
  expect(button("restore").disabled).toBe(true);
  button("show-skin").click();
  await settle();
  expect(button("show-skin").getAttribute("aria-pressed")).toBe("false");
  drag(part(root, "map-stage"), [
    [10, 10],
    [20, 20],
  ]);
  await settle();
  expect(root.dataset.settled).toBe("true");
});

it("says so when a part map can't be read", async () => {
  const header = { kind: "labels", version: 9, width: 128, height: 128, original: false } as const;
  kernel.say(header, new Uint8Array([1, 2, 3]));
  await settle();
  expect(part(root, "message").textContent).toContain("could not read a part map");
  expect(root.dataset.labels).toBe("1");
});
