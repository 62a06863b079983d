import { EmbedmillError } from '@embedmill/jobs';

const SIGNATURE_BYTES = 8;
/** The bytes of a chunk's length, type and checksum. */
const CHUNK_FRAME_BYTES = 12;
const MAX_PNG_BYTES = 256 * 1024 * 1024;

/** Splits a stream of concatenated PNGs into images. Holds one unfinished image. */
export class PngSplitter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The offset of the next chunk in the unfinished image. */
  #at = SIGNATURE_BYTES;

  /** The images that these bytes complete. */
  push(bytes: Buffer): Buffer[] {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    const images: Buffer[] = [];
    while (this.#heldBytes >= this.#at + 8) {
      const all = this.#joined();
      const length = all.readUInt32BE(this.#at);
      const type = all.toString('latin1', this.#at + 4, this.#at + 8);
      const next = this.#at + CHUNK_FRAME_BYTES + length;
      if (next > MAX_PNG_BYTES)
        throw new EmbedmillError('video_unreadable', 'a frame of the video is too large');
      if (type !== 'IEND') {
        this.#at = next;
        continue;
      }
      if (this.#heldBytes < next) break;
      images.push(all.subarray(0, next));
      this.#held = [all.subarray(next)];
      this.#heldBytes -= next;
      this.#at = SIGNATURE_BYTES;
    }
    return images;
  }

  /** Joined only once a chunk's header is complete, because most pieces are from the middle of a chunk. */
  #joined(): Buffer {
    const all = this.#held.length === 1 ? (this.#held[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#held);
    this.#held = [all];
    return all;
  }
}
