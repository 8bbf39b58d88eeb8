// A button that runs one of the editor's commands, and shows whether it can.

import type { ComponentChildren, JSX } from "preact";
import type { AnyEditor, Command } from "./editor";
import { useSelect } from "./hooks";
import { Icon, type IconName } from "./icons";
import { keyLabel } from "./keys";

export const isMac = (): boolean => /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The button's name with its key, as its tooltip says it. */
export function hint({ keys }: AnyEditor, label: string, command: string): string {
  const key = keys.flatMap(({ bindings }) => bindings).find((b) => b.command === command)?.keys[0];
  return key === undefined ? label : `${label} (${keyLabel(key, isMac())})`;
}

interface CommandButtonProps<E extends AnyEditor> {
  editor: E;
  command: keyof E["commands"] & string;
  icon?: IconName;
  label: string;
  pressed?: boolean;
  class?: string;
  children?: ComponentChildren;
}

export function CommandButton<E extends AnyEditor>({
  editor,
  command,
  icon,
  label,
  pressed,
  class: name = "nb-tool",
  children,
}: CommandButtonProps<E>): JSX.Element {
  const { run, enabled } = (editor.commands as Record<string, Command>)[command] as Command;
  const can = useSelect(editor.session.store, enabled);
  return (
    <button
      type="button"
      class={name}
      data-testid={command}
      title={hint(editor, label, command)}
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
