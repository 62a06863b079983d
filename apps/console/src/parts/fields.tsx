import type { ComponentChildren } from 'preact';

/** A label with its control. */
export function Field({
  label,
  hint,
  wrong,
  grow = false,
  children,
}: {
  label: string;
  hint?: string;
  wrong?: string | undefined;
  grow?: boolean;
  children: ComponentChildren;
}) {
  return (
    <label class={grow ? 'field grow' : 'field'}>
      <span>{label}</span>
      {children}
      {wrong !== undefined ? <small class="bad">{wrong}</small> : hint !== undefined && <small>{hint}</small>}
    </label>
  );
}

export interface Option<Value extends string> {
  readonly value: Value;
  readonly label: string;
}

export function Select<Value extends string>({
  value,
  options,
  onChange,
}: {
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}) {
  return (
    <select class="select" value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

/** Choices side by side, of which one is selected. */
export function Choices<Value extends string>({
  legend,
  value,
  options,
  onChange,
}: {
  legend: string;
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}) {
  return (
    <div class="field choice">
      <span>{legend}</span>
      <div>
        <div class="choices" role="radiogroup" aria-label={legend}>
          {options.map((option) => (
            <label key={option.value}>
              <input
                type="radio"
                name={legend}
                value={option.value}
                checked={option.value === value}
                onChange={() => onChange(option.value)}
              />
              <span>{option.label}</span>
            </label>
          ))}
        </div>
      </div>
    </div>
  );
}

export function Check({
  label,
  checked,
  onChange,
  disabled,
}: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}
