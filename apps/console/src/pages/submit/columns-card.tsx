import { Card } from '../../parts/card.tsx';
import { Select } from '../../parts/fields.tsx';
import { Notice } from '../../parts/notice.tsx';
import { useLocale } from '../../words/locale.tsx';
import { ROLES, type Mapping, type Role } from './mapping.ts';
import type { Preview } from './preview.ts';

/** The first rows, with the role of each column above it. */
export function ColumnsCard({
  preview: { columns, rows },
  mapping,
  missing,
  onRole,
}: {
  preview: Preview;
  mapping: Mapping;
  missing: 'id' | 'text' | undefined;
  onRole: (column: string, role: Role) => void;
}) {
  const { t } = useLocale();
  if (columns.length === 0) {
    return (
      <Notice tone="warn" title={t('submit.noRows')}>
        <p>{t('submit.noRows.what')}</p>
      </Notice>
    );
  }
  return (
    <Card
      title={t('submit.columns')}
      whole
      actions={<span class="muted small">{t('submit.columns.what')}</span>}
    >
      {missing !== undefined && (
        <div class="card-note">
          <Notice tone="warn" title={t(`submit.missing.${missing}`)} />
        </div>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label={t('submit.columns')}>
        <table class="preview">
          <thead>
            <tr>
              {columns.map((column) => (
                <th scope="col" key={column}>
                  <label class="stack" data-role={mapping[column]}>
                    <span class="clip">{column}</span>
                    <Select
                      value={mapping[column] ?? 'metadata'}
                      options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
                      onChange={(role) => onRole(column, role)}
                    />
                  </label>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, n) => (
              <tr key={n}>
                {row.map((cell, at) => (
                  <td key={columns[at]} class={mapping[columns[at] ?? ''] === 'none' ? 'muted struck' : ''}>
                    <span>{cell}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
