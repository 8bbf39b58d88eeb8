// The toolbar: tools on the left, history and export on the right, one primary button.

import type { JSX } from "preact";
import {
  ExportGroup,
  HistoryGroup,
  StartButton,
  type ToolButton,
  ToolGroup,
  ViewGroup,
} from "../shared/toolbar";
import type { Editor, Tool } from "./editor";

const TOOLS: readonly ToolButton<Tool>[] = [
  { tool: "points", icon: "points", label: "Place points" },
  { tool: "brush", icon: "brush", label: "Brush: what may move" },
  { tool: "eraser", icon: "eraser", label: "Eraser: what may not move" },
  { tool: "lasso", icon: "lasso", label: "Lasso: what may move" },
];

export function Toolbar({ editor }: { editor: Editor }): JSX.Element {
  return (
    <div class="nb-bar" role="toolbar" aria-label="Tools">
      <ToolGroup editor={editor} tools={TOOLS} />
      <ViewGroup editor={editor} />
      <HistoryGroup editor={editor} />
      <ExportGroup editor={editor} />
      <StartButton
        editor={editor}
        command="startStop"
        label="Start"
        testid="start"
        asks={["start", "stop"]}
      />
    </div>
  );
}
