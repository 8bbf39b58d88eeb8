// The painter's keys. Those of the parts, 1 to 9 and on, are in `keyboard`.

import type { BindingGroup } from "../shared/keys";
import type { CommandName } from "./editor";

export const KEYS: readonly BindingGroup<CommandName>[] = [
  {
    title: "Picture",
    bindings: [
      { keys: ["s"], command: "startStop", label: "apply, or stop" },
      { keys: ["a"], command: "live", label: "follow by itself" },
      { keys: ["r"], command: "reset", label: "reset to the first picture" },
      { keys: ["Mod+z"], command: "undo", label: "undo a stroke, or an edit" },
      { keys: ["Shift+Mod+z", "Mod+y"], command: "redo", label: "redo" },
      { keys: ["n"], command: "newSeed", label: "another picture" },
      { keys: ["g"], command: "models", label: "another generator" },
    ],
  },
  {
    title: "Parts",
    bindings: [
      { keys: ["1–9", "0"], command: null, label: "choose a part; with Shift the 11th and on" },
      {
        keys: ["i"],
        command: "pick",
        label: "pick the part under the pointer (or Alt, right click)",
      },
      { keys: ["b"], command: "brush", label: "brush" },
      { keys: ["e"], command: "eraser", label: "eraser: as it was found" },
      { keys: ["l"], command: "lasso", label: "lasso: draw, or click corners" },
      { keys: ["k"], command: "fill", label: "fill" },
      { keys: ["u"], command: "line", label: "line" },
      { keys: ["v"], command: "move", label: "move and scale a part" },
      { keys: ["."], command: "grow", label: "larger, with that tool" },
      { keys: [","], command: "shrink", label: "smaller, with that tool" },
      { keys: ["m"], command: "mirror", label: "both sides at once" },
      { keys: ["["], command: "smaller", label: "smaller brush" },
      { keys: ["]"], command: "larger", label: "larger brush" },
      { keys: ["x"], command: "restore", label: "the map as it was found" },
    ],
  },
  {
    title: "Without a mouse",
    bindings: [
      {
        keys: ["Arrows"],
        command: null,
        label: "move the crosshair, or the part; with Shift by 10",
      },
      { keys: ["Enter"], command: null, label: "begin and end a stroke; pick; fill" },
      { keys: ["Backspace"], command: null, label: "take back a corner of the lasso" },
      { keys: ["Escape"], command: "escape", label: "leave what is begun or open" },
      { keys: ["?"], command: "help", label: "this list" },
    ],
  },
  {
    title: "View",
    bindings: [
      { keys: ["o"], command: "over", label: "the map over the picture, or beside it" },
      { keys: ["c"], command: null, label: "hold to see it as before" },
      { keys: ["f"], command: "fit", label: "fit" },
      { keys: ["z"], command: "actualSize", label: "100 %" },
      { keys: ["+", "="], command: "zoomIn", label: "zoom in (or the wheel)" },
      { keys: ["-"], command: "zoomOut", label: "zoom out" },
      { keys: ["Space"], command: null, label: "hold to pan with the pointer" },
      { keys: ["y"], command: "copyCode", label: "copy as Python" },
      { keys: ["d"], command: "savePng", label: "save PNG" },
      { keys: ["j"], command: "toBatch", label: "send the edit to many pictures" },
    ],
  },
  {
    title: "Vectors",
    bindings: [
      { keys: ["Arrows"], command: null, label: "move the slider that has the focus" },
      { keys: ["Home"], command: null, label: "double click, or Home: back to 0" },
      { keys: ["w"], command: "refine", label: "repair what they did beside their parts" },
      { keys: ["t"], command: "learn", label: "learn a vector from this edit" },
    ],
  },
];
