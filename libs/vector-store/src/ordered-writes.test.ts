import { pointId, type DocumentId } from '@embedmill/jobs';
import { DEFAULT } from './conformance-documents.ts';
import { decidedBy, type ConditionalPoints, type Head, type Seen } from './ordered-writes.ts';
import { NAME, orderInterleavings, type OrderModel } from './ordered-writes-interleavings.ts';
import type { Point } from './store.ts';

interface ModelPoint {
  chunk: number;
  chunkCount: number;
  fingerprint: string | undefined;
  sequence: number;
  confirmed: number;
}

/** The points of one document, in a store with conditional writes. */
class ModelPoints implements OrderModel {
  readonly points = new Map<string, ModelPoint>();

  /** The writer's view of the model, which waits before each step until it may continue. */
  seenBy(step: () => Promise<void>): ConditionalPoints {
    const { points } = this;
    const id = (chunk: number) => pointId(DEFAULT, NAME, 'a' as DocumentId, chunk);
    const isFree = (at: string, sequence: number): boolean => {
      const there = points.get(at);
      return there === undefined || decidedBy(there) <= sequence;
    };
    return {
      async bury([document], sequence) {
        await step();
        const head = points.get(id(0));
        const isSame =
          head !== undefined &&
          head.sequence === sequence &&
          document?.fingerprint !== undefined &&
          head.fingerprint === document.fingerprint;
        if (document === undefined || isSame || !isFree(id(0), sequence)) return;
        points.set(id(0), { chunk: 0, chunkCount: 0, fingerprint: undefined, sequence, confirmed: 0 });
      },
      async write(written: readonly Point[], sequence) {
        // Each point is a separate step, because a request may be interrupted between any two.
        for (const { id: at, payload } of written) {
          await step();
          if (!isFree(at, sequence)) continue;
          const { chunk_index: chunk, chunk_count: chunkCount, fingerprint } = payload;
          points.set(at, { chunk, chunkCount, fingerprint, sequence, confirmed: 0 });
        }
      },
      async confirm(_, written, sequence) {
        await step();
        const head = points.get(id(0));
        if (head === undefined || head.chunkCount === 0) return;
        if (head.sequence === written && head.confirmed < sequence) head.confirmed = sequence;
      },
      async look(documents): Promise<Seen[]> {
        await step();
        return documents.map(({ beyond }) => {
          const head = points.get(id(0));
          return { head: head && { ...head }, beyond: beyond !== undefined && points.has(id(beyond)) };
        });
      },
      async remove(documents, from, sequence, which) {
        if (documents.length === 0) return;
        await step();
        for (const [at, point] of points) {
          if (point.chunk < from) continue;
          if (which === 'exactly' ? point.sequence === sequence : point.sequence <= sequence)
            points.delete(at);
        }
      },
    };
  }

  get shown(): ModelPoint[] {
    return [...this.points.values()].filter(({ chunkCount }) => chunkCount > 0);
  }

  get head(): Head | undefined {
    return this.points.get(pointId(DEFAULT, NAME, 'a' as DocumentId, 0));
  }
}

orderInterleavings('writers of one document', () => new ModelPoints());
