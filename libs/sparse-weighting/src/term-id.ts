const encoder = new TextEncoder();
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** Cached ids by term, because a corpus repeats the same terms. */
const MOST_REMEMBERED = 200_000;
const LONGEST_REMEMBERED = 40;
const ids = new Map<string, number>();

/**
 * A term's id in sparse vectors, from 0 to 2^31: the absolute value of the 32-bit MurmurHash3 (Appleby, 2011) of its
 * UTF-8, as in fastembed's BM25 and BM42, so that one collection can hold vectors of both. Different terms may share an
 * id; among a million, few do.
 */
export function termId(term: string): number {
  const known = ids.get(term);
  if (known !== undefined) return known;
  const id = Math.abs(murmur3(encoder.encode(term)));
  if (term.length > LONGEST_REMEMBERED) return id;
  if (ids.size >= MOST_REMEMBERED) ids.clear();
  ids.set(term, id);
  return id;
}

/** MurmurHash3_x86_32 with seed 0, as a signed number. */
function murmur3(bytes: Uint8Array): number {
  const blocks = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < blocks; at += 4) {
    const block =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    hash ^= scrambled(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
  if (blocks < bytes.length) hash ^= scrambled(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scrambled(block: number): number {
  const mixed = Math.imul(block, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
}
