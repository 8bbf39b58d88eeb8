// Pieces of the toolbars: tools, the view, the history, export, and comparing with before.

import type { JSX } from "preact";
import { CommandButton, hint } from "./button";
import type { AnyEditor, Command } from "./editor";
import { useSelect } from "./hooks";
import { Icon, type IconName } from "./icons";

interface Props {
  editor: AnyEditor;
}

/** A tool is chosen by the command of its name. */
export interface ToolButton<T extends string> {
  readonly tool: T;
  readonly icon: IconName;
  readonly label: string;
}

interface ToolGroupProps<E extends AnyEditor> {
  editor: E;
  tools: readonly ToolButton<keyof E["commands"] & string>[];
}

export function ToolGroup<E extends AnyEditor>({ editor, tools }: ToolGroupProps<E>): JSX.Element {
  const chosen = useSelect(editor.view, (view) => view.tool);
  return (
    <div class="nb-group">
      {tools.map(({ tool, icon, label }) => (
        <CommandButton
          key={tool}
          editor={editor}
          command={tool}
          icon={icon}
          label={label}
          pressed={tool === chosen}
        />
      ))}
    </div>
  );
}

export function ViewGroup({ editor }: Props): JSX.Element {
  return (
    <div class="nb-group">
      <CommandButton editor={editor} command="fit" icon="fit" label="Fit" />
      <CommandButton editor={editor} command="actualSize" label="100 %">
        <span class="nb-ratio">1:1</span>
      </CommandButton>
      <CompareButton editor={editor} />
    </div>
  );
}

export function HistoryGroup({ editor }: Props): JSX.Element {
  return (
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
  );
}

export function ExportGroup({ editor }: Props): JSX.Element {
  return (
    <div class="nb-group">
      <CommandButton editor={editor} command="copyCode" icon="code" label="Copy as Python" />
      <CommandButton editor={editor} command="savePng" icon="save" label="Save PNG" />
      <CommandButton editor={editor} command="toBatch" icon="batch" label="Send to batch" />
    </div>
  );
}

/** Shows the picture as before while it is held down; the keyboard switches it on and off. */
function CompareButton({ editor }: Props): JSX.Element {
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

interface StartButtonProps<E extends AnyEditor> {
  editor: E;
  /** The command that starts and stops. */
  command: keyof E["commands"] & string;
  /** What it is called while nothing runs. */
  label: string;
  testid: string;
  /** The kinds of the requests it sends. */
  asks: readonly string[];
}

/** The one primary button; Stop while something runs. */
export function StartButton<E extends AnyEditor>({
  editor,
  command,
  label,
  testid,
  asks,
}: StartButtonProps<E>): JSX.Element {
  const { store } = editor.session;
  const { run, enabled } = (editor.commands as Record<string, Command>)[command] as Command;
  const running = useSelect(store, ({ snapshot }) => snapshot?.running === true);
  const can = useSelect(store, () => enabled());
  const busy = useSelect(store, ({ asked }) => asks.some((kind) => asked.includes(kind)));
  const name = running ? "Stop" : label;
  return (
    <button
      type="button"
      class={running ? "nb-primary nb-stop" : "nb-primary"}
      data-testid={running ? "stop" : testid}
      title={hint(editor, name, command)}
      aria-busy={busy}
      disabled={!can}
      onClick={run}
    >
      <Icon name={running ? "stop" : "start"} />
      {name}
    </button>
  );
}
