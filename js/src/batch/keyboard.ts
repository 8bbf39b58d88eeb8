// The keyboard: runs commands, and goes from tile to tile.

import { chord, commandFor } from "../shared/keys";
import { type Batch, placeOf, toggle } from "./batch";
import { KEYS } from "./keys";

/** Commands that a key held down runs again and again. */
const REPEATED = new Set(["weaker", "stronger", "less", "more"]);

/** Listens to keys in the whole widget; `columns` tells how many tiles stand in a row. */
export function listenToKeys(root: HTMLElement, batch: Batch, columns: () => number): () => void {
  const { view, session } = batch;

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (isTyping(target)) {
      // What is typed into a field is nobody else's key.
      event.stopPropagation();
      if (event.key === "Escape") {
        batch.commands.escape.run();
        root.querySelector<HTMLElement>(".nb-tiles")?.focus({ preventScroll: true });
      }
      return;
    }
    if (!handle(event, target)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** True when the key was for the batch. */
  const handle = (event: KeyboardEvent, target: HTMLElement): boolean => {
    const pressed = chord(event);
    if (target.matches(".nb-tiles") && handleInGrid(event)) return true;
    if (pressed === "c") {
      view.dispatch({ comparing: true });
      return true;
    }
    const command = commandFor(KEYS, pressed);
    if (command === null || event.ctrlKey || event.metaKey) return false;
    // A button that has the focus is pressed by these itself.
    if (!event.repeat || REPEATED.has(command)) batch.commands[command].run();
    return true;
  };

  const handleInGrid = (event: KeyboardEvent): boolean => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { active } = view.get();
    if (event.key === " " || event.key === "Enter") {
      if (active !== null && !event.repeat) toggle(batch, active, event.shiftKey);
      return true;
    }
    const state = session.store.get();
    const last = state.order.length - 1;
    const place = placeOf(state, active);
    const to = destination(event.key, place, columns(), last);
    if (to === null) return false;
    const item = state.order[to];
    if (item !== undefined) view.dispatch({ active: item });
    return true;
  };

  const onKeyUp = (event: KeyboardEvent) => {
    if (event.key === "c" || event.key === "C") view.dispatch({ comparing: false });
  };

  /** The keyboard went elsewhere with a key still down. */
  const onBlur = (event: FocusEvent) => {
    if (event.relatedTarget instanceof Node && root.contains(event.relatedTarget)) return;
    view.dispatch({ comparing: false });
  };

  root.addEventListener("keydown", onKeyDown);
  root.addEventListener("keyup", onKeyUp);
  root.addEventListener("focusout", onBlur);
  return () => {
    root.removeEventListener("keydown", onKeyDown);
    root.removeEventListener("keyup", onKeyUp);
    root.removeEventListener("focusout", onBlur);
  };
}

/** Where a key leads from a place; null, if nowhere. From none (-1), it leads to the first. */
export function destination(
  key: string,
  place: number,
  columns: number,
  last: number,
): number | null {
  const ways: Record<string, number> = {
    ArrowLeft: place - 1,
    ArrowRight: place + 1,
    ArrowUp: place - columns,
    ArrowDown: place + columns,
    PageUp: place - 2 * columns,
    PageDown: place + 2 * columns,
    Home: 0,
    End: last,
  };
  const to = ways[key];
  if (to === undefined || last < 0) return null;
  if (place < 0) return key === "End" ? last : 0;
  if (key.startsWith("Page")) return Math.max(0, Math.min(last, to));
  return to < 0 || to > last ? place : to;
}

/** Whether keys go into a text or number field, or a list. */
function isTyping(target: HTMLElement): boolean {
  if (target instanceof HTMLInputElement) {
    return !["range", "checkbox", "radio"].includes(target.type);
  }
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
