// The drag editor's keys.

import type { BindingGroup } from "../shared/keys";
import type { CommandName } from "./editor";

export const KEYS: readonly BindingGroup<CommandName>[] = [
  {
    title: "Drag",
    bindings: [
      { keys: ["s"], command: "startStop", label: "start or stop" },
      { keys: ["h"], command: "toggleFollow", label: "the picture follows a held point, or not" },
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
      { keys: ["j"], command: "toBatch", label: "send the edit to many pictures" },
    ],
  },
];
