// Keys: how they are written in a widget's table, and which command they run. The help panel is
// printed from the same table.

export interface Binding<Name extends string = string> {
  /** As typed: "p", "?", "Mod+z" (Ctrl, or Cmd on a Mac), "Shift+Mod+z", "Delete". */
  readonly keys: readonly string[];
  /** The command it runs; null for what is done elsewhere, and only listed. */
  readonly command: Name | null;
  readonly label: string;
}

export interface BindingGroup<Name extends string = string> {
  readonly title: string;
  readonly bindings: readonly Binding<Name>[];
}

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
export function commandFor<Name extends string>(
  keys: readonly BindingGroup<Name>[],
  pressed: string,
): Name | null {
  for (const { bindings } of keys) {
    const binding = bindings.find(
      ({ keys: names, command }) => command !== null && names.includes(pressed),
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
