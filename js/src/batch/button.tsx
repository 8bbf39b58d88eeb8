// A button that runs one of the batch's commands, and shows whether it can.

import type { ComponentChildren, JSX } from "preact";
import { isMac } from "../shared/button";
import { useSelect } from "../shared/hooks";
import { Icon, type IconName } from "../shared/icons";
import { keyLabel } from "../shared/keys";
import type { Batch, CommandName } from "./batch";
import { KEYS } from "./keys";

interface ButtonProps {
  batch: Batch;
  command: CommandName;
  label: string;
  icon?: IconName;
  class?: string;
  expanded?: boolean;
  children?: ComponentChildren;
}

export function Button({
  batch,
  command,
  label,
  icon,
  class: name = "nb-tool",
  expanded,
  children,
}: ButtonProps): JSX.Element {
  const { run, enabled } = batch.commands[command];
  const can = useSelect(batch.session.store, enabled);
  return (
    <button
      type="button"
      class={name}
      data-testid={command}
      title={hint(label, command)}
      aria-label={label}
      aria-expanded={expanded}
      disabled={!can}
      onClick={run}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** The button's name with its key, as its tooltip says it. */
export function hint(label: string, command: CommandName): string {
  const key = KEYS.flatMap(({ bindings }) => bindings).find((one) => one.command === command);
  return key?.keys[0] ? `${label} (${keyLabel(key.keys[0], isMac())})` : label;
}
