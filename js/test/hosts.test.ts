// @vitest-environment jsdom

// Host conformance: the bundle as it ships, under managers that behave like the hosts' own.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { here } from "../bundle.mjs";
import { click, part, pointer, press, scroll, standIn } from "./fakes/browser";
import { HOSTS, Host, type HostTraits } from "./fakes/hosts";
import { FakeKernel, PIXELS, snapshot } from "./fakes/kernel";
import { FakePaintKernel } from "./fakes/paintKernel";

const bundle = await import("../dist/test/drag.js");
const painter = await import("../dist/test/paint.js");

let host: Host;
let kernel: FakeKernel;

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function open(traits: HostTraits, state: Record<string, unknown> = {}): Promise<HTMLElement> {
  host = new Host(traits, state);
  kernel = new FakeKernel(host);
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
  /** There, back and there again, with a few animation frames. */
  const answer = 3 * traits.latency + 200;

  it("comes up, and shows the kernel's picture and state", async () => {
    const root = await open(traits);
    expect(root.dataset.state).toBe("connecting");
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
    expect(root.dataset.frames).toBe("1");
    expect(root.dataset.modelVersion).toBe("1");
    expect(part(root, "model").textContent).toBe("toonfaces-128");
    expect(root.querySelector('[data-testid="history-0"] img')).not.toBeNull();
    expect(kernel.last("ack")?.seq).toBe(1);
  });

  it("places a pair, starts, follows the frames, stops", async () => {
    const root = await open(traits);
    await wait(answer);
    const stage = part(root, "stage");
    click(stage, [30, 40]);
    click(stage, [50, 60]);
    await wait(answer);
    expect(kernel.state.points).toEqual([[30, 40, 50, 60]]);

    kernel.answers.start = () => {
      kernel.change({ running: true, progress: null });
      return {};
    };
    part(root, "start").click();
    await wait(answer);
    expect(root.dataset.state).toBe("running");

    for (let step = 1; step <= 30; step++) {
      kernel.frame({ step, points: [[30 + step / 3, 40, 50, 60]], distances: [20] });
      await wait(33);
    }
    await wait(answer);
    expect(root.dataset.step).toBe("30");
    expect(Number(part(root, "handle-1").dataset.x)).toBeCloseTo(40);
    expect(kernel.last("ack")?.seq).toBe(31);
    expect(kernel.all("ack").length).toBeLessThan(12);

    kernel.answers.stop = () => {
      kernel.change({ running: false, points: [[40, 40, 50, 60]] });
      return {};
    };
    part(root, "stop").click();
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
    expect(part(root, "start").textContent).toBe("Start");
  });

  it("shows the same in several views, and goes on when one is closed", async () => {
    const first = await open(traits);
    const second = await host.show();
    await wait(answer);
    const stage = part(first, "stage");
    pointer(stage, "pointerdown", [30, 40]);
    pointer(stage, "pointermove", [50, 60]);
    pointer(stage, "pointerup", [50, 60]);
    await wait(answer);
    for (const root of [first, second]) {
      expect(part(root, "target-1").getAttribute("aria-label")).toBe("Target 1 at 50.0, 60.0");
    }
    const third = await host.show();
    await wait(answer);
    expect(part(third, "handle-1").dataset.x).toBe("30");
  });

  it("says that the kernel is gone, and comes back with a new one", async () => {
    const root = await open(traits);
    await wait(answer);
    host.dead = true;
    part(root, "start").click();
    await wait(answer);
    expect(root.dataset.state).toBe("gone");
    expect(part(root, "status").textContent).toContain("Run the cell again");
    expect(part<HTMLButtonElement>(root, "start").disabled).toBe(true);
    host.dead = false;
    kernel.change({});
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
  });

  it("notices a kernel that doesn't answer any more", async () => {
    const root = await open(traits);
    await wait(answer);
    host.onSend = () => undefined;
    await wait(20_000);
    expect(root.dataset.state).toBe("silent");
  });

  it("acknowledges nothing while it is out of sight", async () => {
    await open(traits);
    await wait(answer);
    scroll(false);
    const before = kernel.all("ack").length;
    for (let step = 1; step <= 20; step++) kernel.frame({ step });
    await wait(answer);
    expect(kernel.all("ack")).toHaveLength(before);
    scroll(true);
    await wait(answer);
    expect(kernel.last("ack")?.seq).toBe(21);
  });

  it("compares with the newest picture, however long an older one takes to decode", async () => {
    await open(traits);
    await wait(answer);
    const closed: number[] = [];
    const decode = async (blob: Blob) => {
      await new Promise((resolve) => setTimeout(resolve, blob.size === 1 ? 300 : 10));
      return { width: 128, height: 128, close: () => closed.push(blob.size) };
    };
    vi.stubGlobal("createImageBitmap", decode);
    kernel.say({ kind: "before", format: "image/webp" }, new Uint8Array(1));
    kernel.say({ kind: "before", format: "image/webp" }, new Uint8Array(2));
    await wait(answer + 300);
    expect(closed).toEqual([1]);
  });

  it("survives messages that it doesn't understand", async () => {
    const root = await open(traits);
    await wait(answer);
    for (const nonsense of [null, 5, {}, { kind: "later" }, { kind: "frame" }, { kind: "reply" }]) {
      host.deliver(nonsense as never, []);
    }
    await wait(answer);
    expect(root.dataset.state).toBe("idle");
  });

  it("refuses a kernel of another protocol, and says what to do", async () => {
    const root = await open(traits);
    kernel.state = snapshot({ protocol: 99 });
    await wait(answer);
    expect(part(root, "message").textContent).toContain("reload the page");
  });
});

