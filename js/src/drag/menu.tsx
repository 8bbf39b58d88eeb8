// The context menu of a point.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import type { Point } from "../shared/viewport";
import type { Editor } from "./editor";

export function Menu({ editor }: { editor: Editor }): JSX.Element | null {
  const panel = useSelect(editor.view, (view) => view.panel);
  if (panel?.kind !== "menu") return null;
  return <Items editor={editor} index={panel.index} at={panel.at} />;
}

function Items({
  editor,
  index,
  at: [x, y],
}: {
  editor: Editor;
  index: number;
  at: Point;
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
