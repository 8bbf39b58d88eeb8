// A stage: a canvas, what lies above it, and the pointer, wheel and pinch that work on them.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { keepDrawn, type Scene } from "./canvas";
import type { AnyEditor } from "./editor";
import type { Gestures } from "./gestures";
import { useSelect } from "./hooks";
import { listenToPointers, type OpenMenu } from "./pointers";
import { isLive } from "./store";
import { clamp, type Point } from "./viewport";

interface StageProps {
  editor: AnyEditor;
  gestures: Gestures;
  scene: Scene;
  openMenu: OpenMenu;
  /** What it is, for those who can't see it, and what the keys do there. */
  name: string;
  keys: string;
  shows: string;
  /** Of the canvas, for tests; the stage's is derived from it. */
  testid?: string;
  children: ComponentChildren;
}

export function Stage({
  editor,
  gestures,
  scene,
  openMenu,
  name,
  keys,
  shows,
  testid = "",
  children,
}: StageProps): JSX.Element {
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { store } = editor.session;
  const width = useSelect(store, () => editor.imageSize().width);
  const height = useSelect(store, () => editor.imageSize().height);
  const tool = useSelect(editor.view, (view) => view.tool);
  const panning = useSelect(editor.view, (view) => view.panning);
  const waiting = useSelect(store, (state) => state.picture === null && isLive(state));
  const menu = useRef(openMenu);
  menu.current = openMenu;

  useEffect(() => {
    if (stage.current === null || canvas.current === null) return;
    const stopDrawing = keepDrawn(editor, canvas.current, scene);
    const stopListening = listenToPointers(stage.current, editor, gestures, (...at) =>
      menu.current(...at),
    );
    return () => {
      stopDrawing();
      stopListening();
    };
  }, [editor, gestures, scene]);

  return (
    <div
      ref={stage}
      class="nb-stage"
      data-testid={`${testid}stage`}
      data-tool={tool}
      data-panning={panning ? "" : undefined}
      style={`--aspect: ${aspect(width, height)}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application is interactive
      tabIndex={0}
      role="application"
      aria-roledescription="image editor"
      aria-label={`${name}, ${width} by ${height} pixels. ${keys}`}
    >
      <canvas
        ref={canvas}
        class="nb-canvas"
        data-testid={`${testid}canvas`}
        role="img"
        aria-label={shows}
      />
      {waiting && <p class="nb-empty">Waiting for the kernel…</p>}
      {children}
    </div>
  );
}

/** How high the stage is for its width: a picture that is higher than wide gets more room. */
function aspect(width: number, height: number): number {
  return clamp(height / width, 1, 1.4);
}

export function Crosshair({ at: [x, y] }: { at: Point }): JSX.Element {
  return <path class="nb-crosshair" d={`M${x - 12} ${y}h8m8 0h8M${x} ${y - 12}v8m0 8v8`} />;
}
