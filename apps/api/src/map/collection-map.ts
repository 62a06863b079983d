import { z } from 'zod';

const coordinates = z.array(z.number());

export const mapClusterSchema = z
  .strictObject({
    x: z.number(),
    y: z.number(),
    size: z.int().meta({ description: 'Points of the map that are nearest to its middle.' }),
    words: z.array(z.string()).meta({
      description: 'What its documents speak of and others do not, the most telling first.',
    }),
  })
  .meta({ id: 'MapCluster' });
export type MapCluster = z.infer<typeof mapClusterSchema>;

const value = z.union([z.string(), z.number(), z.boolean()]).nullable();

/** A map by columns: the n-th entry of each is of the n-th point. */
export const mapPointsSchema = z
  .strictObject({
    points: z.array(z.string()).meta({ description: 'Ids of points.' }),
    documents: z.array(z.string()).meta({ description: 'Whose they are.' }),
    chunks: z.array(z.int()),
    x: coordinates,
    y: coordinates,
    cluster: z.array(z.int()).meta({ description: 'By its number in `clusters`.' }),
    values: z
      .record(z.string(), z.array(value))
      .meta({ description: 'Of the fields that were asked for; null where a document has none.' }),
    clusters: z.array(mapClusterSchema),
  })
  .meta({ id: 'MapPoints' });
export type MapPoints = z.infer<typeof mapPointsSchema>;
export type MapValue = z.infer<typeof value>;

export const MOST_POINTS = 100_000;

export const mapRequestSchema = z.strictObject({
  fields: z
    .array(z.string().min(1).max(128))
    .max(8)
    .default([])
    .meta({ description: 'Fields of the metadata whose values its points carry, to colour by.' }),
  method: z.enum(['umap', 'pca']).default('umap').meta({
    description: 'How it is projected: neighbours kept together, or the directions of most difference.',
  }),
  points: z
    .int()
    .min(10)
    .max(MOST_POINTS)
    .default(MOST_POINTS)
    .meta({ description: 'Points at most, evenly from all.' }),
  update: z.boolean().default(false).meta({
    description:
      'Whether points that are on the map stay where they are: only what is new is placed, by what it is like, and what is gone is taken off. Method and fields are those of the map then. Where there is none, it is computed.',
  }),
});
export type MapRequest = z.output<typeof mapRequestSchema>;

export const mapStateSchema = z
  .strictObject({
    state: z.enum(['none', 'computing', 'ready', 'failed']),
    progress: z.number().min(0).max(1),
    error: z.string().nullable().meta({ description: 'Why the last try failed; the map before it stays.' }),
    computedAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the map that is there was computed; null: there is none.' }),
    points: z.int().nonnegative().meta({ description: 'Points on it.' }),
    total: z.int().nonnegative().meta({ description: 'Points that there were then.' }),
    method: z.enum(['umap', 'pca']).nullable(),
    fields: z.array(z.string()),
  })
  .meta({ id: 'MapState' });
export type MapState = z.infer<typeof mapStateSchema>;

/** As it is kept: with when it was written, so that one whose process died is told from one that goes on. */
export const keptStateSchema = z.strictObject({ ...mapStateSchema.shape, at: z.number() });
export type KeptState = z.infer<typeof keptStateSchema>;

export const NO_MAP: MapState = {
  state: 'none',
  progress: 0,
  error: null,
  computedAt: null,
  points: 0,
  total: 0,
  method: null,
  fields: [],
};
