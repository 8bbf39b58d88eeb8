// The toolbar: tools and radius on the left, history and export on the right, Live and Apply.

import type { JSX } from "preact";
import { CommandButton } from "../shared/button";
import { shorterSide } from "../shared/editor";
import { useSelect } from "../shared/hooks";
import {
  ExportGroup,
  HistoryGroup,
  StartButton,
  type ToolButton,
  ToolGroup,
  ViewGroup,
} from "../shared/toolbar";
import type { Painter, Tool } from "./editor";

const TOOLS: readonly ToolButton<Tool>[] = [
  { tool: "brush", icon: "brush", label: "Brush" },
  { tool: "eraser", icon: "eraser", label: "Eraser: as it was found" },
  { tool: "lasso", icon: "lasso", label: "Lasso: draw, or click corners" },
  { tool: "fill", icon: "fill", label: "Fill" },
  { tool: "line", icon: "line", label: "Line" },
  { tool: "pick", icon: "pick", label: "Pick a part" },
  { tool: "move", icon: "move", label: "Move and scale a part" },
];

export function Toolbar({ painter }: { painter: Painter }): JSX.Element {
  const mirror = useSelect(painter.view, (view) => view.mirror);
  const over = useSelect(painter.view, (view) => view.over);
  const live = useSelect(painter.session.store, ({ snapshot }) => snapshot?.live === true);
  return (
    <div class="nb-bar" role="toolbar" aria-label="Tools">
      <ToolGroup editor={painter} tools={TOOLS} />
      <div class="nb-group">
        <CommandButton
          editor={painter}
          command="mirror"
          icon="mirror"
          label="Both sides at once"
          pressed={mirror}
        />
        <Radius painter={painter} />
      </div>
      <ViewGroup editor={painter} />
      <CommandButton
        editor={painter}
        command="over"
        icon="over"
        label="The map over the picture"
        pressed={over}
      />
      <HistoryGroup editor={painter} />
      <ExportGroup editor={painter} />
      <div class="nb-group nb-go">
        <CommandButton
          editor={painter}
          command="live"
          label="Follow by itself"
          pressed={live}
          class="nb-tool nb-word"
        >
          Live
        </CommandButton>
        <StartButton
          editor={painter}
          command="startStop"
          label="Apply"
          testid="apply"
          asks={["start_paint", "stop"]}
        />
      </div>
    </div>
  );
}

function Radius({ painter }: { painter: Painter }): JSX.Element {
  const radius = useSelect(painter.view, painter.radius);
  const side = useSelect(painter.session.store, () => shorterSide(painter.imageSize()));
  return (
    <label class="nb-row nb-radius" title="The brush's radius, in pixels ([ and ])">
      Radius
      <input
        class="nb-slider"
        data-testid="radius"
        type="range"
        min={1}
        max={Math.max(2, Math.round(side / 5))}
        step={1}
        value={radius}
        onInput={({ currentTarget }) =>
          painter.view.dispatch({ radius: currentTarget.valueAsNumber })
        }
      />
    </label>
  );
}
