const ROOM = 64 * 1024;
/** The maximum length of a 64-bit integer, with seven bits per byte. */
const MOST_LONG_BYTES = 10;

/** Writes consecutive values in Avro's binary encoding. */
export class AvroBytes {
  #bytes = Buffer.allocUnsafe(ROOM);
  #size = 0;

  /** All bytes written so far. */
  all(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** A safe integer. */
  long(value: number): void {
    this.#reserve(MOST_LONG_BYTES);
    // Zigzag: 0, -1, 1, -2, and so on. Beyond 31 bits this needs BigInt, which is slow.
    if (value >= -0x40000000 && value < 0x40000000) {
      let rest = (value << 1) ^ (value >> 31);
      for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#size++] = (rest & 0x7f) | 0x80;
      this.#bytes[this.#size++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#size++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#size++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#size = this.#bytes.writeDoubleLE(value, this.#size);
  }

  floats(values: Float32Array): void {
    this.#reserve(4 * values.length);
    for (const value of values) this.#size = this.#bytes.writeFloatLE(value, this.#size);
  }

  bytes(bytes: Uint8Array): void {
    this.long(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    this.bytes(Buffer.from(text));
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(2 * (this.#size + more));
    grown.set(this.all());
    this.#bytes = grown;
  }
}
