// @vitest-environment jsdom

// The batch's bundle as it ships, under managers that behave like the hosts' own.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeBatchKernel } from "../fakes/batchKernel";
import { part, standIn } from "../fakes/browser";
import { HOSTS, Host, type HostTraits } from "../fakes/hosts";
import { PIXELS } from "../fakes/kernel";

const bundle = await import("../../dist/test/batch.js");

let host: Host;
let kernel: FakeBatchKernel;

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function open(traits: HostTraits, state: Record<string, unknown> = {}): Promise<HTMLElement> {
  host = new Host(traits, state);
  kernel = new FakeBatchKernel(host);
  await host.open(bundle);
  return host.show();
}

beforeEach(() => {
  vi.useFakeTimers();
  standIn();
});

afterEach(() => {
  host.close();
  expect(host.listening).toBe(0);
  vi.useRealTimers();
});

describe.each(["jupyterlab", "colab", "marimo"] as const)("in %s", (name) => {
  const traits = HOSTS[name];
  const answer = 4 * traits.latency + 300;

  it("comes up with its pictures, and the slider moves them", async () => {
    const root = await open(traits);
    expect(root.dataset.state).toBe("connecting");
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
    expect(part(root, "after-0").dataset.picture).toBe("shown");
    const slider = part<HTMLInputElement>(root, "strength");
    slider.value = "0.25";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    slider.dispatchEvent(new Event("change", { bubbles: true }));
    await wait(2 * answer);
    expect(kernel.state.strength).toBe(0.25);
    expect(root.dataset.settled).toBe("true");
  });

  it("gets a file whole, whatever kind of buffers the host hands over", async () => {
    const root = await open(traits);
    await wait(answer);
    const file = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    const blobs: Blob[] = [];
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      blobs.push(blob as Blob);
      return "blob:1";
    });
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockReturnValue(undefined);
    kernel.holding = (message) => message.kind === "fetch";
    kernel.change({ written: { number: 1, name: "table.csv", size: file.length } });
    await wait(answer);
    part(root, "download").click();
    await wait(answer);
    const [asked] = kernel.held;
    if (asked?.kind !== "fetch") throw new Error("nothing was asked for");
    kernel.say({ kind: "reply", id: asked.id, ok: true, error: null }, file);
    await wait(answer);
    const saved = await blobs.at(-1)?.arrayBuffer();
    expect(Buffer.from(saved ?? new ArrayBuffer(0)).equals(Buffer.from(file))).toBe(true);
    vi.restoreAllMocks();
  });

  it("says that the kernel is gone, and comes back with a new one", async () => {
    const root = await open(traits);
    await wait(answer);
    host.dead = true;
    part(root, "pictures-0").click();
    await wait(answer);
    expect(root.dataset.state).toBe("gone");
    expect(part(root, "status").textContent).toContain("Run the cell again");
    host.dead = false;
    kernel.change({});
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
  });
});

it("shows the saved sheet where there is no kernel, and nothing that could be moved", async () => {
  const seed = new FakeBatchKernel(new Host(HOSTS.jupyterlab));
  const saved = { ...seed.state, strength: 1.4, running: "search" };
  const root = await open(HOSTS.static, { saved, still: PIXELS });
  await wait(20_000);
  expect(root.dataset.state).toBe("static");
  expect(part<HTMLImageElement>(root, "sheet").alt).toBe("face front, before and after");
  expect(part(root, "strength-value").textContent).toBe("1.40");
  expect(part<HTMLInputElement>(root, "strength").disabled).toBe(true);
  expect(root.querySelector('[data-testid="grid"]')).toBeNull();
  expect(part(root, "status").textContent).toContain("run the notebook");
});

it("asks to reload where page and kernel speak different protocols", async () => {
  const root = await open(HOSTS.jupyterlab);
  await wait(300);
  kernel.change({ protocol: 99 });
  await wait(300);
  expect(root.dataset.state).toBe("error");
  expect(part(root, "message").textContent).toContain("reload the page");
});
