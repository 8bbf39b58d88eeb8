// The sidebar: the picture's origin, its points, the mask, the distance so far, the options.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { LIMITS } from "../shared/protocol.gen";
import { CommandButton } from "./button";
import { Curve } from "./curve";
import { brushRadius, type Editor, shorterSide, TRUNCATION } from "./editor";
import { Options } from "./options";
import { gap } from "./points";
import { isEditable, isRunning, shownPairs } from "./store";

export function Sidebar({ editor }: { editor: Editor }): JSX.Element {
  return (
    <aside class="nb-side">
      <div class="nb-scroll">
        <Origin editor={editor} />
        <Points editor={editor} />
        <MaskSection editor={editor} />
        <Curve editor={editor} />
        <Options editor={editor} />
      </div>
    </aside>
  );
}

/** Which generator, seed and truncation the picture comes from. */
function Origin({ editor }: { editor: Editor }): JSX.Element | null {
  const { store, ask, notify } = editor.session;
  const snapshot = useSelect(store, (state) => state.snapshot);
  const can = useSelect(store, (state) => isEditable(state) && !isRunning(state));
  if (snapshot === null) return null;
  const { model, seed } = snapshot;
  const truncation = snapshot.truncation ?? TRUNCATION;
  const sample = (change: { seed?: number; truncation?: number }) =>
    ask({ kind: "sample", seed: seed ?? 0, truncation, ...change });
  return (
    <section class="nb-section">
      <b data-testid="model">{model.name}</b>
      <div class="nb-row">
        Seed
        <span class="nb-space" />
        <CommandButton
          editor={editor}
          command="newSeed"
          icon="dice"
          label="Another picture"
          class="nb-tool nb-small"
        />
        <input
          class="nb-number nb-plain"
          data-testid="seed"
          aria-label="Seed"
          type="number"
          min={0}
          step={1}
          placeholder="none"
          value={seed ?? ""}
          disabled={!can}
          onChange={async ({ currentTarget: input }) => {
            const value = input.valueAsNumber;
            const allowed = Number.isInteger(value) && value >= 0 && value <= LIMITS.seed;
            if (!allowed) {
              const range = `a whole number from 0 to ${LIMITS.seed}`;
              notify("error", `The seed ${input.value || "typed"} is not ${range}; type one.`);
            }
            if (!allowed || !(await sample({ seed: value }))) input.value = `${seed ?? ""}`;
          }}
        />
      </div>
      <label class="nb-row">
        Truncation
        <input
          class="nb-slider"
          data-testid="truncation"
          type="range"
          min={0}
          max={1}
          step={0.05}
          value={truncation}
          disabled={!can}
          onChange={async ({ currentTarget: slider }) => {
            const done = await sample({ truncation: slider.valueAsNumber });
            if (!done) slider.value = `${truncation}`;
          }}
        />
        <output>{truncation.toFixed(2)}</output>
      </label>
    </section>
  );
}

function Points({ editor }: { editor: Editor }): JSX.Element {
  const { session, view, commands } = editor;
  const state = useSelect(session.store, (s) => s);
  const selected = useSelect(view, (v) => v.selected?.index);
  const waiting = useSelect(view, (v) => v.pending !== null);
  const pairs = shownPairs(state);
  const can = isEditable(state) && !isRunning(state);
  return (
    <section class="nb-section" data-testid="points-list">
      <b>Points</b>
      {pairs.length === 0 && (
        <p class="nb-note">
          {waiting ? (
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
  const radius = useSelect(editor.view, (view) => brushRadius(view, editor.imageSize()));
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
