import { useState } from 'preact/hooks';
import { Card, PageHead } from '../../parts/card.tsx';
import { Button } from '../../parts/button.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Notice, ProblemNotice } from '../../parts/notice.tsx';
import { useFileDrop } from '../../parts/use-file-drop.ts';
import type { Route } from '../../route.ts';
import { useAction } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { ColumnsCard } from './columns-card.tsx';
import { guessed, missingIn, withRole, type Mapping } from './mapping.ts';
import { readBeginning, type Dropped } from './read-beginning.ts';
import { SendCard } from './send-card.tsx';

/** From a file to a job: choose it, map its columns, submit it. */
export function SubmitPage({ route }: { route: Route }) {
  const { t } = useLocale();
  const [dropped, setDropped] = useState<Dropped>();
  const [mapping, setMapping] = useState<Mapping>({});
  const read = useAction(async (_server, file: File) => {
    const beginning = await readBeginning(file);
    setDropped(beginning);
    setMapping(beginning.preview === undefined ? {} : guessed(beginning.preview));
  });
  const missing = dropped?.preview === undefined ? undefined : missingIn(mapping);
  return (
    <>
      <PageHead title={t('page.submit')}>{t('submit.what')}</PageHead>
      {dropped === undefined ? (
        <DropZone onFile={(file) => void read.run(file)} />
      ) : (
        <Chosen dropped={dropped} onOther={() => setDropped(undefined)} />
      )}
      {read.problem !== undefined && <ProblemNotice problem={read.problem} />}
      {dropped?.preview !== undefined && (
        <ColumnsCard
          preview={dropped.preview}
          mapping={mapping}
          missing={missing}
          onRole={(column, role) => setMapping(withRole(mapping, column, role))}
        />
      )}
      {dropped?.format === 'document' && (
        <Notice title={t('submit.document')}>
          <p>{t('submit.document.what')}</p>
        </Notice>
      )}
      {dropped !== undefined && (
        <SendCard
          dropped={dropped}
          mapping={mapping}
          isWhole={missing === undefined}
          collection={route.query['collection']}
        />
      )}
    </>
  );
}

function DropZone({ onFile }: { onFile: (file: File) => void }) {
  const { t } = useLocale();
  const drop = useFileDrop(([file]) => file !== undefined && onFile(file));
  return (
    <label class="drop" data-over={drop.isOver} {...drop.handlers}>
      <Icon name="submit" />
      <strong>{t('submit.drop')}</strong>
      <span class="muted">{t('submit.formats')}</span>
      <input
        class="unseen"
        type="file"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file !== undefined) onFile(file);
        }}
      />
      <span class="button">{t('submit.choose')}</span>
    </label>
  );
}

function Chosen({ dropped: { file, format, gzip }, onOther }: { dropped: Dropped; onOther: () => void }) {
  const { t, format: say } = useLocale();
  return (
    <Card>
      <div class="chosen">
        <Icon name="file" />
        <div class="stack">
          <strong class="break">{file.name}</strong>
          <span class="muted small">
            {say.bytes(file.size)} · {t(`format.${format}`)}
            {gzip && ' · gzip'}
          </span>
        </div>
        <Button onClick={onOther}>{t('submit.other')}</Button>
      </div>
    </Card>
  );
}
