import { createHash } from 'node:crypto';
import type { Encoder, Outcome } from '@embedmill/embed/pipeline';
import type { Lane } from '@embedmill/batching';
import { decodeImage, type ImagePreparation } from '@embedmill/images';

/** An image's tokens in plans; any number will do, because all images have the same size. */
const DIGEST_WORDS = 4;

/** The encoder's area for a batch of images. */
export const imageArea = (images: number): number => images * DIGEST_WORDS;

/**
 * The part of a model that reads images: it decodes them and passes them to engines behind an encoder of their own. A
 * digest of the pixels takes the place of tokens, so that equal images of a window are computed once.
 */
export class ImageTower {
  readonly #encoder: Encoder;
  readonly #preparation: ImagePreparation;

  constructor(encoder: Encoder, preparation: ImagePreparation) {
    this.#encoder = encoder;
    this.#preparation = preparation;
  }

  get dims(): number {
    return this.#encoder.dims;
  }

  /** The outcome of one encoded image. Rejects with `image_unreadable`, `image_too_large`, and as the encoder does. */
  async embed(image: Uint8Array, lane: Lane): Promise<Outcome> {
    const pixels = await decodeImage(image, this.#preparation);
    const digest = createHash('sha256').update(pixels).digest();
    const ids = Int32Array.from({ length: DIGEST_WORDS }, (_, n) => digest.readInt32LE(4 * n));
    const [outcome] = await this.#encoder.encode([{ ids, pixels }], lane);
    if (outcome === undefined) throw new RangeError('the encoder gave no outcome');
    return outcome;
  }

  close(): Promise<void> {
    return this.#encoder.close();
  }
}
