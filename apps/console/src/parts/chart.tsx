import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useLocale } from '../words/locale.tsx';

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

const HEIGHT = 168;
/** Longer spans are labelled by day. */
const DAYS_MS = 3 * 24 * 3600_000;
/** CSS variables of the colours. */
const COLOURS = ['--accent', '--note', '--warn'] as const;

/** A line chart over time. `times` are in milliseconds. `label` says in words what it shows. */
export function Chart({
  label,
  times,
  series,
}: {
  label: string;
  times: readonly number[];
  series: readonly Series[];
}) {
  const { format } = useLocale();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const isByDay = (times.at(-1) ?? 0) - (times[0] ?? 0) > DAYS_MS;
  const names = series.map(({ name }) => name).join('\n');
  const data = [
    times.map((at) => at / 1000),
    ...series.map(({ values }) => [...values]),
  ] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(element, names.split('\n'), format.compact, isByDay ? format.day : format.hour),
        latest.current,
        element,
      );
    };
    draw();
    const sizes = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    sizes.observe(element);
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      sizes.disconnect();
      themes.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, format, isByDay]);
  useEffect(() => plot.current?.setData(data), [data]);

  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

function optionsOf(
  element: HTMLElement,
  names: readonly string[],
  text: (value: number) => string,
  timeText: (time: number) => string,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, space: 90, size: 30, values: (_plot, times) => times.map((time) => timeText(time * 1000)) },
      { ...axis, size: 52, values: (_plot, values) => values.map(text) },
    ],
    series: [
      {},
      ...names.map((label, n) => {
        const stroke = colour(COLOURS[n % COLOURS.length] ?? '--accent');
        return {
          label,
          stroke,
          width: 2,
          fill: n === 0 ? `${stroke}1f` : 'transparent',
          points: { show: false },
        };
      }),
    ],
  };
}
