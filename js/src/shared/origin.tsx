// Where the picture comes from: which generator, seed, class and truncation; and which generator is
// on its way.

import type { JSX } from "preact";
import { CommandButton, hint } from "./button";
import { type AnyEditor, TRUNCATION } from "./editor";
import { useSelect } from "./hooks";
import { Icon } from "./icons";
import { LIMITS, type Snapshot } from "./protocol.gen";
import { isEditable, isRunning } from "./store";

export function Origin({ editor }: { editor: AnyEditor }): JSX.Element | null {
  const { store } = editor.session;
  const snapshot = useSelect(store, (state) => state.snapshot);
  const can = useSelect(store, isEditable);
  if (snapshot === null) return null;
  const { model, previous } = snapshot;
  return (
    <section class="nb-section">
      <div class="nb-heading">
        <button
          type="button"
          class="nb-model"
          data-testid="models"
          title={hint(editor, "Another generator", "models")}
          aria-haspopup="dialog"
          disabled={!can}
          onClick={editor.commands.models.run}
        >
          <b data-testid="model">{model.name}</b>
          <Icon name="choose" />
        </button>
        {previous !== null && (
          <>
            <span class="nb-space" />
            <CommandButton
              editor={editor}
              command="goBack"
              icon="back"
              label={`Back to ${previous}`}
              class="nb-tool nb-small"
            />
          </>
        )}
      </div>
      <OnItsWay editor={editor} />
      <Seed editor={editor} snapshot={snapshot} />
      {snapshot.label !== null && <Class editor={editor} snapshot={snapshot} />}
      <Truncation editor={editor} snapshot={snapshot} />
    </section>
  );
}

/** How far the next generator is, and a way to do without it. */
function OnItsWay({ editor }: { editor: AnyEditor }): JSX.Element | null {
  const loading = useSelect(editor.session.store, ({ snapshot }) => snapshot?.loading ?? null);
  if (loading === null) return null;
  const { name, text, fraction } = loading;
  return (
    <div class="nb-loading" data-testid="loading">
      <div class="nb-row">
        <span class="nb-cut">{name}</span>
        <span class="nb-space" />
        {fraction !== null && <output>{Math.floor(fraction * 100)} %</output>}
        <button
          type="button"
          class="nb-outlined nb-short"
          data-testid="stop-loading"
          aria-label={`Stop loading ${name}`}
          onClick={editor.commands.stopLoading.run}
        >
          Stop
        </button>
      </div>
      <progress aria-label={`Loading ${name}`} value={fraction ?? undefined} />
      <p class="nb-note">{text}</p>
    </div>
  );
}

interface FieldProps {
  editor: AnyEditor;
  snapshot: Snapshot;
}

/** Asks for another sample; what isn't said stays. */
function useSample({ editor, snapshot: { seed, truncation, label } }: FieldProps) {
  const { ask } = editor.session;
  return (change: { seed?: number; truncation?: number; label?: number }) =>
    ask({
      kind: "sample",
      seed: seed ?? 0,
      truncation: truncation ?? TRUNCATION,
      label,
      ...change,
    });
}

function useCan(editor: AnyEditor): boolean {
  return useSelect(editor.session.store, (state) => isEditable(state) && !isRunning(state));
}

function Seed(props: FieldProps): JSX.Element {
  const { editor, snapshot } = props;
  const sample = useSample(props);
  return (
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
      <WholeNumber
        name="seed"
        label="Seed"
        max={LIMITS.seed}
        value={snapshot.seed}
        editor={editor}
        onChange={(seed) => sample({ seed })}
      />
    </div>
  );
}

function Class(props: FieldProps): JSX.Element {
  const { editor, snapshot } = props;
  const sample = useSample(props);
  const most = snapshot.model.num_labels - 1;
  return (
    <div class="nb-row" title={`0 to ${most}`}>
      Class
      <span class="nb-space" />
      <WholeNumber
        name="class"
        label="Class"
        max={most}
        value={snapshot.label}
        editor={editor}
        onChange={(label) => sample({ label })}
      />
    </div>
  );
}

interface WholeNumberProps {
  name: string;
  label: string;
  max: number;
  value: number | null;
  editor: AnyEditor;
  /** Resolves with null when the kernel refused; the field then shows again what holds. */
  onChange(value: number): Promise<object | null>;
}

function WholeNumber({ name, label, max, value, editor, onChange }: WholeNumberProps): JSX.Element {
  return (
    <input
      class="nb-number nb-plain"
      data-testid={name}
      aria-label={label}
      type="number"
      min={0}
      max={max}
      step={1}
      placeholder="none"
      value={value ?? ""}
      disabled={!useCan(editor)}
      onChange={async ({ currentTarget: input }) => {
        const typed = input.valueAsNumber;
        const allowed = Number.isInteger(typed) && typed >= 0 && typed <= max;
        if (!allowed) {
          const said = `The ${name} ${input.value || "typed"} is not a whole number`;
          editor.session.notify("error", `${said} from 0 to ${max}; type one.`);
        }
        if (!allowed || !(await onChange(typed))) input.value = `${value ?? ""}`;
      }}
    />
  );
}

function Truncation(props: FieldProps): JSX.Element {
  const { editor, snapshot } = props;
  const sample = useSample(props);
  const truncation = snapshot.truncation ?? TRUNCATION;
  return (
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
        disabled={!useCan(editor)}
        onChange={async ({ currentTarget: slider }) => {
          const done = await sample({ truncation: slider.valueAsNumber });
          if (!done) slider.value = `${truncation}`;
        }}
      />
      <output>{truncation.toFixed(2)}</output>
    </label>
  );
}
