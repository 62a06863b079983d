import assert from 'node:assert/strict';

/** A row of an embed job's output, as clients read it. */
export interface ReadRow {
  text: string;
  embeddings: { [form: string]: number[] | null };
  [field: string]: unknown;
}

export const MARKER_BYTES = 16;
const FORMS = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const;

/** For tests only: reads the Avro files of embed jobs, written from the specification alone. */
export function readDatasetFile(
  file: Buffer,
  fields: readonly string[],
): { schema: string; rows: ReadRow[] } {
  let at = 4;
  assert.equal(file.subarray(0, at).toString('latin1'), 'Obj\u0001');
  const said = new Map<string, string>();
  for (let left = long(); left > 0; left -= 1) said.set(text(), text());
  assert.equal(long(), 0);
  const marker = take(MARKER_BYTES);
  const rows: ReadRow[] = [];
  while (at < file.length) {
    const count = long();
    const end = long() + at;
    for (let n = 0; n < count; n += 1) rows.push(row());
    assert.equal(at, end);
    assert.deepEqual(take(MARKER_BYTES), marker);
  }
  assert.equal(said.get('avro.codec'), 'null');
  return { schema: said.get('avro.schema') ?? '', rows };

  function row(): ReadRow {
    const own = text();
    const embeddings = Object.fromEntries(
      FORMS.map((form) => [form, long() === 0 ? null : list(form)] as const),
    );
    return { text: own, embeddings, ...Object.fromEntries(fields.map((name) => [name, field()])) };
  }
  function take(bytes: number): Buffer {
    at += bytes;
    return file.subarray(at - bytes, at);
  }
  function long(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const [byte = 0] = take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
  }
  function text(): string {
    return take(long()).toString('utf8');
  }
  function list(form: (typeof FORMS)[number]): number[] {
    const items = Array.from({ length: long() }, () => (form === 'float' ? take(4).readFloatLE() : long()));
    if (items.length > 0) assert.equal(long(), 0);
    return items;
  }
  function field(): unknown {
    const kinds = [() => null, () => take(1)[0] === 1, long, () => take(8).readDoubleLE(), text];
    return kinds[long()]?.();
  }
}
