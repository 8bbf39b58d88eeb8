// The toolbar: tools on the left, history and export on the right, one primary button.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { Icon, type IconName } from "../shared/icons";
import { CommandButton, hint } from "./button";
import type { Editor, Tool } from "./editor";
import { isEditable } from "./store";

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
      <div class="nb-group">
        <CommandButton editor={editor} command="fit" icon="fit" label="Fit" />
        <CommandButton editor={editor} command="actualSize" label="100 %">
          <span class="nb-ratio">1:1</span>
        </CommandButton>
        <CompareButton editor={editor} />
      </div>
      <div class="nb-group nb-history">
        <CommandButton editor={editor} command="undo" icon="undo" label="Undo" />
        <CommandButton editor={editor} command="redo" icon="redo" label="Redo" />
        <CommandButton
          editor={editor}
          command="reset"
          icon="reset"
          label="Reset to the first picture"
        />
      </div>
      <div class="nb-group">
        <CommandButton editor={editor} command="copyCode" icon="code" label="Copy as Python" />
        <CommandButton editor={editor} command="savePng" icon="save" label="Save PNG" />
      </div>
      <StartButton editor={editor} />
    </div>
  );
}

/** Shows the picture as before while it is held down; the keyboard switches it on and off. */
function CompareButton({ editor }: { editor: Editor }): JSX.Element {
  const comparing = useSelect(editor.view, (view) => view.comparing);
  const possible = useSelect(editor.session.store, ({ before }) => before !== null);
  const show = (on: boolean) => () => editor.view.dispatch({ comparing: on });
  return (
    <button
      type="button"
      class="nb-tool"
      data-testid="compare"
      title="Hold to see it as before (C)"
      aria-label="Compare with before"
      aria-pressed={comparing}
      disabled={!possible}
      onPointerDown={show(true)}
      onPointerUp={show(false)}
      onPointerCancel={show(false)}
      onPointerLeave={show(false)}
      onClick={(event) => event.detail === 0 && editor.commands.toggleCompare.run()}
    >
      <Icon name="compare" />
    </button>
  );
}

function StartButton({ editor }: { editor: Editor }): JSX.Element {
  const { store } = editor.session;
  const running = useSelect(store, ({ snapshot }) => snapshot?.running === true);
  const can = useSelect(store, isEditable);
  const busy = useSelect(store, ({ asked }) => asked.includes("start") || asked.includes("stop"));
  const label = running ? "Stop" : "Start";
  return (
    <button
      type="button"
      class={running ? "nb-primary nb-stop" : "nb-primary"}
      data-testid={running ? "stop" : "start"}
      title={hint(label, "startStop")}
      aria-busy={busy}
      disabled={!can}
      onClick={editor.commands.startStop.run}
    >
      <Icon name={running ? "stop" : "start"} />
      {label}
    </button>
  );
}
