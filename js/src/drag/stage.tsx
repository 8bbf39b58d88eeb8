// The stage: the canvas, the points above it, and the pointer, wheel and pinch that work on them.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Gestures } from "../shared/gestures";
import { useSelect } from "../shared/hooks";
import type { OpenMenu } from "../shared/pointers";
import { Crosshair, Stage as SharedStage } from "../shared/stage";
import { isEditable, isRunning } from "../shared/store";
import { type Point, toStage } from "../shared/viewport";
import { createScene } from "./canvas";
import type { Editor } from "./editor";
import { hitTest, type PointRef, type Role, samePoint } from "./points";
import { shownPairs } from "./store";

export function Stage({ editor, gestures }: { editor: Editor; gestures: Gestures }): JSX.Element {
  const { session, view } = editor;
  const scene = useMemo(() => createScene(editor), [editor]);
  const openMenu: OpenMenu = (at, within, onStage) => {
    const state = session.store.get();
    const hit = hitTest(shownPairs(state), at, within);
    if (hit === null || !isEditable(state) || isRunning(state)) return;
    gestures.cancel();
    view.dispatch({ selected: hit, panel: { kind: "menu", index: hit.index, at: onStage } });
  };
  return (
    <SharedStage
      editor={editor}
      gestures={gestures}
      scene={scene}
      openMenu={openMenu}
      name="Picture"
      keys="Arrow keys move a crosshair, Enter places a point or draws."
      shows="The generated picture"
    >
      <Overlay editor={editor} />
    </SharedStage>
  );
}

/** The points, the pair being placed, the brush's outline and the crosshair. */
function Overlay({ editor }: { editor: Editor }): JSX.Element | null {
  const { session, view } = editor;
  const state = useSelect(session.store, (s) => s);
  const own = useSelect(view, (v) => v);
  const pairs = useMemo(() => shownPairs(state), [state]);
  if (state.snapshot === null || own.stage.width === 0) return null;

  const viewport = editor.viewport();
  const at = (point: Point) => toStage(viewport, point);
  const painting = state.strokes.at(-1)?.stroke;
  const shown = own.pending === null ? pairs : [...pairs, own.pending];
  const drawing = own.tool !== "points" && !own.comparing;
  const cursor = own.crosshair?.at ?? own.hover;
  const radius = editor.radius() * viewport.scale;

  return (
    <div class={own.comparing ? "nb-overlay nb-faded" : "nb-overlay"}>
      <svg class="nb-lines" aria-hidden="true">
        {shown.map((pair, i) => (
          <Way key={i} from={at(pair.handle)} to={at(pair.target)} />
        ))}
        {painting?.tool.startsWith("lasso") && (
          <polygon class="nb-lasso" points={painting.path.map((p) => at(p).join()).join(" ")} />
        )}
        {drawing && own.tool !== "lasso" && cursor && (
          <circle class="nb-brush" cx={at(cursor)[0]} cy={at(cursor)[1]} r={radius} />
        )}
        {own.crosshair && <Crosshair at={at(own.crosshair.at)} />}
      </svg>
      {pairs.map((pair, index) =>
        (["handle", "target"] as const).map((role) => (
          <PointElement
            key={`${index}${role}`}
            editor={editor}
            at={{ index, role }}
            point={pair[role]}
            position={at(pair[role])}
            selected={samePoint(own.selected, { index, role })}
            width={editor.imageSize().width}
            disabled={!isEditable(state)}
          />
        )),
      )}
      {own.pending && (
        <>
          <Dot as="target" position={at(own.pending.target)} />
          <Dot as="handle" position={at(own.pending.handle)} />
        </>
      )}
    </div>
  );
}

interface PointElementProps {
  editor: Editor;
  at: PointRef;
  point: Point;
  position: Point;
  selected: boolean;
  /** The image's, in pixels. */
  width: number;
  disabled: boolean;
}

function PointElement({
  editor,
  at,
  point,
  position,
  selected,
  width,
  disabled,
}: PointElementProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const [x, y] = point.map((value) => value.toFixed(1));
  const name = at.role === "handle" ? "Handle" : "Target";
  // A point that is taken hold of gets the keyboard too.
  useEffect(() => {
    const root = element.current?.getRootNode() as Document | ShadowRoot | undefined;
    const active = root?.activeElement;
    if (selected && active?.closest(".nb-stage")) element.current?.focus({ preventScroll: true });
  }, [selected]);
  return (
    <div
      ref={element}
      class={`nb-point nb-${at.role}`}
      style={`transform: translate(${position[0]}px, ${position[1]}px)`}
      data-testid={`${at.role}-${at.index + 1}`}
      data-x={point[0]}
      data-y={point[1]}
      data-selected={selected || undefined}
      role="slider"
      aria-roledescription="point"
      aria-label={`${name} ${at.index + 1} at ${x}, ${y}`}
      aria-valuemin={0}
      aria-valuemax={width}
      aria-valuenow={Math.round(point[0])}
      aria-valuetext={`x ${x}, y ${y}`}
      aria-disabled={disabled}
      tabIndex={disabled ? -1 : 0}
      onFocus={() => editor.view.dispatch({ selected: at })}
    />
  );
}

function Dot({ as, position }: { as: Role; position: Point }): JSX.Element {
  return (
    <div
      class={`nb-point nb-${as}`}
      style={`transform: translate(${position[0]}px, ${position[1]}px)`}
    />
  );
}

/** The line from a handle to its target: red on white, so that it shows on any picture. */
function Way({ from, to }: { from: Point; to: Point }): JSX.Element {
  const ends = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return (
    <>
      <line class="nb-way-edge" {...ends} />
      <line class="nb-way" {...ends} />
    </>
  );
}
