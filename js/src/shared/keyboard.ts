// The keyboard: runs commands, and draws with a crosshair on the stage.

import { type AnyEditor, type Command, scrollTo } from "./editor";
import type { Gestures } from "./gestures";
import { arrow, chord, commandFor } from "./keys";
import { clampToImage, type Point } from "./viewport";

/** What a widget's keys do beside what all do. */
export interface OwnKeys {
  /** A key for something that lies on the stage; true when it was taken. */
  onStage?(event: KeyboardEvent, target: HTMLElement): boolean;
  /** A key anywhere in the widget; true when it was taken. */
  anywhere?(event: KeyboardEvent): boolean;
  /** Whether Enter puts the tool down and the next lifts it; else it is a click. */
  holds(): boolean;
}

export function listenToKeys(
  root: HTMLElement,
  editor: AnyEditor,
  gestures: Gestures,
  own: OwnKeys,
): () => void {
  const { view, session } = editor;

  const compare = (comparing: boolean) =>
    view.dispatch({ comparing: comparing && session.store.get().before !== null });

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (isTyping(target)) {
      // What is typed into a field is nobody else's key.
      event.stopPropagation();
      if (event.key !== "Escape") return;
      if (view.get().panel !== null) editor.commands.escape.run();
      else root.querySelector<HTMLElement>(".nb-stage")?.focus({ preventScroll: true });
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
    if (own.anywhere?.(event)) return true;
    if (pressed === "Escape") gestures.cancel();
    const command = commandFor(editor.keys, pressed);
    if (command === null) return false;
    if (!event.repeat || command === "zoomIn" || command === "zoomOut")
      (editor.commands as Record<string, Command>)[command]?.run();
    return true;
  };

  const handleOnStage = (event: KeyboardEvent, target: HTMLElement): boolean => {
    if (event.key === " ") {
      view.dispatch({ panning: true });
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (own.onStage?.(event, target)) return true;
    const way = arrow(event);
    if (way !== null) {
      moveCrosshair(way);
      return true;
    }
    if (event.key === "Enter" && target.matches(".nb-stage")) {
      if (!event.repeat) pressCrosshair();
      return true;
    }
    return false;
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

  const pressCrosshair = () => {
    const { at, down } = crosshair();
    if (down) gestures.release();
    else gestures.press({ at, reach: 0.5 });
    const drawing = !down && gestures.active && own.holds();
    if (!down && gestures.active && !drawing) gestures.release();
    view.dispatch({ crosshair: { at, down: drawing } });
  };

  const onKeyUp = (event: KeyboardEvent) => {
    if (event.key === "c" || event.key === "C") compare(false);
    if (event.key === " ") view.dispatch({ panning: false });
  };

  /** The keyboard went elsewhere with a key still down. */
  const onBlur = (event: FocusEvent) => {
    if (event.relatedTarget instanceof Node && root.contains(event.relatedTarget)) return;
    compare(false);
    view.dispatch({ panning: false });
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
