import { pointId, type DocumentId, type PointId } from '@embedmill/jobs';
import { DEFAULT } from '../conformance-documents.ts';
import type { ConditionalPoints, Head } from '../ordered-writes.ts';
import { NAME, orderInterleavings, type OrderModel } from '../ordered-writes-interleavings.ts';
import { MilvusWrites, versionsOf, type HeadRow, type Mark, type RowRequests } from './milvus-writes.ts';

interface ModelRow extends HeadRow {
  point: PointId;
  chunk: number;
}

/**
 * Tables like those of Milvus, to which rows are added and removed: each request is a step, and so is each written row.
 */
class ModelTables implements OrderModel {
  readonly #rows = new Map<string, ModelRow>();
  readonly #marks = new Map<string, Mark>();

  seenBy(next: () => Promise<void>): ConditionalPoints {
    let last: Promise<unknown> = Promise.resolve();
    // A writer's concurrent requests run one after the other here.
    const step = (): Promise<void> => {
      const turn = last.then(next);
      last = turn;
      return turn;
    };
    const [rows, marks] = [this.#rows, this.#marks];
    const is = (which: 'exactly' | 'below', at: number, sequence: number) =>
      which === 'exactly' ? at === sequence : at < sequence;
    const requests: RowRequests = {
      async upsert(points) {
        for (const { id, payload } of points) {
          await step();
          const { sequence, chunk_index: chunk, chunk_count: chunkCount, fingerprint } = payload;
          const row = { document: HEAD, point: id, sequence, chunk, chunkCount, fingerprint };
          rows.set(`${id}:${sequence}`, row);
        }
      },
      async heads() {
        await step();
        return [...rows.values()].filter(({ chunk }) => chunk === 0);
      },
      async there(points) {
        await step();
        const there = new Set([...rows.values()].map(({ point }) => point));
        return new Set(points.filter((point) => there.has(point)));
      },
      async remove(_, from, to, which, sequence) {
        await step();
        for (const [key, row] of rows)
          if (row.chunk >= from && row.chunk < to && is(which, row.sequence, sequence)) rows.delete(key);
      },
      async marks() {
        await step();
        return [...marks.values()];
      },
      async mark(some) {
        await step();
        for (const mark of some) marks.set(`${mark.kind}:${mark.sequence}:${mark.written}`, mark);
      },
      async unmark(_, kind, which, sequence) {
        await step();
        for (const [key, mark] of marks)
          if ((kind === undefined || mark.kind === kind) && is(which, mark.sequence, sequence))
            marks.delete(key);
      },
      assertCurrent: () => Promise.resolve(),
    };
    return new MilvusWrites(NAME, requests);
  }

  get shown(): ModelRow[] {
    return [...this.#rows.values()];
  }

  get head(): Head | undefined {
    const heads = [...this.#rows.values()].filter(({ chunk }) => chunk === 0);
    return versionsOf(heads, [...this.#marks.values()]).get(HEAD)?.head;
  }
}

const HEAD = pointId(DEFAULT, NAME, 'a' as DocumentId, 0);

orderInterleavings('writers of one document in Milvus', () => new ModelTables(), 12);
