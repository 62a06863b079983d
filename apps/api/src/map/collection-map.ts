import { z } from 'zod';

const coordinates = z.array(z.number());

export const mapClusterSchema = z
  .strictObject({
    x: z.number(),
    y: z.number(),
    size: z.int().meta({ description: 'Points of the map that are nearest to the cluster’s centre.' }),
    words: z.array(z.string()).meta({
      description: 'Terms that distinguish its documents from the others, most distinctive first.',
    }),
  })
  .meta({ id: 'MapCluster' });
export type MapCluster = z.infer<typeof mapClusterSchema>;

const value = z.union([z.string(), z.number(), z.boolean()]).nullable();

/** A map in columns: the n-th entry of each column belongs to the n-th point. */
export const mapPointsSchema = z
  .strictObject({
    points: z.array(z.string()).meta({ description: 'The ids of the points.' }),
    documents: z.array(z.string()).meta({ description: 'The id of each point’s document.' }),
    chunks: z.array(z.int()),
    x: coordinates,
    y: coordinates,
    cluster: z
      .array(z.int())
      .meta({ description: 'The cluster of each point, as an index into `clusters`.' }),
    values: z
      .record(z.string(), z.array(value))
      .meta({ description: 'The values of the requested fields; null if a document has none.' }),
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
    .meta({ description: 'Metadata fields whose values the points carry, to colour by.' }),
  method: z.enum(['umap', 'pca']).default('umap').meta({
    description:
      'The projection: one that keeps neighbours together, or the directions of greatest variance.',
  }),
  points: z
    .int()
    .min(10)
    .max(MOST_POINTS)
    .default(MOST_POINTS)
    .meta({ description: 'The most points, sampled evenly from all.' }),
  update: z.boolean().default(false).meta({
    description:
      'Whether to update the existing map: points on it stay in place, new points are placed near similar ones, and deleted points are removed. Method and fields are those of the existing map. If there is none, it is computed.',
  }),
});
export type MapRequest = z.output<typeof mapRequestSchema>;

export const mapStateSchema = z
  .strictObject({
    state: z.enum(['none', 'computing', 'ready', 'failed']),
    progress: z.number().min(0).max(1),
    error: z
      .string()
      .nullable()
      .meta({ description: 'Why the last attempt failed; the previous map is kept.' }),
    computedAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the current map was computed; null if there is none.' }),
    points: z.int().nonnegative().meta({ description: 'Points on the map.' }),
    total: z.int().nonnegative().meta({ description: 'Points in the collection at that time.' }),
    method: z.enum(['umap', 'pca']).nullable(),
    fields: z.array(z.string()),
  })
  .meta({ id: 'MapState' });
export type MapState = z.infer<typeof mapStateSchema>;

/** The state as it is kept, with the time of writing: an old time means that the computing process died. */
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
