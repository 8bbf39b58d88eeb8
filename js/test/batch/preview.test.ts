// @vitest-environment jsdom

// The batch under hand and keyboard, in a JupyterLab-like host.
//
// The stage of the stand-in is 256 pixels wide and high: two columns, one row in sight, one near.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as module from "../../src/batch/index";
import { type FromPage, LIMITS } from "../../src/batch/protocol.gen";
import { FakeBatchKernel } from "../fakes/batchKernel";
import { part, pointer, press, release, scroll, standIn } from "../fakes/browser";
import { HOSTS, Host } from "../fakes/hosts";

let host: Host;
let kernel: FakeBatchKernel;
let root: HTMLElement;

const settle = () => vi.advanceTimersByTimeAsync(200);
const button = (id: string) => part<HTMLButtonElement>(root, id);
const input = (id: string) => part<HTMLInputElement>(root, id);
const tile = (item: number) => part(root, `tile-${item}`);
const grid = () => part(root, "grid");
const inDocument = () =>
  [...root.querySelectorAll<HTMLElement>(".nb-tile")].map(({ dataset }) => Number(dataset.item));
const active = () => root.querySelector<HTMLElement>("[data-active]")?.dataset.item;

const move = (id: string, value: number, done = true) => {
  const slider = input(id);
  slider.value = `${value}`;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  if (done) slider.dispatchEvent(new Event("change", { bubbles: true }));
};

