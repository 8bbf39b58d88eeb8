// @vitest-environment jsdom

// What is shown beneath an editor, in hosts that can and in hosts that can't.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { showBeneath } from "../../src/shared/beneath";
import type { Model } from "../../src/shared/wire";

/** A model whose trait can be set, and what listens to it. */
class Named {
  readonly callbacks = new Set<() => void>();
  widget_manager: unknown;
  constructor(private batch: unknown) {}
  get = () => this.batch;
  on = (_: string, callback: () => void) => void this.callbacks.add(callback);
  off = (_: string, callback: () => void) => void this.callbacks.delete(callback);
  send = () => undefined;
  set(batch: unknown) {
    this.batch = batch;
    for (const callback of this.callbacks) callback();
  }
}

let el: HTMLElement;
let drawn: { ref: string; signal: AbortSignal }[];

const host = {
  getWidget: async (ref: string) => ({
    async render({ el: place, signal }: { el: HTMLElement; signal: AbortSignal }) {
      drawn.push({ ref, signal });
      place.append(`view of ${ref}`);
    },
  }),
};

const show = (named: Named, by?: unknown) => showBeneath(named as unknown as Model, el, by);
const settle = () => vi.advanceTimersByTimeAsync(10_000);

beforeEach(() => {
  vi.useFakeTimers();
  el = document.createElement("div");
  drawn = [];
});
afterEach(() => void vi.useRealTimers());

it("shows nothing where the editor names nothing", async () => {
  const end = show(new Named(null), host);
  await settle();
  expect(el.childElementCount).toBe(0);
  end();
});

it("shows the widget that is named, another in its place, and takes it away at the end", async () => {
  const named = new Named("IPY_MODEL_one");
  const end = show(named, host);
  await settle();
  expect(el.textContent).toBe("view of anywidget:one");
  named.set("IPY_MODEL_one");
  named.set("IPY_MODEL_two");
  await settle();
  expect(el.textContent).toBe("view of anywidget:two");
  expect(drawn.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  end();
  expect(drawn[1]?.signal.aborted).toBe(true);
  expect(el.childElementCount).toBe(0);
  expect(named.callbacks.size).toBe(0);
});

it("waits for a widget that the page gets to know a little later", async () => {
  let tries = 0;
  const slow = {
    getWidget: async (ref: string) => {
      if (++tries < 4) throw new Error("not found");
      return host.getWidget(ref);
    },
  };
  const end = show(new Named("IPY_MODEL_one"), slow);
  await settle();
  expect(el.textContent).toBe("view of anywidget:one");
  end();
});

it("asks the widget manager where the host has no way of its own", async () => {
  const view = { el: document.createElement("p"), remove: vi.fn() };
  const named = new Named("IPY_MODEL_one");
  named.widget_manager = {
    get_model: async (id: string) => `model ${id}`,
    create_view: async (model: string) => {
      view.el.textContent = `view of ${model}`;
      return view;
    },
  };
  const end = show(named);
  await settle();
  expect(el.textContent).toBe("view of model one");
  end();
  expect(view.remove).toHaveBeenCalledOnce();
});

it("says how to see it where there is no way at all", async () => {
  const end = show(new Named("IPY_MODEL_one"));
  await settle();
  expect(el.textContent).toContain("write editor.batch in a cell");
  end();
});
