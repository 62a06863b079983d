/** The transformation from the map to the screen: `screen = map * scale + offset`, with the map’s y pointing up. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

const MARGIN = 24;
const LEAST_SCALE = 1e-3;

/** The view that shows all points. */
export function fitted(xs: readonly number[], ys: readonly number[], width: number, height: number): View {
  const [left, right] = span(xs);
  const [bottom, top] = span(ys);
  const scale = Math.max(
    LEAST_SCALE,
    Math.min((width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (top - bottom || 1)),
  );
  return {
    scale,
    x: width / 2 - ((left + right) / 2) * scale,
    y: height / 2 + ((bottom + top) / 2) * scale,
  };
}

/** The least and greatest of some numbers. */
export function span(values: readonly number[]): [number, number] {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least > most ? [0, 0] : [least, most];
}

export function toScreen({ scale, x, y }: View, place: Place): Place {
  return { x: place.x * scale + x, y: y - place.y * scale };
}

export function toMap({ scale, x, y }: View, place: Place): Place {
  return { x: (place.x - x) / scale, y: (y - place.y) / scale };
}

export function panned(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Zooms by a factor; the place `at` on the screen stays where it is. */
export function zoomed(view: View, factor: number, at: Place): View {
  const scale = Math.max(LEAST_SCALE, view.scale * factor);
  const real = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * real, y: at.y - (at.y - view.y) * real };
}