async function open(prepare: (kernel: FakeBatchKernel) => void = () => undefined, count = 12) {
  host?.close();
  host = new Host(HOSTS.jupyterlab);
  kernel = new FakeBatchKernel(host, count);
  prepare(kernel);
  await host.open(module);
  root = await host.show();
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

describe("the grid", () => {
  it("has the rows in sight and near in the document, and asks for those first in sight", () => {
    expect(inDocument()).toEqual([0, 1, 2, 3]);
    expect(kernel.last("look")?.items).toEqual([-1, 0, 1, 2, 3]);
    expect(tile(0).querySelector("canvas")?.dataset.picture).toBe("shown");
    expect(Number(tile(1).dataset.alpha)).toBeCloseTo(1.25);
    expect(part(root, "example-after").dataset.picture).toBe("shown");
    expect(kernel.last("ack")?.seq).toBeGreaterThan(0);
  });

  it("looks elsewhere when it is scrolled, and holds no more however many there are", async () => {
    await open(undefined, 5000);
    grid().scrollTop = 260 * 1000;
    grid().dispatchEvent(new Event("scroll"));
    await settle();
    expect(inDocument().length).toBeLessThanOrEqual(8);
    expect(inDocument()).toContain(2000);
    const items = kernel.last("look")?.items ?? [];
    expect(items.slice(0, 3)).toEqual([-1, 1998, 1999]);
    expect(grid().getAttribute("aria-rowcount")).toBe("2500");
  });

  it("asks for nothing while nobody sees it, and anew when somebody does", async () => {
    scroll(false);
    await settle();
    expect(kernel.last("look")?.items).toEqual([]);
    const acks = kernel.all("ack").length;
    kernel.tiles([0]);
    await settle();
    expect(kernel.all("ack").length).toBe(acks);
    scroll(true);
    await settle();
    expect(kernel.last("look")?.items).toContain(0);
  });

  it("says where it looks when another page has come up", async () => {
    const looks = kernel.all("look").length;
    kernel.change({ epoch: 2 });
    await settle();
    expect(kernel.all("look").length).toBe(looks + 1);
    expect(kernel.last("look")?.items).toContain(0);
  });

  it("shows a picture that can't be shown as broken", async () => {
    kernel.tiles([1], { broken: true });
    await settle();
    expect(part(root, "after-1").dataset.picture).toBe("broken");
  });

  it("has two views, each with its own sight, and forgets the one that is closed", async () => {
    const second = await host.show();
    await settle();
    const views = new Set(kernel.all("look").map(({ view }) => view));
    expect(views.size).toBe(2);
    expect(part(second, "after-0").dataset.picture).toBe("shown");
  });
});

describe("the slider", () => {
  it("moves all strengths at once, and the kernel gets the newest place", async () => {
    move("strength", 0.5, false);
    move("strength", 0.8, false);
    move("strength", 1.5);
    await vi.advanceTimersByTimeAsync(1);
    expect(tile(0).getAttribute("aria-label")).toContain("strength 2.00");
    expect(part(root, "strength-value").textContent).toBe("1.50");
    expect(root.dataset.settled).toBe("false");
    await settle();
    const sent = kernel.all("set_strength").map(({ strength, moving }) => [strength, moving]);
    expect(sent).toEqual([
      [0.5, true],
      [1.5, false],
    ]);
    expect(root.dataset.settled).toBe("true");
    expect(part(root, "strength-value").textContent).toBe("1.50");
  });

  it("goes back where the kernel has it when that refuses", async () => {
    kernel.answers.set_strength = () => ({ ok: false, error: "No further." });
    move("strength", 1.5);
    await settle();
    expect(part(root, "strength-value").textContent).toBe("1.00");
    expect(part(root, "message").textContent).toBe("No further.");
    expect(root.dataset.state).toBe("error");
  });

  it("moves by keys, and back to how the example was edited by a double click", async () => {
    press(grid(), "]");
    await settle();
    expect(kernel.last("set_strength")?.strength).toBe(1.05);
    press(input("strength"), "ArrowLeft", { shiftKey: true });
    await settle();
    expect(kernel.last("set_strength")?.strength).toBe(0.95);
    input("strength").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    await settle();
    expect(kernel.last("set_strength")?.strength).toBe(1);
  });

  it("has a mark where all are neutral, and goes there by a key", async () => {
    expect(input("strength").dataset.neutral).toBeUndefined();
    press(grid(), "0");
    await settle();
    expect(kernel.all("set_strength")).toHaveLength(0);
    kernel.change({ neutral: 0.8 });
    await settle();
    expect(input("strength").dataset.neutral).toBe("0.600");
    press(grid(), "0");
    await settle();
    expect(kernel.last("set_strength")?.strength).toBe(0.8);
    kernel.change({ neutral: 2.5 });
    await settle();
    expect(input("strength").dataset.neutral).toBeUndefined();
  });

  it("stays between its ends", async () => {
    kernel.change({ strength: 1.99 });
    await settle();
    press(grid(), "]");
    await settle();
    expect(kernel.last("set_strength")?.strength).toBe(2);
  });
});

describe("a tile", () => {
  it("is left out by a click and comes back by another", async () => {
    part(root, "pictures-1").click();
    await settle();
    expect(kernel.last("include")).toMatchObject({ items: [1], included: false });
    expect(tile(1).dataset.included).toBe("false");
    expect(tile(1).getAttribute("aria-selected")).toBe("false");
    expect(button("export").textContent).toBe("Export 11");
    expect(part(root, "count").textContent).toBe("11 of 12 selected");
    part(root, "pictures-1").click();
    await settle();
    expect(tile(1).dataset.included).toBe("true");
  });

  it("with Shift takes along all from the last one, in the order shown", async () => {
    kernel.order = [5, 3, 0, 2, 1, 4, 6, 7, 8, 9, 10, 11];
    kernel.sendAll();
    await settle();
    part(root, "pictures-5").click();
    part(root, "pictures-2").dispatchEvent(
      new MouseEvent("click", { bubbles: true, shiftKey: true }),
    );
    await settle();
    expect(kernel.last("include")).toMatchObject({ items: [5, 3, 0, 2], included: false });
  });

  it("gets a strength of its own by its slider, and the automatic one back", async () => {
    move("own-1", 3, false);
    move("own-1", 4);
    await settle();
    const sent = kernel.all("set_alpha").map(({ alpha, moving }) => [alpha, moving]);
    expect(sent).toEqual([
      [3, true],
      [4, false],
    ]);
    expect(tile(1).dataset.own).toBe("true");
    move("strength", 0);
    await settle();
    expect(tile(1).getAttribute("aria-label")).toContain("strength 4.00 of its own");
    button("automatic-1").click();
    await settle();
    expect(kernel.last("set_alpha")).toMatchObject({ item: 1, alpha: null });
    expect(tile(1).dataset.own).toBeUndefined();
  });

  it("shows the picture before while C or the button is held", async () => {
    const shown = () => part(root, "after-0");
    const drawn: unknown[] = [];
    HTMLCanvasElement.prototype.getContext = (() => ({
      drawImage: (source: unknown) => drawn.push(source),
    })) as never;
    press(grid(), "c");
    await settle();
    expect(button("compare").getAttribute("aria-pressed")).toBe("true");
    expect(drawn.length).toBeGreaterThan(0);
    release(grid(), "c");
    await settle();
    expect(button("compare").getAttribute("aria-pressed")).toBe("false");
    pointer(button("compare"), "pointerdown", [0, 0]);
    await settle();
    expect(button("compare").getAttribute("aria-pressed")).toBe("true");
    pointer(button("compare"), "pointerup", [0, 0]);
    expect(shown().dataset.picture).toBe("shown");
  });
});

describe("the keyboard", () => {
  it("goes from tile to tile, scrolls along, and includes them or not", async () => {
    grid().focus();
    await settle();
    expect(active()).toBe("0");
    for (const key of ["ArrowRight", "ArrowDown"]) press(grid(), key);
    await settle();
    expect(active()).toBe("3");
    expect(grid().getAttribute("aria-activedescendant")).toBe(tile(3).id);
    expect(grid().scrollTop).toBeGreaterThan(0);
    press(grid(), " ");
    await settle();
    expect(kernel.last("include")).toMatchObject({ items: [3], included: false });
    press(grid(), "Home");
    await settle();
    press(grid(), "Enter", { shiftKey: true });
    await settle();
    expect(kernel.last("include")).toMatchObject({ items: [0, 1, 2, 3], included: false });
  });

  it("gives the active tile more, less, or its automatic strength", async () => {
    grid().focus();
    await settle();
    press(grid(), "+");
    await settle();
    expect(kernel.last("set_alpha")?.alpha).toBeGreaterThan(1);
    press(grid(), "Delete");
    await settle();
    expect(kernel.last("set_alpha")).toMatchObject({ item: 0, alpha: null });
  });

  it("includes all, none, the others; sorts; and leaves other keys to the notebook", async () => {
    for (const key of ["a", "n", "i"]) press(grid(), key);
    press(grid(), "s");
    await settle();
    expect(kernel.all("include_all").map(({ which }) => which)).toEqual(["all", "none", "others"]);
    expect(kernel.last("sort")?.by).toBe("strength");
    expect(inDocument().slice(0, 2)).toEqual([11, 10]);
    expect(part(root, "status").textContent).toContain("sorted by strength");
    expect(press(grid(), "q")).toBe(false);
    expect(press(grid(), "a", { ctrlKey: true })).toBe(false);
  });

  it("lists its keys, and Escape leaves the list", async () => {
    press(grid(), "?");
    await settle();
    expect(part(root, "help-panel").textContent).toContain("include it, or not");
    press(part(root, "help-panel"), "Escape");
    await settle();
    expect(root.querySelector('[data-testid="help-panel"]')).toBeNull();
  });
});

describe("what takes time", () => {
  it("exports to a place by name, and closes the panel when it has begun", async () => {
    button("export").click();
    await settle();
    expect(input("path").value).toBe("face-front");
    input("format-latents").click();
    await settle();
    input("path").value = "turned";
    input("path").dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
    button("start-export").click();
    await settle();
    expect(kernel.last("export")).toMatchObject({
      format: "latents",
      path: "turned.safetensors",
    });
    expect(root.querySelector('[data-testid="export-panel"]')).toBeNull();
  });

  it("goes on with a folder, if that is asked for", async () => {
    button("export").click();
    await settle();
    expect(root.querySelector('[data-testid="resume"]')).toBeNull();
    input("format-folder").click();
    await settle();
    input("resume").click();
    await settle();
    button("start-export").click();
    await settle();
    expect(kernel.last("export")).toMatchObject({
      format: "folder",
      path: "face-front",
      resume: true,
    });
  });

  it("keeps the panel open, and says why, when the place is taken", async () => {
    kernel.answers.export = () => ({ ok: false, error: "it is there already" });
    press(grid(), "e");
    await settle();
    button("start-export").click();
    await settle();
    expect(part(root, "export-panel").textContent).toContain("it is there already");
  });

  it("shows how far it is, and Stop in place of Export", async () => {
    kernel.change({ running: "export", progress: { text: "12 of 240", fraction: 0.05 } });
    await settle();
    expect(root.dataset.state).toBe("running");
    expect(part(root, "status").textContent).toContain("exporting");
    expect(part(root, "progress").textContent).toContain("12 of 240");
    button("stop").click();
    await settle();
    expect(kernel.all("stop")).toHaveLength(1);
  });
});

describe("a download", () => {
  const FILE = Uint8Array.from({ length: LIMITS.chunk + 5 }, (_, i) => i % 251);
  const written = { number: 3, name: "faces.zip", size: FILE.length };
  const saved: { name: string; blob: Blob | undefined }[] = [];
  const blobs = new Map<string, Blob>();

  /** Answers a request for a piece of the file. */
  const give = (message: FromPage) => {
    if (message.kind !== "fetch") throw new Error("not asked for");
    const { id, offset } = message;
    const reply = { kind: "reply", id, ok: true, error: null } as const;
    kernel.say(reply, FILE.slice(offset, offset + LIMITS.chunk));
  };

  beforeEach(() => {
    saved.length = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      const url = `blob:${blobs.size}`;
      blobs.set(url, blob as Blob);
      return url;
    });
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      saved.push({ name: this.download, blob: blobs.get(this.href) });
    });
    kernel.holding = (message) => message.kind === "fetch";
  });

  afterEach(() => vi.restoreAllMocks());

  it("is offered where a file was written, and saved when all of it has come", async () => {
    expect(root.querySelector('[data-testid="download"]')).toBeNull();
    kernel.change({ written });
    await settle();
    expect(button("download").textContent).toBe("Download faces.zip, 1.0 MB");
    button("download").click();
    await settle();
    expect(root.dataset.state).toBe("running");
    expect(part(root, "status").textContent).toContain("downloading");
    expect(kernel.held.map((one) => one.kind === "fetch" && [one.file, one.offset])).toEqual([
      [3, 0],
      [3, LIMITS.chunk],
    ]);
    const [first, second] = kernel.held;
    if (first) give(first);
    await settle();
    expect(part(root, "progress").textContent).toContain("1.0 MB of 1.0 MB");
    expect(saved).toHaveLength(0);
    if (second) give(second);
    await settle();
    expect(saved.map(({ name }) => name)).toEqual(["faces.zip"]);
    const bytes = Buffer.from((await saved[0]?.blob?.arrayBuffer()) ?? new ArrayBuffer(0));
    expect(bytes.equals(Buffer.from(FILE))).toBe(true);
    expect(part(root, "message").textContent).toBe("Downloaded faces.zip.");
    expect(root.dataset.state).toBe("idle");
  });

  it("is stopped on the page, where it runs, and can be begun again", async () => {
    kernel.change({ written });
    await settle();
    press(grid(), "d");
    await settle();
    button("stop").click();
    await settle();
    expect(kernel.all("stop")).toHaveLength(0);
    expect(part(root, "message").textContent).toContain("was stopped");
    expect(root.dataset.state).toBe("idle");
    const late = kernel.held.splice(0);
    button("download").click();
    await settle();
    for (const one of late) give(one);
    await settle();
    expect(saved).toHaveLength(0);
    expect(kernel.held).toHaveLength(2);
    for (const one of kernel.held) give(one);
    await settle();
    expect(saved).toHaveLength(1);
  });

  it("asks again for a piece whose answer was lost", async () => {
    kernel.change({ written });
    await settle();
    button("download").click();
    await settle();
    kernel.held.splice(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kernel.held.map((one) => one.kind === "fetch" && one.offset)).toEqual([0, LIMITS.chunk]);
    for (const one of kernel.held) give(one);
    await settle();
    expect(saved.map(({ blob }) => blob?.size)).toEqual([FILE.length]);
  });

  it("says why a file can't be had", async () => {
    kernel.holding = () => false;
    kernel.answers.fetch = () => ({ ok: false, error: "it has changed; export again" });
    kernel.change({ written });
    await settle();
    button("download").click();
    await settle();
    expect(part(root, "message").textContent).toContain("export again");
    expect(saved).toHaveLength(0);
    expect(button("export").textContent).toBe("Export 12");
  });
});
