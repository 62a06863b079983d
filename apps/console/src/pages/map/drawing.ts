import type { MapPoints } from '../../server/shapes.ts';
import type { PointRaster } from './point-raster.ts';
import { toScreen, type Place, type View } from './view.ts';

export interface Drawn {
  readonly map: MapPoints;
  readonly colours: readonly string[];
  /** The points of each colour. */
  readonly byColour: ReadonlyMap<string, readonly number[]>;
  /** Highlighted points; if there are any, the others fade. */
  readonly lit: ReadonlySet<number>;
  /** The lasso as drawn so far. */
  readonly line: readonly Place[];
  readonly view: View;
  readonly width: number;
  readonly height: number;
}

/** The most cluster names shown; the largest clusters come first. */
const NAMES = 14;
const NAME_WORDS = 2;

/** Draws the map: its points, the names of clusters above them, and the lasso. */
export function draw(canvas: HTMLCanvasElement, raster: PointRaster, drawn: Drawn): void {
  const { width, height, line, view } = drawn;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  // The CPU computes the pixels. Keep the canvas in main memory, since copying to the GPU and back takes longer.
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawPoints(context, raster, drawn);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  drawNames(context, drawn, { text: colour('--text'), ground: colour('--surface') });
  if (line.length > 1) {
    context.strokeStyle = colour('--accent');
    context.lineWidth = 1.5;
    context.beginPath();
    for (const place of line) {
      const { x, y } = toScreen(view, place);
      context.lineTo(x, y);
    }
    context.stroke();
  }
}

function drawPoints(context: CanvasRenderingContext2D, raster: PointRaster, drawn: Drawn): void {
  const { map, colours, byColour, lit, view } = drawn;
  const { canvas } = context;
  const ratio = devicePixelRatio;
  const [scale, left, top] = [view.scale * ratio, view.x * ratio, view.y * ratio];
  const placed = { xs: map.x, ys: map.y, scale, left, top };
  raster.begin(canvas);
  const size = sizeOf(map.x.length, view);
  const side = Math.max(1, Math.round(size * ratio));
  for (const [colour, points] of byColour) {
    const pixel = raster.pixelOf(context, colour, lit.size > 0 ? 0.18 : 0.75);
    raster.squares(placed, points, side, pixel);
  }
  for (const n of lit)
    raster.squares(placed, [n], side + Math.round(4 * ratio), raster.pixelOf(context, colours[n] ?? '', 1));
  raster.put(context);
}

/** Points are larger if there are fewer of them. */
function sizeOf(count: number, { scale }: View): number {
  const usual = count > 20_000 ? 1.5 : count > 4000 ? 2.5 : 4;
  return Math.min(8, usual * Math.max(1, Math.log10(scale)));
}

/** The names of the largest clusters, unless they would cover one another. */
function drawNames(
  context: CanvasRenderingContext2D,
  { map, view, width, height }: Drawn,
  { text, ground }: { text: string; ground: string },
): void {
  const taken: { x: number; y: number; width: number }[] = [];
  context.font = `600 12px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textAlign = 'center';
  context.lineWidth = 4;
  context.lineJoin = 'round';
  for (const { x, y, words } of map.clusters.toSorted((a, b) => b.size - a.size)) {
    const name = words.slice(0, NAME_WORDS).join(', ');
    const at = toScreen(view, { x, y });
    if (name === '' || at.x < 0 || at.y < 0 || at.x > width || at.y > height) continue;
    const extent = context.measureText(name).width;
    // The name is shown in full, even at an edge.
    const edge = extent / 2 + 4;
    const place = { x: Math.max(edge, Math.min(width - edge, at.x)), y: at.y };
    const covers = taken.some(
      (one) => Math.abs(one.y - place.y) < 16 && Math.abs(one.x - place.x) < (one.width + extent) / 2,
    );
    if (covers || taken.length >= NAMES) continue;
    taken.push({ ...place, width: extent });
    context.strokeStyle = ground;
    context.strokeText(name, place.x, place.y);
    context.fillStyle = text;
    context.fillText(name, place.x, place.y);
  }
}
