import type { FileFormat, Preview } from './preview.ts';

/** What a column can be. */
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

/** A column’s role, by its name. */
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
/** What columns are often called, beside the fields’ own names; the first that is there is taken. */
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

/** What the columns most likely are; the longest texts are the text where no name says so. */
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

/** With another role for a column; a role but `metadata` and `none` is of one column alone. */
export function withRole(mapping: Mapping, column: string, role: Role): Mapping {
  const isShared = role === 'metadata' || role === 'none';
  const others = Object.entries(mapping).map(([name, own]): [string, Role] => [
    name,
    own === role && !isShared ? 'metadata' : own,
  ]);
  return { ...Object.fromEntries(others), [column]: role };
}

/** What is missing before the documents can be submitted. */
export function missingIn(mapping: Mapping): 'id' | 'text' | undefined {
  const roles = Object.values(mapping);
  if (!roles.includes('id')) return 'id';
  return roles.includes('text') || roles.includes('image') ? undefined : 'text';
}

/** What the upload’s address says of the columns; nothing where the server reads them so by itself. */
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
