// The toolbar: tools on the left, history and export on the right, one primary button.

import type { JSX } from "preact";
import { CommandButton } from "../shared/button";
import { useSelect } from "../shared/hooks";
import type { IconName } from "../shared/icons";
import { ExportGroup, HistoryGroup, StartButton, ViewGroup } from "../shared/toolbar";
import type { Editor, Tool } from "./editor";

const TOOLS: readonly { tool: Tool; icon: IconName; label: string }[] = [
  { tool: "points", icon: "points", label: "Place points" },
  { tool: "brush", icon: "brush", label: "Brush: what may move" },
  { tool: "eraser", icon: "eraser", label: "Eraser: what may not move" },
  { tool: "lasso", icon: "lasso", label: "Lasso: what may move" },
];

export function Toolbar({ editor }: { editor: Editor }): JSX.Element {
  const tool = useSelect(editor.view, (view) => view.tool);
  return (
    <div class="nb-bar" role="toolbar" aria-label="Tools">
      <div class="nb-group">
        {TOOLS.map(({ tool: name, icon, label }) => (
          <CommandButton
            key={name}
            editor={editor}
            command={name}
            icon={icon}
            label={label}
            pressed={tool === name}
          />
        ))}
      </div>
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
