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

/** Where documents' pictures may be. */
export interface PictureSources {
  /** Gets what a URL serves, with regard to where it may lead. */
  fetch: FetchBytes;
  /** Uploads lie here: nothing beside them is the uploader's to read. */
  spool: Pick<Spool, 'holds'>;
}

/** One picture of a document, and what became of it. */
export interface SeenPicture {
  outcome: Outcome;
  /** Of a video's frame: seconds from its start. */
  timestamp: number | null;
}

/** Documents whose pictures are read at the same time: each may take some hundred MB while it is decoded. */
const AT_ONCE = 2;

export const hasPicture = ({ image, video }: Document): boolean => image !== undefined || video !== undefined;

/**
 * What each document's picture, or each frame of its video, gave; nothing for documents without one. Pictures that
 * cannot be had fail by themselves; errors that may pass are thrown, so that the shard is tried again.
 */
export async function embedPictures(
  documents: readonly Document[],
  { source }: Pick<Shard, 'source'>,
  { video: options }: { video: VideoOptions },
  tower: ImageTower | undefined,
  { fetch, spool }: PictureSources,
): Promise<SeenPicture[][]> {
  // The folder of a file that the server was told to read; an upload has none.
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
    throw new EmbedmillError('video_unreadable', 'video: no picture could be read of it');
  }
}

/** Where a document's picture is; null where it came with the document. */
export function pictureReference({ image, video }: Document): string | null {
  if (image === undefined) return video ?? null;
  const parsed = parseImageReference(image);
  return parsed.ok && parsed.reference.kind !== 'data' ? image : null;
}
