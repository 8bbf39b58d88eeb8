// @vitest-environment jsdom

// Choosing another generator, seeing it come, and going back.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as module from "../../src/drag/index";
import type { KnownModel, Loading } from "../../src/shared/protocol.gen";
import { click, part, press, standIn } from "../fakes/browser";
import { HOSTS, Host } from "../fakes/hosts";
import { FakeKernel } from "../fakes/kernel";

let host: Host;
let kernel: FakeKernel;
let root: HTMLElement;

const settle = () => vi.advanceTimersByTimeAsync(100);

const known = (name: string, changes: Partial<KnownModel> = {}): KnownModel => ({
  name,
  title: "faces",
  resolution: 512,
  source: "somebody",
  licence: "theirs",
  at_hand: false,
  size: null,
  ...changes,
});

const MODELS = [
  known("toonfaces-128", { title: "drawn portraits", at_hand: true, size: 2.6e6 }),
  known("ffhq-512", { size: 381e6 }),
  known("afhqdog-512", { title: "dogs" }),
  known("dogs-1024", { title: "dogs" }),
];

const listed = () =>
  [...root.querySelectorAll(".nb-models b")].map(({ textContent }) => textContent);

const field = () => part(root, "model-source") as HTMLInputElement;

async function type(text: string): Promise<void> {
  field().value = text;
  field().dispatchEvent(new Event("input", { bubbles: true }));
  await settle();
}

async function enter(): Promise<void> {
  field().form?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  await settle();
}

async function choose(file: File): Promise<void> {
  const input = part(root, "model-file") as HTMLInputElement;
  Object.defineProperty(input, "files", { value: [file] });
  input.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
}

beforeEach(async () => {
  vi.useFakeTimers();
  standIn();
  host = new Host(HOSTS.jupyterlab);
  kernel = new FakeKernel(host);
  kernel.answers.get_models = () => ({ models: MODELS });
  await host.open(module);
  root = await host.show();
  await settle();
});

afterEach(() => {
  host.close();
  vi.useRealTimers();
});

describe("the sheet", () => {
  beforeEach(async () => {
    press(root, "g");
    await settle();
  });

  it("lists what the kernel knows, says where it is, and marks the present one", () => {
    expect(listed()).toEqual(MODELS.map(({ name }) => name));
    expect(part(root, "model-toonfaces-128").textContent).toContain("at hand");
    expect(part(root, "model-ffhq-512").textContent).toContain("381 MB");
    expect(part(root, "model-dogs-1024").textContent).toContain("download");
    expect(part(root, "model-toonfaces-128").getAttribute("aria-current")).toBe("true");
    expect(document.activeElement).toBe(field());
  });

  it("loads the one that is clicked, and closes", async () => {
    part(root, "model-ffhq-512").click();
    await settle();
    expect(kernel.last("load_model")?.source).toBe("ffhq-512");
    expect(root.querySelector('[data-testid="models-panel"]')).toBeNull();
  });

  it("finds by words of name and title", async () => {
    await type("dogs 1024");
    expect(listed()).toEqual(["dogs-1024"]);
    await enter();
    expect(kernel.last("load_model")?.source).toBe("dogs-1024");
  });

  it("takes an address as it is", async () => {
    await type(" hf:owner/name/file.pkl ");
    expect(listed()).toEqual([]);
    await enter();
    expect(kernel.last("load_model")?.source).toBe("hf:owner/name/file.pkl");
  });

  it("leaves what it means to the kernel, where several are left", async () => {
    await type("dogs");
    await enter();
    expect(kernel.last("load_model")?.source).toBe("dogs");
  });

  it("is walked through by the arrow keys, and left by Escape", async () => {
    press(field(), "ArrowDown");
    expect(document.activeElement).toBe(part(root, "model-toonfaces-128"));
    press(document.activeElement as HTMLElement, "ArrowDown");
    press(document.activeElement as HTMLElement, "ArrowDown");
    press(document.activeElement as HTMLElement, "ArrowUp");
    expect(document.activeElement).toBe(part(root, "model-ffhq-512"));
    press(part(root, "model-toonfaces-128"), "ArrowUp");
    expect(document.activeElement).toBe(field());
    press(field(), "Escape");
    await settle();
    expect(root.querySelector('[data-testid="models-panel"]')).toBeNull();
    expect(kernel.all("load_model")).toEqual([]);
  });
});

