// The toolbar: tools on the left, history and export on the right, what follows, one primary button.

import type { JSX } from "preact";
import { CommandButton } from "../shared/button";
import { useSelect } from "../shared/hooks";
import {
  ExportGroup,
  HistoryGroup,
  StartButton,
  type ToolButton,
  ToolGroup,
  ViewGroup,
} from "../shared/toolbar";
import type { Editor, Tool } from "./editor";
import { canFollow, follows } from "./store";

const TOOLS: readonly ToolButton<Tool>[] = [
  { tool: "points", icon: "points", label: "Place points" },
  { tool: "brush", icon: "brush", label: "Brush: what may move" },
  { tool: "eraser", icon: "eraser", label: "Eraser: what may not move" },
  { tool: "lasso", icon: "lasso", label: "Lasso: what may move" },
];

export function Toolbar({ editor }: { editor: Editor }): JSX.Element {
  const following = useSelect(editor.session.store, follows);
  const possible = useSelect(editor.session.store, canFollow);
  return (
    <div class="nb-bar" role="toolbar" aria-label="Tools">
      <ToolGroup editor={editor} tools={TOOLS} />
      <ViewGroup editor={editor} />
      <HistoryGroup editor={editor} />
      <ExportGroup editor={editor} />
      <div class="nb-group nb-follow">
        <CommandButton
          editor={editor}
          command="toggleFollow"
          label={possible ? "Follow a held point" : "Follow: needs a predictor, see Method"}
          pressed={following}
          class="nb-tool nb-word"
        >
          Follow
        </CommandButton>
      </div>
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
