import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Check, Choices, Field, Select } from '../../parts/fields.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useFileDrop } from '../../parts/use-file-drop.ts';
import type { CollectionView } from '../../server/shapes.ts';
import { useLocale } from '../../words/locale.tsx';
import { useModels } from '../collections/use-collections.ts';
import type { Asked, Mode } from './asked.ts';
import { FilterForm } from './filter-form.tsx';
import { filterOf, type Condition } from './filter.ts';

const LIMITS = ['5', '10', '20', '50'] as const;

/** The search form. An image can be dropped on it. */
export function SearchForm({
  asked,
  collection,
  collections,
  available,
  modes,
  onModes,
  onAsk,
  onCollection,
}: {
  asked: Asked;
  collection: CollectionView;
  collections: readonly CollectionView[];
  available: readonly Mode[];
  modes: readonly Mode[];
  onModes: (modes: readonly Mode[]) => void;
  onAsk: (change: Partial<Asked>) => void;
  onCollection: (name: string) => void;
}) {
  const { t } = useLocale();
  const [query, setQuery] = useState(asked.query);
  const [conditions, setConditions] = useState<readonly Condition[]>([]);
  const types = collection.profile.filterable;
  const readsImages =
    useModels().data?.find(({ name }) => name === collection.profile.model)?.images === true;
  const askByPicture = (files: readonly File[]) => {
    const picture = files.find(({ type }) => type.startsWith('image/'));
    if (picture === undefined) return;
    void dataUri(picture).then((image) => onAsk({ image, positive: [], negative: [] }));
  };
  const drop = useFileDrop(askByPicture);
  const isComparing = modes.length > 1;
  return (
    <form
      class="card search-form"
      role="search"
      data-over={drop.isOver}
      {...drop.handlers}
      onSubmit={(event) => {
        event.preventDefault();
        onAsk({ query, positive: [], negative: [], image: undefined });
      }}
    >
      <div class="search-line">
        <label class="grow">
          <span class="unseen">{t('search.query')}</span>
          <input
            class="input big"
            type="search"
            placeholder={t('search.query.hint')}
            value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
        </label>
        {readsImages && <PictureButton onFiles={askByPicture} />}
        <Button kind="primary" type="submit" icon="search">
          {t('search.go')}
        </Button>
      </div>
      <div class="search-settings">
        <Field label={t('collection')}>
          <Select
            value={collection.name}
            options={collections.map(({ name }) => ({ value: name, label: name }))}
            onChange={onCollection}
          />
        </Field>
        {available.length > 1 && !isComparing && (
          <Choices
            legend={t('search.mode')}
            value={modes[0] ?? 'hybrid'}
            options={available.map((value) => ({ value, label: t(`search.${value}`) }))}
            onChange={(mode) => onModes([mode])}
          />
        )}
        {modes.includes('hybrid') && (
          <Choices
            legend={t('search.fusion')}
            value={asked.fusion}
            options={[
              { value: 'dbsf', label: t('search.dbsf') },
              { value: 'rrf', label: t('search.rrf') },
            ]}
            onChange={(fusion) => onAsk({ fusion })}
          />
        )}
        <Field label={t('search.limit')}>
          <Select
            value={String(asked.limit)}
            options={LIMITS.map((value) => ({ value, label: value }))}
            onChange={(limit) => onAsk({ limit: Number(limit) })}
          />
        </Field>
      </div>
      <div class="actions">
        {available.length > 1 && (
          <Check
            label={t('search.compare')}
            checked={isComparing}
            onChange={(compare) => onModes(compare ? available : available.slice(0, 1))}
          />
        )}
        <Check
          label={t('search.rerank')}
          checked={asked.rerank === 'late'}
          onChange={(rerank) => onAsk({ rerank: rerank ? 'late' : 'none' })}
        />
        <Check label={t('search.group')} checked={asked.group} onChange={(group) => onAsk({ group })} />
      </div>
      <FilterForm
        types={types}
        conditions={conditions}
        onChange={(changed) => {
          setConditions(changed);
          onAsk({ filter: filterOf(changed, types) });
        }}
      />
    </form>
  );
}

/** For users who cannot drag and drop. */
function PictureButton({ onFiles }: { onFiles: (files: readonly File[]) => void }) {
  const { t } = useLocale();
  return (
    <label class="button icon" title={t('search.byPicture')}>
      <Icon name="image" />
      <input
        class="unseen"
        type="file"
        accept="image/*"
        aria-label={t('search.byPicture')}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // Allows choosing the same image again.
          event.currentTarget.value = '';
          onFiles(files);
        }}
      />
    </label>
  );
}

function dataUri(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error('the image cannot be read'));
    reader.readAsDataURL(file);
  });
}