describe("a generator on its way", () => {
  const loading: Loading = { kind: "loading", name: "lions", text: "reading", fraction: 0.349 };

  it("is shown with its progress, and can be stopped", async () => {
    kernel.change({ loading: { ...loading, fraction: null } });
    await settle();
    const bar = () => part(root, "loading").querySelector("progress") as HTMLProgressElement;
    expect(bar().hasAttribute("value")).toBe(false);
    kernel.say(loading);
    await settle();
    expect(part(root, "loading").textContent).toContain("34 %");
    expect(bar().value).toBeCloseTo(0.349);
    part(root, "stop-loading").click();
    await settle();
    expect(kernel.all("stop_loading")).toHaveLength(1);
    kernel.change({ loading: null });
    await settle();
    expect(root.querySelector('[data-testid="loading"]')).toBeNull();
  });

  it("begins with nothing of the one before, and leads back to it", async () => {
    const stage = part(root, "stage");
    click(stage, [30, 40]);
    press(root, "+");
    await settle();
    expect(root.querySelector('[data-testid="goBack"]')).toBeNull();
    kernel.change({
      model: { name: "lions", width: 512, height: 512, num_ws: 16, num_labels: 0 },
      previous: "toonfaces-128",
    });
    await settle();
    expect(root.querySelectorAll(".nb-point")).toHaveLength(0);
    expect(stage.getAttribute("aria-label")).toContain("512 by 512");
    click(stage, [64, 64]);
    click(stage, [32, 64]);
    await settle();
    expect(kernel.last("set_points")?.points).toEqual([[256, 256, 128, 256]]);
    part(root, "goBack").click();
    await settle();
    expect(kernel.all("go_back")).toHaveLength(1);
  });

  it("may have classes, one of which is drawn", async () => {
    expect(root.querySelector('[data-testid="class"]')).toBeNull();
    kernel.change({
      model: { name: "things", width: 128, height: 128, num_ws: 12, num_labels: 10 },
      label: 3,
    });
    await settle();
    const field = part(root, "class") as HTMLInputElement;
    expect(field.value).toBe("3");
    field.value = "7";
    field.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(kernel.last("sample")).toMatchObject({ seed: 11, truncation: 0.7, label: 7 });
    field.value = "10";
    field.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(kernel.all("sample")).toHaveLength(1);
    expect(part(root, "message").textContent).toContain("from 0 to 9");
  });
});

describe("a file", () => {
  beforeEach(async () => {
    press(root, "g");
    await settle();
  });

  it("is announced and sent", async () => {
    await choose(new File([Uint8Array.from([1, 2, 3, 4])], "mine.pkl"));
    await settle();
    const upload = kernel.last("upload");
    expect(upload).toMatchObject({ name: "mine.pkl", size: 4 });
    expect(kernel.files.get(upload?.id ?? -1)).toEqual([1, 2, 3, 4]);
    expect(root.querySelector('[data-testid="models-panel"]')).toBeNull();
  });

  it("is not sent if it is empty, or if the kernel has no room for it", async () => {
    await choose(new File([], "nothing.pkl"));
    expect(kernel.all("upload")).toEqual([]);
    expect(part(root, "message").textContent).toContain("nothing.pkl is empty");
    kernel.answers.upload = () => ({ ok: false, error: "no room" });
    press(root, "g");
    await settle();
    await choose(new File([Uint8Array.from([1])], "mine.pkl"));
    await settle();
    expect(part(root, "message").textContent).toBe("no room");
    expect(kernel.all("chunk")).toEqual([]);
  });

  it("is given up when the page goes away", async () => {
    kernel.answers.chunk = () => ({ ok: false, error: "no longer wanted" });
    const file = new File([Uint8Array.from([1])], "mine.pkl");
    let read: (bytes: ArrayBuffer) => void = () => undefined;
    file.slice = () =>
      ({ arrayBuffer: () => new Promise((resolve) => (read = resolve)) }) as unknown as Blob;
    await choose(file);
    dispatchEvent(new Event("pagehide"));
    await settle();
    expect(kernel.all("stop_loading")).toHaveLength(1);
    read(new ArrayBuffer(1));
    await settle();
    expect(kernel.all("chunk")).toEqual([]);
    dispatchEvent(new Event("pagehide"));
    await settle();
    expect(kernel.all("stop_loading")).toHaveLength(1);
  });

  it("that cannot be read is given up, and says so", async () => {
    const file = new File([Uint8Array.from([1])], "mine.pkl");
    file.slice = () => {
      throw new Error("it is gone");
    };
    await choose(file);
    await settle();
    expect(kernel.all("stop_loading")).toHaveLength(1);
    expect(part(root, "message").textContent).toContain("mine.pkl could not be read");
  });
});
