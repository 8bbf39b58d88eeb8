// Keys: which key runs which command. The help panel is printed from the same table.

import type { CommandName } from "./editor";

export interface Binding {
  /** As typed: "p", "?", "Mod+z" (Ctrl, or Cmd on a Mac), "Shift+Mod+z", "Delete". */
  readonly keys: readonly string[];
  readonly command: CommandName | null;
  readonly label: string;
}

export interface BindingGroup {
  readonly title: string;
  readonly bindings: readonly Binding[];
}

export const KEYS: readonly BindingGroup[] = [
  {
    title: "Drag",
    bindings: [
      { keys: ["s"], command: "startStop", label: "start or stop" },
      { keys: ["r"], command: "reset", label: "reset" },
      { keys: ["Mod+z"], command: "undo", label: "undo" },
      { keys: ["Shift+Mod+z", "Mod+y"], command: "redo", label: "redo" },
      { keys: ["n"], command: "newSeed", label: "another picture" },
      { keys: ["g"], command: "models", label: "another generator" },
    ],
  },
  {
    title: "Points",
    bindings: [
      { keys: ["p"], command: "points", label: "place points: handle, then target" },
      { keys: ["Tab"], command: null, label: "go through the points" },
      { keys: ["Arrows"], command: null, label: "nudge by 1 px, with Shift by 10" },
      { keys: ["Delete", "Backspace"], command: "deletePair", label: "delete the pair" },
      { keys: ["Escape"], command: "escape", label: "leave what is begun or open" },
    ],
  },
  {
    title: "On the image without a mouse",
    bindings: [
      { keys: ["Arrows"], command: null, label: "move the crosshair" },
      { keys: ["Enter"], command: null, label: "place a point; begin and end a stroke" },
      { keys: ["?"], command: "help", label: "this list" },
    ],
  },
  {
    title: "Mask: what may move",
    bindings: [
      { keys: ["b"], command: "brush", label: "brush" },
      { keys: ["e"], command: "eraser", label: "eraser" },
      { keys: ["l"], command: "lasso", label: "lasso" },
      { keys: ["["], command: "smaller", label: "smaller brush" },
      { keys: ["]"], command: "larger", label: "larger brush" },
      { keys: ["i"], command: "invertMask", label: "invert" },
      { keys: ["x"], command: "clearMask", label: "clear" },
      { keys: ["m"], command: "toggleOverlay", label: "show or hide" },
    ],
  },
  {
    title: "Picture",
    bindings: [
      { keys: ["c"], command: null, label: "hold to see it as before" },
      { keys: ["0", "f"], command: "fit", label: "fit" },
      { keys: ["1"], command: "actualSize", label: "100 %" },
      { keys: ["+", "="], command: "zoomIn", label: "zoom in (or the wheel)" },
      { keys: ["-"], command: "zoomOut", label: "zoom out" },
      { keys: ["Space"], command: null, label: "hold to pan with the pointer" },
      { keys: ["y"], command: "copyCode", label: "copy as Python" },
      { keys: ["d"], command: "savePng", label: "save PNG" },
    ],
  },
];

/** How a key event is written in the table. */
export function chord(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">,
): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Alt Gr, which Windows calls Ctrl and Alt, is part of what a character is: "[" on many keyboards.
  const typedWithAlt = event.altKey && /^[^\p{L}\d\s]$/u.test(key);
  const alt = event.altKey && !typedWithAlt;
  const mod = (event.ctrlKey && !typedWithAlt) || event.metaKey;
  // So is Shift ("?"), but not of a letter or of a named key.
  const shifted = event.shiftKey && (mod || key.length > 1);
  return `${alt ? "Alt+" : ""}${shifted ? "Shift+" : ""}${mod ? "Mod+" : ""}${key}`;
}

/** The command of a chord, or null. */
export function commandFor(pressed: string): CommandName | null {
  for (const { bindings } of KEYS) {
    const binding = bindings.find(
      ({ keys, command }) => command !== null && keys.includes(pressed),
    );
    if (binding !== undefined) return binding.command;
  }
  return null;
}

const NAMES: Record<string, string> = {
  Arrows: "← ↑ → ↓",
  Delete: "Del",
  Backspace: "⌫",
  Escape: "Esc",
};

/** A table key as a person reads it. */
export function keyLabel(binding: string, mac: boolean): string {
  const parts = binding === "+" ? ["+"] : binding.split("+");
  const key = parts.pop() ?? "";
  const mod = parts.includes("Mod") ? (mac ? "⌘" : "Ctrl ") : "";
  const shift = parts.includes("Shift") ? "⇧" : "";
  return mod + shift + (NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}

const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The way an arrow key points, in image pixels: 1, or 10 with Shift. Null for other keys. */
export function arrow({
  key,
  shiftKey,
}: Pick<KeyboardEvent, "key" | "shiftKey">): readonly [number, number] | null {
  const way = ARROWS[key];
  if (way === undefined) return null;
  const length = shiftKey ? 10 : 1;
  return [way[0] * length, way[1] * length];
}
