/** Numbers in line: first come, first served, except for those put in front. */
export class WaitingLine {
  #ring = new Int32Array(16);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(number: number): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#length) & (this.#ring.length - 1)] = number;
    this.#length += 1;
  }

  prepend(number: number): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#first = (this.#first - 1) & (this.#ring.length - 1);
    this.#ring[this.#first] = number;
    this.#length += 1;
  }

  /** Takes the next one off the line. */
  take(): number | undefined {
    if (this.#length === 0) return undefined;
    const number = this.#ring[this.#first];
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    return number;
  }

  #grow(): void {
    const larger = new Int32Array(this.#ring.length * 2);
    for (let n = 0; n < this.#length; n += 1)
      larger[n] = this.#ring[(this.#first + n) & (this.#ring.length - 1)] ?? 0;
    this.#ring = larger;
    this.#first = 0;
  }
}
