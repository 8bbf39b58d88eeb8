// The options, folded away with their present values in sight; built from the kernel's schema.

import type { JSX } from "preact";
import type { AnyEditor } from "./editor";
import { useSelect } from "./hooks";
import { Icon } from "./icons";
import type { ChoiceOption, NumberOption, Option, OptionValue, SwitchOption } from "./protocol.gen";
import { isEditable, isRunning } from "./store";

type Values = Record<string, OptionValue>;

interface OptionsProps {
  editor: AnyEditor;
  schema: readonly Option[] | undefined;
  values: Values | undefined;
  /** The names of those worth seeing while the list is folded. */
  foremost: readonly string[];
  /** Resolves with null when the kernel refused. */
  onChange(change: Values): Promise<object | null>;
}

export function Options({
  editor,
  schema,
  values,
  foremost,
  onChange,
}: OptionsProps): JSX.Element | null {
  const can = useSelect(editor.session.store, (state) => isEditable(state) && !isRunning(state));
  if (schema === undefined || values === undefined || schema.length === 0) return null;
  return (
    <details class="nb-section nb-options" data-testid="options">
      <summary>
        <Icon name="chevron" />
        Options
        <span class="nb-space" />
        <span class="nb-summary">{summary(schema, values, foremost)}</span>
      </summary>
      {schema.map((option) => (
        // biome-ignore lint/a11y/noLabelWithoutControl: the field inside it is its control
        <label key={option.name} class="nb-row" title={explained(option)}>
          {option.label}
          <span class="nb-space" />
          <Field
            option={option}
            value={values[option.name] ?? null}
            disabled={!can}
            onChange={(value) => onChange({ [option.name]: value })}
          />
        </label>
      ))}
    </details>
  );
}

interface FieldProps<O extends Option> {
  option: O;
  value: OptionValue;
  disabled: boolean;
  /** Resolves with null when the kernel refused; the field then shows again what holds. */
  onChange(value: OptionValue): Promise<object | null>;
}

function Field({ option, ...rest }: FieldProps<Option>): JSX.Element {
  switch (option.kind) {
    case "number":
      return <NumberField option={option} {...rest} />;
    case "choice":
      return <ChoiceField option={option} {...rest} />;
    case "switch":
      return <SwitchField option={option} {...rest} />;
  }
}

function NumberField({ option, value, disabled, onChange }: FieldProps<NumberOption>): JSX.Element {
  const shown = typeof value === "number" ? String(value) : "";
  const commit = async (input: HTMLInputElement) => {
    if (input.value === shown) return;
    const typed = input.valueAsNumber;
    if (!(await onChange(Number.isNaN(typed) ? null : typed))) input.value = shown;
  };
  return (
    <input
      class="nb-number"
      data-testid={`option-${option.name}`}
      type="number"
      min={option.min}
      max={option.max}
      // Any value in the range is allowed; `step` is how far the arrow keys go.
      step={option.integer ? 1 : "any"}
      placeholder={option.automatic === null ? "" : "auto"}
      value={shown}
      disabled={disabled}
      onKeyDown={(event) => {
        if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
        event.preventDefault();
        event.currentTarget.value = stepped(
          option,
          event.currentTarget.valueAsNumber,
          event.key === "ArrowUp",
        );
      }}
      // Not every browser takes a value that was stepped by hand for a change.
      onKeyUp={({ key, currentTarget: input }) => {
        if (key === "ArrowUp" || key === "ArrowDown") commit(input);
      }}
      onChange={({ currentTarget: input }) => commit(input)}
    />
  );
}

/** The value one step up or down: by `step`, or by a fifth along a logarithmic scale. */
function stepped({ scale, step, min, max }: NumberOption, value: number, up: boolean): string {
  const from = Number.isNaN(value) ? min : value;
  const next = scale === "log" ? from * (up ? 1.25 : 0.8) : from + (up ? step : -step);
  return String(Number(Math.min(max, Math.max(min, next)).toPrecision(4)));
}

function ChoiceField({ option, value, disabled, onChange }: FieldProps<ChoiceOption>): JSX.Element {
  const shown = option.choices.findIndex((choice) => choice.value === value);
  return (
    <select
      data-testid={`option-${option.name}`}
      disabled={disabled}
      value={shown}
      onChange={async ({ currentTarget: list }) => {
        const chosen = option.choices[list.selectedIndex]?.value ?? null;
        if (!(await onChange(chosen))) list.selectedIndex = shown;
      }}
    >
      {option.choices.map(({ label }, index) => (
        <option key={label} value={index}>
          {label}
        </option>
      ))}
    </select>
  );
}

function SwitchField({ option, value, disabled, onChange }: FieldProps<SwitchOption>): JSX.Element {
  return (
    <input
      data-testid={`option-${option.name}`}
      type="checkbox"
      disabled={disabled}
      checked={value === true}
      onChange={async ({ currentTarget: box }) => {
        if (!(await onChange(box.checked))) box.checked = value === true;
      }}
    />
  );
}

/** The tooltip: what it is, its range and its automatic value. */
function explained(option: Option): string {
  if (option.kind !== "number") return option.help;
  const { min, max, unit, automatic, help } = option;
  const range = `${min} to ${max} ${unit}`.trimEnd();
  return `${help}\n${range}${automatic === null ? "" : `; empty: ${automatic}`}`;
}

/** What matters most, in one glance: "W+ · 0.002 · λ 20". */
export function summary(
  schema: readonly Option[],
  values: Values,
  foremost: readonly string[],
): string {
  return foremost
    .map((name) => {
      const option = schema.find((one) => one.name === name);
      const value = values[name] ?? null;
      if (option === undefined) return "";
      if (option.kind === "choice") {
        return option.choices.find((choice) => choice.value === value)?.label ?? "";
      }
      const number = typeof value === "number" ? compact(value) : "";
      return option.symbol ? `${option.symbol} ${number}` : number;
    })
    .filter((part) => part !== "")
    .join(" · ");
}

/** 0.002 as 2e-3: short, as papers write it. */
function compact(value: number): string {
  return value !== 0 && Math.abs(value) < 0.01 ? value.toExponential() : String(value);
}
