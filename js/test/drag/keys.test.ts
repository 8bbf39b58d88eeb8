import { describe, expect, it } from "vitest";
import { KEYS } from "../../src/drag/keys";
import { arrow, chord, commandFor, keyLabel } from "../../src/shared/keys";

const key = (name: string, mods: Partial<KeyboardEvent> = {}) => ({
  key: name,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...mods,
});

describe("a chord", () => {
  it.each([
    [key("p"), "points"],
    [key("P", { shiftKey: true }), "points"],
    [key("z", { ctrlKey: true }), "undo"],
    [key("z", { metaKey: true }), "undo"],
    [key("Z", { ctrlKey: true, shiftKey: true }), "redo"],
    [key("y", { ctrlKey: true }), "redo"],
    [key("y"), "copyCode"],
    [key("?", { shiftKey: true }), "help"],
    [key("+", { shiftKey: true }), "zoomIn"],
    [key("Delete"), "deletePair"],
    [key("Escape"), "escape"],
    [key("["), "smaller"],
    [key("[", { ctrlKey: true, altKey: true }), "smaller"],
  ])("%o runs %s", (event, command) => {
    expect(commandFor(KEYS, chord(event))).toBe(command);
  });

  it.each([
    key("s", { ctrlKey: true }),
    key("c", { ctrlKey: true }),
    key("r", { metaKey: true }),
    key("b", { altKey: true }),
    key("q"),
    key("F5"),
  ])("%o is left to the host", (event) => {
    expect(commandFor(KEYS, chord(event))).toBeNull();
  });
});

it("names no key twice", () => {
  const taken = KEYS.flatMap(({ bindings }) => bindings)
    .filter(({ command }) => command !== null)
    .flatMap(({ keys }) => keys);
  expect(new Set(taken).size).toBe(taken.length);
});

it("nudges by one pixel, with Shift by ten", () => {
  expect(arrow(key("ArrowLeft"))).toEqual([-1, 0]);
  expect(arrow(key("ArrowDown", { shiftKey: true }))).toEqual([0, 10]);
  expect(arrow(key("a"))).toBeNull();
});

it("reads as a person says it", () => {
  expect(keyLabel("Shift+Mod+z", false)).toBe("Ctrl ⇧Z");
  expect(keyLabel("Shift+Mod+z", true)).toBe("⌘⇧Z");
  expect(keyLabel("+", false)).toBe("+");
  expect(keyLabel("Delete", false)).toBe("Del");
});
