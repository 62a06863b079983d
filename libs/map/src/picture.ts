/** A point of the picture: its position, its label, and the value that determines its colour. */
export interface Dot {
  x: number;
  y: number;
  label: string;
  value: string | number | undefined;
}

const WIDTH = 1200;
const HEIGHT = 900;
const MARGIN = 40;
const LEGEND = 220;
/** Colours that colour-blind people can also distinguish (Okabe and Ito, 2008), then two more. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#000000'];
const NO_COLOUR = '#b0b0b0';
/** From the smallest to the largest number. */
const RAMP = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

/** The dots as an SVG, each with its label as a tooltip. `by` is the field of the colours, for the legend. */
export function drawMap(dots: readonly Dot[], title: string, by: string | undefined): string {
  const [left, right] = extent(dots.map(({ x }) => x));
  const [low, high] = extent(dots.map(({ y }) => y));
  const scale = Math.min(
    (WIDTH - LEGEND - 2 * MARGIN) / (right - left),
    (HEIGHT - 3 * MARGIN) / (high - low),
  );
  const { colourOf, legend } = colours(dots.map(({ value }) => value));
  const circles = dots.map(({ x, y, label, value }) => {
    const [cx, cy] = [MARGIN + (x - left) * scale, 2 * MARGIN + (high - y) * scale];
    const what = escaped(value === undefined ? label : `${label} (${value})`);
    return `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="3" fill="${colourOf(value)}"><title>${what}</title></circle>`;
  });
  const entries = by === undefined ? [] : [{ name: by, colour: undefined }, ...legend];
  const keys = entries.map(({ name, colour }, n) => {
    const [x, y] = [WIDTH - LEGEND, 2 * MARGIN + n * 24];
    const dot = colour === undefined ? '' : `<circle cx="${x}" cy="${y - 5}" r="6" fill="${colour}"/>`;
    const weight = colour === undefined ? ' font-weight="bold"' : '';
    return `${dot}<text x="${x + 14}" y="${y}"${weight}>${escaped(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="15">
<rect width="100%" height="100%" fill="white"/>
<text x="${MARGIN}" y="${MARGIN}" font-size="20">${escaped(title)}</text>
<g fill-opacity="0.75">
${circles.join('\n')}
</g>
${keys.join('\n')}
</svg>
`;
}

function colours(values: readonly Dot['value'][]) {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length > 0 && numbers.length === values.filter((value) => value !== undefined).length) {
    const [least, greatest] = extent(numbers);
    const colourOf = (value: Dot['value']) =>
      typeof value === 'number' ? rampColour((value - least) / (greatest - least)) : NO_COLOUR;
    const steps = [0, 0.25, 0.5, 0.75, 1].map((part) => least + part * (greatest - least));
    const legend = steps.map((value) => ({
      name: String(Number(value.toPrecision(4))),
      colour: colourOf(value),
    }));
    return { colourOf, legend };
  }
  const counts = new Map<string, number>();
  for (const value of values) {
    if (value !== undefined) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  }
  const common = [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, COLOURS.length);
  const known = new Map(common.map(([name], n) => [name, COLOURS[n] ?? NO_COLOUR]));
  const colourOf = (value: Dot['value']) => known.get(String(value)) ?? NO_COLOUR;
  const legend = common.map(([name, count]) => ({ name: `${name}, ${count}`, colour: colourOf(name) }));
  if (counts.size > common.length) legend.push({ name: 'others', colour: NO_COLOUR });
  return { colourOf, legend };
}

function rampColour(part: number): string {
  const at = Math.min(Math.max(part, 0), 1) * (RAMP.length - 1);
  const [from, to] = [RAMP[Math.floor(at)] ?? RAMP[0], RAMP[Math.ceil(at)] ?? RAMP[0]];
  const mix = at - Math.floor(at);
  return `rgb(${from.map((value, n) => Math.round(value + (to[n as 0 | 1 | 2] - value) * mix)).join(',')})`;
}

/** Minimum and maximum, slightly apart if all are equal. */
function extent(values: readonly number[]): [least: number, greatest: number] {
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  return least < greatest ? [least, greatest] : [least - 0.5, least + 0.5];
}

function escaped(text: string): string {
  // Control characters are not allowed in XML, however they are written.
  // eslint-disable-next-line no-control-regex
  const clean = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return clean
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
