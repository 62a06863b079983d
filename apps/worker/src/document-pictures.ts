import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from '@embedmill/embed/pipeline';
import { pictureFile, resolveImage, videoFrames, type FetchBytes } from '@embedmill/images';
import {
  asEmbedmillError,
  EmbedmillError,
  parseImageReference,
  type Document,
  type Shard,
  type VideoOptions,
} from '@embedmill/jobs';
import type { Spool } from '@embedmill/sources';
import type { ImageTower } from './image-tower.ts';

/** Where documents' pictures may come from. */
export interface PictureSources {
  /** Fetches a URL, subject to the rules on where it may lead. */
  fetch: FetchBytes;
  /** The folder of uploads; an uploader may not read anything outside of it. */
  spool: Pick<Spool, 'holds'>;
}

/** One picture of a document, and its outcome. */
export interface SeenPicture {
  outcome: Outcome;
  /** For a video frame: seconds from the start of the video. */
  timestamp: number | null;
}

/** Documents whose pictures are read at the same time; each may take some hundred MB while it is decoded. */
const AT_ONCE = 2;

export const hasPicture = ({ image, video }: Document): boolean => image !== undefined || video !== undefined;

/**
 * Embeds each document's picture, or each frame of its video; documents without one have no outcome. Unreadable pictures
 * fail alone; transient errors are thrown, so that the shard is retried.
 */
export async function embedPictures(
  documents: readonly Document[],
  { source }: Pick<Shard, 'source'>,
  { video: options }: { video: VideoOptions },
  tower: ImageTower | undefined,
  { fetch, spool }: PictureSources,
): Promise<SeenPicture[][]> {
  // The folder of a file on the server; an upload has none.
  const folder =
    source.kind === 'file' && !spool.holds(source) ? dirname(fileURLToPath(source.uri)) : undefined;
  const seen: SeenPicture[][] = documents.map(() => []);
  const pending = documents.entries();
  const readInTurn = async (): Promise<void> => {
    for (const [n, document] of pending) {
      if (!hasPicture(document)) continue;
      try {
        seen[n] = await picturesOf(document);
      } catch (thrown) {
        const error = asEmbedmillError(thrown);
        if (error.retryable) throw error;
        seen[n] = [{ outcome: { ok: false, error }, timestamp: null }];
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readInTurn));
  return seen;

  async function picturesOf({ image, video }: Document): Promise<SeenPicture[]> {
    if (tower === undefined) {
      const message = 'the collection’s model reads no images; create one with a model that does';
      throw new EmbedmillError('image_unreadable', message);
    }
    if (image !== undefined) {
      const outcome = await tower.embed(await resolveImage(image, { folder, fetch }), 'bulk');
      return [{ outcome, timestamp: null }];
    }
    const frames: SeenPicture[] = [];
    for await (const { timestampSeconds, bytes } of videoFrames(
      await pictureFile(video ?? '', folder),
      options,
    )) {
      frames.push({ outcome: await tower.embed(bytes, 'bulk'), timestamp: timestampSeconds });
    }
    if (frames.length > 0) return frames;
    throw new EmbedmillError('video_unreadable', 'video: no frame could be read');
  }
}

/** The location of a document's picture; null if it came with the document. */
export function pictureReference({ image, video }: Document): string | null {
  if (image === undefined) return video ?? null;
  const parsed = parseImageReference(image);
  return parsed.ok && parsed.reference.kind !== 'data' ? image : null;
}
