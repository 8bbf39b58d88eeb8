// The batch's keys.

import type { BindingGroup } from "../shared/keys";
import type { CommandName } from "./batch";

export const KEYS: readonly BindingGroup<CommandName>[] = [
  {
    title: "All pictures",
    bindings: [
      { keys: ["]"], command: "stronger", label: "stronger" },
      { keys: ["["], command: "weaker", label: "weaker" },
      { keys: ["1"], command: "learnt", label: "as the example was edited" },
      { keys: ["0"], command: "neutral", label: "as neutral as the average picture" },
      { keys: ["c"], command: null, label: "hold to see them as before" },
      { keys: ["s"], command: "sort", label: "sort otherwise" },
      { keys: ["a"], command: "all", label: "include all" },
      { keys: ["n"], command: "none", label: "include none" },
      { keys: ["i"], command: "others", label: "include the others instead" },
      { keys: ["Shift+Delete"], command: "allAutomatic", label: "all strengths automatic again" },
    ],
  },
  {
    title: "One picture",
    bindings: [
      { keys: ["Arrows"], command: null, label: "go to another" },
      { keys: ["Home", "End"], command: null, label: "to the first, the last" },
      { keys: ["Space", "Enter"], command: null, label: "include it, or not; with Shift a range" },
      { keys: ["+", "="], command: "more", label: "more of the edit" },
      { keys: ["-"], command: "less", label: "less of it" },
      {
        keys: ["Delete", "Backspace"],
        command: "automatic",
        label: "its strength automatic again",
      },
    ],
  },
  {
    title: "What else",
    bindings: [
      { keys: ["e"], command: "export", label: "export" },
      { keys: ["d"], command: "download", label: "download what was exported" },
      { keys: ["x"], command: "stop", label: "stop what runs" },
      { keys: ["Escape"], command: "escape", label: "leave what is open" },
      { keys: ["?"], command: "help", label: "this list" },
    ],
  },
];