describe.each(["jupyterlab", "colab", "marimo"] as const)("a painter in %s", (name) => {
  it("comes up with parts and map, and paints", async () => {
    host = new Host(HOSTS[name]);
    const paints = new FakePaintKernel(host);
    await host.open(painter);
    const root = await host.show();
    const answer = 3 * HOSTS[name].latency + 200;
    await wait(answer);
    expect(root.dataset.labels).toBe("1");
    expect(root.querySelectorAll('[role="radio"]')).toHaveLength(4);
    click(part(root, "map-stage"), [10, 10]);
    await wait(answer);
    expect(paints.partAt(10, 10)).toBe("skin");
    expect(root.dataset.labels).toBe("2");
  });
});

describe("in Colab", () => {
  it("does without the buffers of the first state", async () => {
    const root = await open(HOSTS.colab, { still: PIXELS, saved: {} });
    await wait(50);
    expect(root.dataset.frames).toBe("0");
    await wait(300);
    expect(root.dataset.frames).toBe("1");
  });
});

describe("in marimo's shadow root", () => {
  it("knows its focus, so that the wheel zooms only then", async () => {
    const root = await open(HOSTS.marimo);
    await wait(2000);
    const stage = part(root, "stage");
    const wheel = () => {
      const event = new WheelEvent("wheel", { deltaY: -100, bubbles: true, cancelable: true });
      stage.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(wheel()).toBe(false);
    stage.focus();
    expect(document.activeElement).not.toBe(stage);
    expect(wheel()).toBe(true);
    expect(press(stage, "0")).toBe(true);
  });

  it("takes slow replies for no loss of the kernel", async () => {
    const root = await open({ ...HOSTS.marimo, latency: 2500 });
    await wait(4500);
    expect(root.dataset.state).toBe("static");
    await wait(1000);
    expect(root.dataset.state).toBe("idle");
  });
});

describe("on a static page", () => {
  it("shows the saved picture and points, and nothing can be changed", async () => {
    const saved = snapshot({ points: [[30, 40, 50, 60]], running: true });
    const root = await open(HOSTS.static, { still: PIXELS, saved });
    await wait(5000);
    expect(root.dataset.state).toBe("static");
    expect(part(root, "handle-1").getAttribute("aria-label")).toBe("Handle 1 at 30.0, 40.0");
    expect(root.querySelector(".nb-empty")).toBeNull();
    for (const name of ["start", "undo", "redo", "reset", "copyCode", "savePng", "seed"]) {
      expect(part<HTMLButtonElement>(root, name).disabled, name).toBe(true);
    }
    click(part(root, "stage"), [10, 10]);
    press(part(root, "stage"), "ArrowLeft");
    press(part(root, "stage"), "Enter");
    await wait(100);
    expect(root.querySelectorAll(".nb-point")).toHaveLength(2);
  });

  it("reads no state that another version saved, and shows its picture still", async () => {
    const root = await open(HOSTS.static, {
      still: PIXELS,
      saved: snapshot({ protocol: 0, points: [[30, 40, 50, 60]] }),
    });
    await wait(5000);
    expect(root.dataset.state).toBe("static");
    expect(root.querySelectorAll(".nb-point")).toHaveLength(0);
    expect(root.querySelector(".nb-empty")).toBeNull();
  });

  it("says so when nothing was saved", async () => {
    const root = await open(HOSTS.static);
    await wait(5000);
    expect(part(root, "status").textContent).toContain("run the notebook");
    expect(root.textContent).not.toContain("Waiting");
  });
});

describe.each(["drag", "paint"])("the style sheet of %s", (name) => {
  it("touches nothing outside the widget", () => {
    const css = readFileSync(here(`dist/test/${name}.css`), "utf8");
    const sheet = document.head.appendChild(document.createElement("style"));
    sheet.textContent = css.replaceAll(/@container[^{]*/g, "@media all");
    const selectors = rules(sheet.sheet?.cssRules).flatMap(({ selectorText }) =>
      // What stands in brackets narrows a selector down and never widens it.
      selectorText.replaceAll(/\((?:[^()]|\([^()]*\))*\)/g, "").split(","),
    );
    expect(selectors.length).toBeGreaterThan(50);
    for (const selector of selectors) expect(selector.trim()).toMatch(/^(\.nbdrag|\.nb-)/);
    expect(css).not.toMatch(/:root|@import|url\(/);
    sheet.remove();
  });
});

function rules(list: CSSRuleList | undefined): CSSStyleRule[] {
  return [...(list ?? [])].flatMap((rule) => {
    if ("selectorText" in rule) return [rule as CSSStyleRule];
    return "cssRules" in rule ? rules((rule as CSSMediaRule).cssRules) : [];
  });
}
