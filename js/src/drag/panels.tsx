// Panels over the stage: the list of keys, code that the clipboard refused, a point's menu, and
// (in `models`) the choice of a generator.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { isMac } from "./button";
import type { Editor } from "./editor";
import { KEYS, keyLabel } from "./keys";
import { Models } from "./models";

export function Panels({ editor }: { editor: Editor }): JSX.Element | null {
  const panel = useSelect(editor.view, (view) => view.panel);
  if (panel === null) return null;
  if (panel.kind === "help") return <Help editor={editor} />;
  if (panel.kind === "models") return <Models editor={editor} />;
  if (panel.kind === "code") return <Code editor={editor} code={panel.code} />;
  return <Menu editor={editor} index={panel.index} at={panel.at} />;
}

interface SheetProps {
  editor: Editor;
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

function Help({ editor }: { editor: Editor }): JSX.Element {
  const mac = isMac();
  return (
    <Sheet editor={editor} title="Keys" testid="help-panel">
      <div class="nb-keys">
        {KEYS.map(({ title, bindings }) => (
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

function Code({ editor, code }: { editor: Editor; code: string }): JSX.Element {
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

function Menu({
  editor,
  index,
  at: [x, y],
}: {
  editor: Editor;
  index: number;
  at: readonly [number, number];
}): JSX.Element {
  const menu = useRef<HTMLDivElement>(null);
  const items = () => [...(menu.current?.querySelectorAll("button") ?? [])];
  const focus = (place: number) => items().at(place)?.focus({ preventScroll: true });
  useEffect(() => focus(0), []);
  const item = (command: "deletePair" | "clearPoints", label: string) => (
    <button type="button" role="menuitem" onClick={editor.commands[command].run}>
      {label}
    </button>
  );
  return (
    <div
      ref={menu}
      class="nb-menu"
      role="menu"
      tabIndex={-1}
      aria-label={`Pair ${index + 1}`}
      data-testid="menu"
      onKeyDown={(event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const at = items().indexOf(event.target as HTMLButtonElement);
        focus((at + step) % items().length);
      }}
      onFocusOut={({ relatedTarget }) => {
        const inside = relatedTarget instanceof Node && menu.current?.contains(relatedTarget);
        if (!inside) editor.view.dispatch({ panel: null });
      }}
      style={`left: min(${x}px, 100% - 150px); top: ${y}px`}
    >
      {item("deletePair", `Delete pair ${index + 1}`)}
      {item("clearPoints", "Delete all points")}
    </div>
  );
}
