// A dialog that fills a widget, and the one that every widget has: the list of keys.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isMac } from "./button";
import { Icon } from "./icons";
import { type BindingGroup, keyLabel } from "./keys";

/** Who shows it, and closes it. */
interface Shows {
  readonly commands: { readonly escape: { run(): void } };
}

interface SheetProps {
  editor: Shows;
  title: string;
  testid: string;
  children: ComponentChildren;
}

/** A dialog that fills the editor; it takes the focus and gives it back. */
export function Sheet({ editor, title, testid, children }: SheetProps): JSX.Element {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const root = close.current?.getRootNode() as Document | ShadowRoot | undefined;
    const before = root?.activeElement as HTMLElement | null | undefined;
    close.current?.focus({ preventScroll: true });
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  return (
    <div class="nb-sheet" role="dialog" aria-label={title} data-testid={testid}>
      <header>
        <b>{title}</b>
        <button
          ref={close}
          type="button"
          class="nb-tool"
          aria-label="Close"
          onClick={editor.commands.escape.run}
        >
          <Icon name="close" />
        </button>
      </header>
      <div class="nb-sheet-body">{children}</div>
    </div>
  );
}

interface HelpProps {
  editor: Shows;
  keys: readonly BindingGroup[];
}

export function Help({ editor, keys: groups }: HelpProps): JSX.Element {
  const mac = isMac();
  return (
    <Sheet editor={editor} title="Keys" testid="help-panel">
      <div class="nb-keys">
        {groups.map(({ title, bindings }) => (
          <section key={title}>
            <h4>{title}</h4>
            <dl>
              {bindings.map(({ keys, label }) => (
                <div key={label}>
                  <dt>
                    {keys.map((key) => (
                      <kbd key={key}>{keyLabel(key, mac)}</kbd>
                    ))}
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Sheet>
  );
}
