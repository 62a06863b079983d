import { EmbedmillError } from '@embedmill/jobs';

/** The bounds of a JSON body. */
export interface JsonLimits {
  /** Items of lists and fields of objects, at all levels together. */
  values: number;
  /** Lists and objects. */
  containers: number;
}

/** Enough for every request except those with token ids: checking by a schema takes some microseconds per value. */
export const USUAL_JSON: JsonLimits = { values: 16_384, containers: 8192 };
/** How deep lists and objects may nest: filters have 16 levels of two each, plus what surrounds them. */
const MAX_DEPTH = 64;
/** The most fields of objects on any route: an object with a million fields takes a second to build, a list some milliseconds. */
const MAX_FIELDS = 32_768;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Counts the content of a JSON body while its bytes arrive, before anything is built: a list of a million empty lists costs
 * three million bytes to send and fifty times as much to build. The body need not be valid JSON; the parser refuses it
 * afterwards, at a cost that the same counts bound.
 */
export class JsonBounds {
  readonly #limits: JsonLimits;
  #values = 0;
  #containers = 0;
  #fields = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /** Counts the next bytes of the body. Errors: `payload_too_large`, `invalid_request` if it is nested too deeply. */
  push(bytes: Uint8Array): void {
    let values = this.#values;
    let inString = this.#inString;
    let escaped = this.#escaped;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      switch (byte) {
        case QUOTE:
          inString = true;
          break;
        case COMMA:
          values += 1;
          break;
        case COLON:
          this.#fields += 1;
          if (this.#fields > MAX_FIELDS) this.#refuse();
          break;
        case OPEN_LIST:
        case OPEN_OBJECT:
          values += 1;
          this.#containers += 1;
          this.#depth += 1;
          if (this.#depth > MAX_DEPTH || this.#containers > this.#limits.containers) this.#refuse();
          break;
        case CLOSE_LIST:
        case CLOSE_OBJECT:
          this.#depth -= 1;
          break;
        default:
          break;
      }
    }
    this.#values = values;
    this.#inString = inString;
    this.#escaped = escaped;
    if (values > this.#limits.values) this.#refuse();
  }

  #refuse(): never {
    if (this.#depth > MAX_DEPTH) {
      const message = `the body nests deeper than ${MAX_DEPTH} levels of lists and objects`;
      throw new EmbedmillError('invalid_request', message);
    }
    const { values, containers } = this.#limits;
    const message = `the body exceeds the limits of this route: ${values} items and fields, ${MAX_FIELDS} fields, or ${containers} lists and objects; send it in several requests`;
    throw new EmbedmillError('payload_too_large', message);
  }
}
