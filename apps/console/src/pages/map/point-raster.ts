/** Coordinates of points and their transformation to the image: `x * scale + left`, `top - y * scale`. */
export interface Placed {
  readonly xs: readonly number[];
  readonly ys: readonly number[];
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

/**
 * Draws points as pixels of one image, which is put on the canvas as a whole. That takes some milliseconds for a
 * hundred thousand points, whose `fillRect` calls would take longer than a frame. The image is reused while its size
 * stays the same.
 */
export class PointRaster {
  #image: ImageData | undefined;
  #pixels = new Uint32Array(0);
  /** RGB in the image's byte order, without opacity. */
  readonly #rgb = new Map<string, number>();

  /** Starts an empty image of the canvas’s size. */
  begin({ width, height }: { width: number; height: number }): void {
    if (this.#image?.width === width && this.#image.height === height) {
      this.#pixels.fill(0);
      return;
    }
    this.#image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /** The pixel value of a CSS colour. */
  pixelOf(context: CanvasRenderingContext2D, colour: string, opacity: number): number {
    let rgb = this.#rgb.get(colour);
    if (rgb === undefined) {
      // However a colour is written, the canvas returns it as #rrggbb.
      context.fillStyle = colour;
      const hex = Number.parseInt(String(context.fillStyle).slice(1, 7), 16);
      rgb = ((hex & 0xff) << 16) | (hex & 0xff00) | (hex >> 16);
      this.#rgb.set(colour, rgb);
    }
    return ((Math.round(opacity * 255) << 24) | rgb) >>> 0;
  }

  /** Draws squares of `side` pixels around these points, clipped to the image. */
  squares({ xs, ys, scale, left, top }: Placed, points: Iterable<number>, side: number, pixel: number): void {
    const { width = 0, height = 0 } = this.#image ?? {};
    const pixels = this.#pixels;
    const half = side / 2;
    for (const n of points) {
      const column = Math.round((xs[n] ?? 0) * scale + left - half);
      const row = Math.round(top - (ys[n] ?? 0) * scale - half);
      if (column >= width || row >= height || column + side <= 0 || row + side <= 0) continue;
      const [from, to] = [Math.max(0, column), Math.min(width, column + side)];
      const end = Math.min(height, row + side);
      for (let line = Math.max(0, row); line < end; line += 1)
        pixels.fill(pixel, line * width + from, line * width + to);
    }
  }

  put(context: CanvasRenderingContext2D): void {
    if (this.#image !== undefined) context.putImageData(this.#image, 0, 0);
  }
}
