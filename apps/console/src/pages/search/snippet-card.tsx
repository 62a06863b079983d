import { useState } from 'preact/hooks';
import { Code } from '../../parts/button.tsx';
import { useServer, useSession } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { requestOf, type Asked, type Mode } from './asked.ts';
import { snippet, SNIPPET_KINDS, type SnippetKind } from './snippets.ts';

const NAMES = { curl: 'curl', typescript: 'TypeScript', python: 'Python' } as const;

/** The same search as code. */
export function SnippetCard({ asked, mode }: { asked: Asked; mode: Mode }) {
  const { t } = useLocale();
  const server = useServer();
  const { key } = useSession();
  const [kind, setKind] = useState<SnippetKind>('curl');
  const url = server.client.url;
  return (
    <details class="card fold">
      <summary>{t('search.code')}</summary>
      <div class="card-body form">
        <div class="tabs" role="tablist" aria-label={t('search.code')}>
          {SNIPPET_KINDS.map((one) => (
            <button
              key={one}
              type="button"
              role="tab"
              aria-selected={one === kind}
              onClick={() => setKind(one)}
            >
              {NAMES[one]}
            </button>
          ))}
        </div>
        <Code text={snippet(kind, requestOf(asked, mode), { url, needsKey: key !== undefined })} />
      </div>
    </details>
  );
}
