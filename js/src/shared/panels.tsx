// Panels over the editor: the list of keys, code that the clipboard refused, and (in `models`) the
// choice of a generator.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isMac } from "./button";
import type { AnyEditor } from "./editor";
import { useSelect } from "./hooks";
import { Icon } from "./icons";
import { keyLabel } from "./keys";
import { Models } from "./models";

export function Panels({ editor }: { editor: AnyEditor }): JSX.Element | null {
  const panel = useSelect(editor.view, (view) => view.panel);
  if (panel === null) return null;
  if (panel.kind === "help") return <Help editor={editor} />;
  if (panel.kind === "models") return <Models editor={editor} />;
  if (panel.kind === "code") return <Code editor={editor} code={panel.code} />;
  return null;
}

interface SheetProps {
  editor: AnyEditor;
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

function Help({ editor }: { editor: AnyEditor }): JSX.Element {
  const mac = isMac();
  return (
    <Sheet editor={editor} title="Keys" testid="help-panel">
      <div class="nb-keys">
        {editor.keys.map(({ title, bindings }) => (
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

function Code({ editor, code }: { editor: AnyEditor; code: string }): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // Selected text is copied from the element that has the focus.
    area.current?.focus({ preventScroll: true });
    area.current?.select();
  }, []);
  return (
    <Sheet editor={editor} title="Copy this code" testid="code-panel">
      <textarea ref={area} class="nb-code" readOnly spellcheck={false} value={code} />
    </Sheet>
  );
}
