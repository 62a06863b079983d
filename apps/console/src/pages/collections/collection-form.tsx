import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Check, Field, Select, type Option } from '../../parts/fields.tsx';
import { ProblemNotice } from '../../parts/notice.tsx';
import type { CollectionView, ModelView } from '../../server/shapes.ts';
import { useAction } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { modelFacts } from '../models/model-facts.ts';
import {
  filterableOf,
  isName,
  LANGUAGE_TAGS,
  modelFor,
  NEW_PROFILE,
  profileOf,
  type ProfileForm,
  type Spoken,
} from './profile-form.ts';
import { useModels } from './use-collections.ts';

/** Creates a collection. `name` is the suggested name. */
export function CollectionForm({
  name = '',
  onMade,
  onCancel,
}: {
  name?: string;
  onMade: (collection: CollectionView) => void;
  onCancel: () => void;
}) {
  const { t, format } = useLocale();
  const models = useModels();
  const [form, setForm] = useState<ProfileForm>({ ...NEW_PROFILE, name });
  const set = (change: Partial<ProfileForm>) => setForm((before) => ({ ...before, ...change }));
  const filterable = filterableOf(form.filterable);
  const isGood = isName(form.name) && filterable.ok;
  const make = useAction(async (client) => {
    if (!filterable.ok) return;
    onMade(await client.collections.create(form.name, profileOf(form, filterable.fields)));
  });
  const spoken: Option<Spoken>[] = [
    { value: 'auto', label: t('language.auto') },
    ...Object.entries(LANGUAGE_TAGS).map(([value, tag]) => ({
      value: value as Spoken,
      label: format.language(tag),
    })),
  ];
  const dense = (models.data ?? []).filter(({ kind }) => kind === 'dense');
  const model = dense.find((one) => one.name === form.model);
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isGood) void make.run();
      }}
    >
      <Field
        label={t('name')}
        hint={t('form.name.hint')}
        wrong={form.name === '' || isName(form.name) ? undefined : t('form.name.hint')}
      >
        <input
          class="input"
          required
          maxLength={63}
          autocomplete="off"
          spellcheck={false}
          value={form.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </Field>
      <div class="form-row">
        <Field label={t('form.language')}>
          <Select
            value={form.language}
            options={spoken}
            onChange={(language) => set({ language, model: modelFor(language) })}
          />
        </Field>
        <Field label={t('model')}>
          <Select
            value={form.model}
            options={(dense.length === 0 ? [{ name: form.model, available: true }] : dense).map((one) => ({
              value: one.name,
              label: one.available ? one.name : t('form.download', { model: one.name }),
            }))}
            onChange={(chosen) => set({ model: chosen })}
          />
        </Field>
      </div>
      {model !== undefined && <ModelNote model={model} />}
      <fieldset class="group">
        <legend class="legend">{t('form.words')}</legend>
        <Check label={t('form.bm25')} checked={form.bm25} onChange={(bm25) => set({ bm25 })} />
        <Check
          label={t('form.bm42')}
          checked={form.bm42}
          disabled={model?.attentions === false}
          onChange={(bm42) => set({ bm42 })}
        />
        <Check label={t('form.splade')} checked={form.splade} onChange={(splade) => set({ splade })} />
        <Check
          label={t('form.lateInteraction')}
          checked={form.lateInteraction}
          onChange={(lateInteraction) => set({ lateInteraction })}
        />
      </fieldset>
      <div class="form-row">
        <Field
          label={t('form.filterable')}
          hint={t('form.filterable.hint')}
          wrong={filterable.ok ? undefined : t('form.filterable.wrong', { field: filterable.wrong })}
        >
          <input
            class="input"
            placeholder="year:integer"
            value={form.filterable}
            onInput={(event) => set({ filterable: event.currentTarget.value })}
          />
        </Field>
        <Field label={t('form.chunkSize')} hint={t('form.chunkSize.hint')}>
          <input
            class="input"
            type="number"
            min={16}
            max={8192}
            value={form.chunkSize}
            onInput={(event) => set({ chunkSize: event.currentTarget.value })}
          />
        </Field>
      </div>
      {make.problem !== undefined && <ProblemNotice problem={make.problem} />}
      <div class="actions">
        <Button onClick={onCancel}>{t('back')}</Button>
        <Button kind="primary" type="submit" disabled={!isGood || make.isRunning}>
          {t('collections.make')}
        </Button>
      </div>
    </form>
  );
}

function ModelNote({ model }: { model: ModelView }) {
  const locale = useLocale();
  return <p class="muted small">{modelFacts(model, locale).join(' · ')}</p>;
}
