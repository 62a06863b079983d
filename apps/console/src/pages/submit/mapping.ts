import type { FileFormat, Preview } from './preview.ts';

/** The roles of columns. */
export const ROLES = [
  'id',
  'text',
  'title',
  'image',
  'tenant',
  'source',
  'deleted',
  'metadata',
  'none',
] as const;
export type Role = (typeof ROLES)[number];

/** The role of each column, by the column's name. */
export type Mapping = Readonly<Record<string, Role>>;

/** Fields of a document that the server knows by these names. */
const OWN = new Set<string>([
  'id',
  'text',
  'title',
  'image',
  'video',
  'tenant',
  'vector',
  'deleted',
  'source',
  'metadata',
]);
/** Common column names besides the fields’ own names; the first one present is taken. */
const USUAL: Readonly<Partial<Record<Role, readonly string[]>>> = {
  id: [
    'id',
    '_id',
    'doc_id',
    'document_id',
    'sku',
    'key',
    'uuid',
    'guid',
    'asin',
    'pid',
    'url',
    '编号',
    '标识',
  ],
  text: [
    'text',
    'body',
    'content',
    'contents',
    'description',
    'abstract',
    'passage',
    'document',
    'summary',
    '正文',
    '内容',
    '文本',
    '描述',
  ],
  title: ['title', 'name', 'headline', 'subject', '标题', '名称'],
  image: ['image', 'image_url', 'picture', '图片'],
};

/**
 * Guesses the roles of the columns. If no column is named like the text, the one with the longest values is the text.
 */
export function guessed({ columns, rows }: Preview): Mapping {
  const roles: Record<string, Role> = Object.fromEntries(columns.map((column) => [column, 'metadata']));
  const taken = new Set<string>();
  for (const role of ['id', 'text', 'title', 'image'] as const) {
    const found = (USUAL[role] ?? [])
      .map((name) => columns.find((column) => column.toLowerCase() === name && !taken.has(column)))
      .find((column) => column !== undefined);
    if (found === undefined) continue;
    roles[found] = role;
    taken.add(found);
  }
  for (const column of columns)
    if (column === 'tenant' || column === 'source' || column === 'deleted') roles[column] = column;
  if (!Object.values(roles).includes('text')) {
    const lengths = columns.map((column, n) => (taken.has(column) ? -1 : meanLength(rows, n)));
    const longest = columns[lengths.indexOf(Math.max(...lengths))];
    if (longest !== undefined) roles[longest] = 'text';
  }
  return roles;
}

function meanLength(rows: Preview['rows'], n: number): number {
  return rows.reduce((sum, row) => sum + (row[n]?.length ?? 0), 0) / Math.max(1, rows.length);
}

/** Assigns a role to a column. Each role except `metadata` and `none` belongs to at most one column. */
export function withRole(mapping: Mapping, column: string, role: Role): Mapping {
  const isShared = role === 'metadata' || role === 'none';
  const others = Object.entries(mapping).map(([name, own]): [string, Role] => [
    name,
    own === role && !isShared ? 'metadata' : own,
  ]);
  return { ...Object.fromEntries(others), [column]: role };
}

/** The role that is missing before the documents can be submitted. */
export function missingIn(mapping: Mapping): 'id' | 'text' | undefined {
  const roles = Object.values(mapping);
  if (!roles.includes('id')) return 'id';
  return roles.includes('text') || roles.includes('image') ? undefined : 'text';
}

/** The upload's query parameters about columns; none if the server would detect the same by itself. */
export function columnsQuery(mapping: Mapping, format: FileFormat): Record<string, string> {
  const entries = Object.entries(mapping);
  const columns = entries.filter(([, role]) => role !== 'metadata' && role !== 'none');
  const renamed = columns.filter(([name, role]) => name !== role);
  const metadata = entries.filter(([, role]) => role === 'metadata').map(([name]) => name);
  const isOwnMetadata = format === 'ndjson' && metadata.every((name) => OWN.has(name));
  const hasNone = entries.some(([, role]) => role === 'none');
  return {
    ...(renamed.length > 0 && {
      columns: JSON.stringify(Object.fromEntries(renamed.map(([name, role]) => [role, name]))),
    }),
    ...(format !== 'ndjson' && hasNone && { metadata: metadata.join(',') }),
    ...(format === 'ndjson' &&
      !isOwnMetadata && { metadata: metadata.filter((name) => name !== 'metadata').join(',') }),
  };
}
