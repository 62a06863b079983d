import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import type { Client } from '@embedmill/client';

export interface EmbedmillEmbeddingsParams extends EmbeddingsParams {
  client: Client;
  /** A dense model of the server; all-MiniLM-L6-v2 by default. */
  model?: string;
  /** A smaller vector size, if the model was trained for it. */
  dimensions?: number;
}

/** Vectors from embedmill's models, ahead of its bulk jobs, with the prefixes that the model needs for documents and queries. */
export class EmbedmillEmbeddings extends Embeddings {
  readonly #client: Client;
  readonly #options: Pick<EmbedmillEmbeddingsParams, 'model' | 'dimensions'>;

  constructor({ client, model, dimensions, ...params }: EmbedmillEmbeddingsParams) {
    super(params);
    this.#client = client;
    this.#options = {
      ...(model !== undefined && { model }),
      ...(dimensions !== undefined && { dimensions }),
    };
  }

  async embedDocuments(texts: string[]): Promise<number[][]> {
    return this.#embed(texts, 'document');
  }

  async embedQuery(text: string): Promise<number[]> {
    const [vector = []] = await this.#embed([text], 'query');
    return vector;
  }

  async #embed(texts: string[], role: 'document' | 'query'): Promise<number[][]> {
    const vectors = await this.#client.embed(texts, { ...this.#options, role });
    return vectors.map((vector) => [...vector]);
  }
}
