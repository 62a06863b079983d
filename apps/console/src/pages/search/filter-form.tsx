import { Button } from '../../parts/button.tsx';
import { Select } from '../../parts/fields.tsx';
import { useLocale } from '../../words/locale.tsx';
import { DOCUMENT_ID, operatorsFor, typeOf, type Condition, type FieldTypes } from './filter.ts';

/** Conditions on fields, one per row. */
export function FilterForm({
  types,
  conditions,
  onChange,
}: {
  types: FieldTypes;
  conditions: readonly Condition[];
  onChange: (conditions: readonly Condition[]) => void;
}) {
  const { t } = useLocale();
  const fields = [...Object.keys(types), DOCUMENT_ID];
  const first = fields[0] ?? DOCUMENT_ID;
  const replace = (n: number, change: Condition) =>
    onChange(conditions.map((condition, at) => (at === n ? change : condition)));
  return (
    <fieldset class="group">
      <legend class="legend">{t('filter')}</legend>
      {conditions.map((condition, n) => (
        <Row
          key={n}
          fields={fields}
          types={types}
          condition={condition}
          onChange={(change) => replace(n, change)}
          onRemove={() => onChange(conditions.filter((_, at) => at !== n))}
        />
      ))}
      <Button size="tiny" icon="plus" onClick={() => onChange([...conditions, newCondition(first, types)])}>
        {t('filter.add')}
      </Button>
    </fieldset>
  );
}

function Row({
  fields,
  types,
  condition,
  onChange,
  onRemove,
}: {
  fields: readonly string[];
  types: FieldTypes;
  condition: Condition;
  onChange: (condition: Condition) => void;
  onRemove: () => void;
}) {
  const { t } = useLocale();
  const { field, operator, value } = condition;
  const type = typeOf(field, types);
  return (
    <div class="condition">
      <label>
        <span class="unseen">{t('filter.field')}</span>
        <Select
          value={field}
          options={fields.map((name) => ({ value: name, label: name }))}
          onChange={(name) => onChange(newCondition(name, types))}
        />
      </label>
      <label>
        <span class="unseen">{t('filter.operator')}</span>
        <Select
          value={operator}
          options={operatorsFor(type).map((one) => ({ value: one, label: t(`operator.${one}`) }))}
          onChange={(chosen) => onChange({ ...condition, operator: chosen })}
        />
      </label>
      {operator !== 'present' && operator !== 'absent' && (
        <label>
          <span class="unseen">{t('filter.value')}</span>
          {type === 'boolean' ? (
            <Select
              value={value}
              options={['true', 'false'].map((one) => ({ value: one, label: one }))}
              onChange={(chosen) => onChange({ ...condition, value: chosen })}
            />
          ) : (
            <input
              class="input"
              value={value}
              placeholder={type === 'datetime' ? '2026-01-31' : ''}
              onInput={(event) => onChange({ ...condition, value: event.currentTarget.value })}
            />
          )}
        </label>
      )}
      <Button kind="plain" icon="close" label={t('filter.remove')} onClick={onRemove} />
    </div>
  );
}

function newCondition(field: string, types: FieldTypes): Condition {
  const type = typeOf(field, types);
  return { field, operator: operatorsFor(type)[0] ?? 'is', value: type === 'boolean' ? 'true' : '' };
}
