import type { DenseModel, EngineModel, TokenHead } from './engine/protocol.ts';

interface File {
  readonly path: string;
}

type Head = { readonly output: string } | { readonly weights: File };

interface Files {
  readonly modelPath: string;
  readonly dims: number;
  readonly padTokenId: number;
}

/** A model's facts and the locations of its files, as the model store knows them. */
export type KeptModel =
  | (Files & {
      readonly kind: 'dense';
      readonly pooling: DenseModel['pooling'];
      readonly padding: 'right' | 'left';
      readonly projections: readonly { weights: File; activation: 'identity' | 'tanh' }[];
      readonly adapters?: { readonly input: string } | undefined;
      readonly lexical?: Head | undefined;
      readonly tokenVectors?: Head | undefined;
      readonly normalize: boolean;
      /** The locations of its layers' files, by their paths in its facts. */
      readonly layerPaths: ReadonlyMap<string, string>;
    })
  | (Files & { readonly kind: 'sparse' | 'reranker' });

/** Converts a stored model to the form that an engine needs. */
export function engineModel(model: KeptModel): EngineModel {
  const { modelPath: path, dims, padTokenId } = model;
  switch (model.kind) {
    case 'dense': {
      const { pooling, padding, projections, adapters, lexical, tokenVectors, normalize, layerPaths } = model;
      const pathOf = (file: File) => layerPaths.get(file.path) ?? file.path;
      const headOf = (head: Head | undefined): TokenHead | undefined =>
        head && ('output' in head ? head : { path: pathOf(head.weights) });
      return {
        kind: 'dense',
        path,
        dims,
        padTokenId,
        pooling,
        padding,
        normalize,
        projections: projections.map(({ weights, activation }) => ({ path: pathOf(weights), activation })),
        adapterInput: adapters?.input,
        lexical: headOf(lexical),
        tokenVectors: headOf(tokenVectors),
      };
    }
    case 'sparse':
      // The most that a profile may ask for.
      return { kind: 'sparse', path, dims, padTokenId, maxTerms: 4096 };
    case 'reranker':
      return { kind: 'reranker', path, padTokenId };
  }
}
