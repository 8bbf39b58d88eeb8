// The sidebar: the picture's origin, its points, the mask, the distance so far, the options.

import type { JSX } from "preact";
import { CommandButton } from "../shared/button";
import { shorterSide } from "../shared/editor";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { Options } from "../shared/options";
import { Origin } from "../shared/origin";
import { isEditable, isRunning } from "../shared/store";
import { Curve } from "./curve";
import type { Editor } from "./editor";
import { Method } from "./method";
import { gap } from "./points";
import { follows, shownPairs } from "./store";

/** The options worth seeing while their list is folded: the first three that the method has. */
const FOREMOST = ["refine", "space", "learning_rate", "mask_weight", "strength"];

export function Sidebar({ editor }: { editor: Editor }): JSX.Element {
  const { store, ask } = editor.session;
  const schema = useSelect(store, ({ snapshot }) => snapshot?.schema);
  const values = useSelect(store, ({ snapshot }) => snapshot?.options);
  const foremost = FOREMOST.filter((name) => schema?.some((o) => o.name === name)).slice(0, 3);
  return (
    <aside class="nb-side">
      <div class="nb-scroll">
        <Origin editor={editor} />
        <Points editor={editor} />
        <MaskSection editor={editor} />
        <Curve editor={editor} />
        <Method editor={editor} />
        <Options
          editor={editor}
          schema={schema}
          values={values}
          foremost={foremost}
          onChange={(options) => ask({ kind: "set_options", options })}
        />
      </div>
    </aside>
  );
}

function Points({ editor }: { editor: Editor }): JSX.Element {
  const { session, view, commands } = editor;
  const state = useSelect(session.store, (s) => s);
  const selected = useSelect(view, (v) => v.selected?.index);
  const waiting = useSelect(view, (v) => v.pending !== null);
  const following = useSelect(session.store, follows);
  const pairs = shownPairs(state);
  const can = isEditable(state) && !isRunning(state);
  return (
    <section class="nb-section" data-testid="points-list">
      <b>Points</b>
      {pairs.length === 0 && (
        <p class="nb-note">
          {following && !waiting ? (
            "Press on the picture and move: it follows."
          ) : waiting ? (
            <>
              Now click where <i class="nb-bullet" /> should go.
            </>
          ) : (
            <>
              Click a handle <i class="nb-bullet" />, then a target{" "}
              <i class="nb-bullet nb-bullet-target" />.
            </>
          )}
        </p>
      )}
      {pairs.map((pair, index) => (
        <div key={index} class="nb-row nb-pair" data-selected={selected === index || undefined}>
          <button
            type="button"
            class="nb-pair-name"
            aria-label={`Select pair ${index + 1}`}
            onClick={() => view.dispatch({ selected: { index, role: "handle" } })}
          >
            <i class="nb-bullet" />
            {index + 1}
            <Icon name="arrow" />
            <i class="nb-bullet nb-bullet-target" />
          </button>
          <button
            type="button"
            class="nb-tool nb-small nb-on-hover"
            aria-label={`Delete pair ${index + 1}`}
            title="Delete this pair"
            disabled={!can}
            onClick={() => {
              view.dispatch({ selected: { index, role: "handle" } });
              commands.deletePair.run();
            }}
          >
            <Icon name="close" />
          </button>
          <output>{gap(pair).toFixed(1)} px</output>
        </div>
      ))}
      {pairs.length > 1 && (
        <button type="button" class="nb-link" disabled={!can} onClick={commands.clearPoints.run}>
          Delete all
        </button>
      )}
    </section>
  );
}

/** Shown while there is a mask or a tool to make one. */
function MaskSection({ editor }: { editor: Editor }): JSX.Element | null {
  const { store } = editor.session;
  const masked = useSelect(store, ({ mask, strokes }) => mask !== null || strokes.length > 0);
  const tool = useSelect(editor.view, (view) => view.tool);
  const overlay = useSelect(editor.view, (view) => view.overlay);
  const radius = useSelect(editor.view, editor.radius);
  const side = useSelect(store, () => shorterSide(editor.imageSize()));
  if (!masked && tool === "points") return null;
  return (
    <section class="nb-section" data-testid="mask-section">
      <div class="nb-heading">
        <b>May move</b>
        <span class="nb-space" />
        <CommandButton
          editor={editor}
          command="invertMask"
          icon="invert"
          label="Invert the mask"
          class="nb-tool nb-small"
        />
        <CommandButton
          editor={editor}
          command="clearMask"
          icon="clear"
          label="Clear the mask"
          class="nb-tool nb-small"
        />
        <CommandButton
          editor={editor}
          command="toggleOverlay"
          icon={overlay ? "shown" : "hidden"}
          label="Show the mask"
          pressed={overlay}
          class="nb-tool nb-small"
        />
      </div>
      {!masked && <p class="nb-note">Paint what may move; the rest keeps still.</p>}
      {(tool === "brush" || tool === "eraser") && (
        <label class="nb-row">
          Radius
          <input
            class="nb-slider"
            data-testid="radius"
            type="range"
            min={1}
            max={Math.round(side / 4)}
            step={1}
            value={radius}
            onInput={({ currentTarget }) =>
              editor.view.dispatch({ radius: currentTarget.valueAsNumber })
            }
          />
          <output>{radius} px</output>
        </label>
      )}
    </section>
  );
}
