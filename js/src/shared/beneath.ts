// Beneath an editor: the preview of its edit on many pictures, another widget of its own.
//
// The editor's trait `batch` names it. How a host makes a view of another widget differs: anywidget
// has a way since 0.11, before that the widget manager has one, and some hosts have neither. Then a
// line says how to see it.

import type { Model } from "./wire";

interface Host {
  getWidget(ref: string): Promise<{
    render(options: { el: HTMLElement; signal: AbortSignal }): Promise<void>;
  }>;
}

interface View {
  readonly el: HTMLElement;
  remove(): void;
}

interface Manager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown, options: object): Promise<View>;
}

const TRAIT = "batch";
const PREFIX = "IPY_MODEL_";
/** A page that is loaded again may know the editor a little before the preview. */
const TRIES = 8;
const PAUSE_MS = 400;

/** Shows in `el`, after what is there, the widget that the model names; returns what ends it. */
export function showBeneath(model: Model, el: HTMLElement, host?: unknown): () => void {
  let shown: { ref: unknown; end(): void } | null = null;

  const update = () => {
    const ref = model.get(TRAIT);
    if (ref === shown?.ref) return;
    shown?.end();
    shown = null;
    if (typeof ref !== "string" || !ref.startsWith(PREFIX)) return;
    const place = document.createElement("div");
    place.dataset.testid = "beneath";
    place.style.marginTop = "6px";
    el.append(place);
    const ending = new AbortController();
    shown = {
      ref,
      end() {
        ending.abort();
        place.remove();
      },
    };
    const id = ref.slice(PREFIX.length);
    void draw(model, host, id, place, ending.signal).catch(() => {
      if (!ending.signal.aborted) place.textContent = HINT;
    });
  };

  model.on(`change:${TRAIT}`, update);
  update();
  return () => {
    model.off(`change:${TRAIT}`, update);
    shown?.end();
  };
}

const HINT = "The batch preview can't be shown here: write editor.batch in a cell of its own.";

async function draw(
  model: Model,
  host: unknown,
  id: string,
  el: HTMLElement,
  signal: AbortSignal,
): Promise<void> {
  const { getWidget } = (host ?? {}) as Partial<Host>;
  if (getWidget !== undefined) {
    const widget = await patiently(() => getWidget(`anywidget:${id}`), signal);
    return widget.render({ el, signal });
  }
  const manager = (model as { widget_manager?: Manager }).widget_manager;
  if (manager?.create_view === undefined) throw new Error("no way to show another widget");
  const view = await patiently(async () => {
    return manager.create_view(await manager.get_model(id), {});
  }, signal);
  if (signal.aborted) return view.remove();
  signal.addEventListener("abort", () => view.remove());
  el.append(view.el);
}

/** Tries again for a while. */
async function patiently<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === TRIES || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
