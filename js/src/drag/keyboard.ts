// The keyboard: runs commands, nudges points, and draws with a crosshair on the stage.

import { clampToImage, type Point } from "../shared/viewport";
import { type Editor, scrollTo } from "./editor";
import type { Gestures } from "./gestures";
import { arrow, chord, commandFor } from "./keys";
import { nudged } from "./points";
import { isEditable, isRunning, shownPairs } from "./store";

export function listenToKeys(root: HTMLElement, editor: Editor, gestures: Gestures): () => void {
  const { view, session } = editor;
  const stage = root.querySelector<HTMLElement>(".nb-stage");

  const compare = (comparing: boolean) =>
    view.dispatch({ comparing: comparing && session.store.get().before !== null });

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (isTyping(target)) {
      // What is typed into a field is nobody else's key.
      event.stopPropagation();
      if (event.key !== "Escape") return;
      if (view.get().panel !== null) editor.commands.escape.run();
      else stage?.focus({ preventScroll: true });
      return;
    }
    if (!handle(event, target)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** True when the key was for the editor. */
  const handle = (event: KeyboardEvent, target: HTMLElement): boolean => {
    const pressed = chord(event);
    if (target.closest(".nb-stage") && handleOnStage(event, target)) return true;
    if (pressed === "c") {
      compare(true);
      return true;
    }
    if (pressed === "Escape") gestures.cancel();
    const command = commandFor(pressed);
    if (command === null) return false;
    if (!event.repeat || command === "zoomIn" || command === "zoomOut")
      editor.commands[command].run();
    return true;
  };

  const handleOnStage = (event: KeyboardEvent, target: HTMLElement): boolean => {
    if (event.key === " ") {
      if (stage) stage.dataset.panning = "";
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const way = arrow(event);
    if (way !== null) {
      const { selected } = view.get();
      if (target.matches(".nb-point") && selected !== null) nudge(way);
      else moveCrosshair(way);
      return true;
    }
    if (event.key === "Enter" && !target.matches(".nb-point")) {
      if (!event.repeat) pressCrosshair();
      return true;
    }
    return false;
  };

  const nudge = (by: Point) => {
    const { store } = session;
    const { selected } = view.get();
    if (selected === null || !isEditable(store.get())) return;
    if (isRunning(store.get()) && selected.role === "handle") return;
    const pairs = nudged(shownPairs(store.get()), selected, by, editor.imageSize());
    session.setPairs(pairs);
    const moved = pairs[selected.index]?.[selected.role];
    if (moved) scrollTo(editor, moved);
  };

  /** The crosshair begins at the image's centre. */
  const crosshair = () => {
    const { width, height } = editor.imageSize();
    return view.get().crosshair ?? { at: [width / 2, height / 2] as Point, down: false };
  };

  const moveCrosshair = ([dx, dy]: Point) => {
    const { at, down } = crosshair();
    const next = clampToImage([at[0] + dx, at[1] + dy], editor.imageSize());
    view.dispatch({ crosshair: { at: next, down } });
    if (down) gestures.move(next);
    else gestures.hover(next);
    scrollTo(editor, next);
  };

  /** Enter clicks with the points tool; with a mask tool it puts the brush down and lifts it. */
  const pressCrosshair = () => {
    const { at, down } = crosshair();
    if (down) gestures.release();
    else gestures.press({ at, reach: 0.5 });
    const drawing = !down && gestures.active && view.get().tool !== "points";
    if (!down && gestures.active && !drawing) gestures.release();
    view.dispatch({ crosshair: { at, down: drawing } });
  };

  const onKeyUp = (event: KeyboardEvent) => {
    if (event.key === "c" || event.key === "C") compare(false);
    if (event.key === " ") delete stage?.dataset.panning;
  };

  /** The keyboard went elsewhere with a key still down. */
  const onBlur = (event: FocusEvent) => {
    if (event.relatedTarget instanceof Node && root.contains(event.relatedTarget)) return;
    compare(false);
    delete stage?.dataset.panning;
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

/** Whether keys go into a text or number field, or a list. */
function isTyping(target: HTMLElement): boolean {
  if (target instanceof HTMLInputElement) {
    return target.type !== "range" && target.type !== "checkbox";
  }
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
