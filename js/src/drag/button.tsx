// A button that runs one of the editor's commands, and shows whether it can.

import type { ComponentChildren, JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { Icon, type IconName } from "../shared/icons";
import type { CommandName, Editor } from "./editor";
import { KEYS, keyLabel } from "./keys";

export const isMac = (): boolean => /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The button's name with its key, as its tooltip says it. */
export function hint(label: string, command: CommandName): string {
  const key = KEYS.flatMap(({ bindings }) => bindings).find((b) => b.command === command)?.keys[0];
  return key === undefined ? label : `${label} (${keyLabel(key, isMac())})`;
}

interface CommandButtonProps {
  editor: Editor;
  command: CommandName;
  icon?: IconName;
  label: string;
  pressed?: boolean;
  class?: string;
  children?: ComponentChildren;
}

export function CommandButton({
  editor,
  command,
  icon,
  label,
  pressed,
  class: name = "nb-tool",
  children,
}: CommandButtonProps): JSX.Element {
  const { run, enabled } = editor.commands[command];
  const can = useSelect(editor.session.store, enabled);
  return (
    <button
      type="button"
      class={name}
      data-testid={command}
      title={hint(label, command)}
      aria-label={label}
      aria-pressed={pressed}
      disabled={!can}
      onClick={run}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
