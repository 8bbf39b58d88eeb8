// Panels over the editor: the list of keys, code that the clipboard refused, and (in `models`) the
// choice of a generator.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { AnyEditor } from "./editor";
import { useSelect } from "./hooks";
import { Models } from "./models";
import { Help, Sheet } from "./sheet";

export function Panels({ editor }: { editor: AnyEditor }): JSX.Element | null {
  const panel = useSelect(editor.view, (view) => view.panel);
  if (panel === null) return null;
  if (panel.kind === "help") return <Help editor={editor} keys={editor.keys} />;
  if (panel.kind === "models") return <Models editor={editor} />;
  if (panel.kind === "code") return <Code editor={editor} code={panel.code} />;
  return null;
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
