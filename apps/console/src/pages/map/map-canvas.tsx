import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import type { MapPoints } from '../../server/shapes.ts';
import { useLocale } from '../../words/locale.tsx';
import { draw } from './drawing.ts';
import { PointRaster } from './point-raster.ts';
import { PointGrid } from './point-grid.ts';
import { fitted, panned, toMap, zoomed, type Place, type View } from './view.ts';

/** How close to a point, in pixels, the pointer must be. */
const NEAR = 10;
const STEP = 60;
const ZOOM = 1.25;
const BUTTON_ZOOM = 1.6;

/**
 * The map’s canvas. Dragging moves it; the wheel and the buttons zoom. With `isLasso`, dragging draws a line around
 * points. The arrow keys, + and − move and zoom it by keyboard. Each change is drawn in the next frame.
 */
export function MapCanvas({
  map,
  colours,
  lit,
  isLasso,
  onHover,
  onChosen,
}: {
  map: MapPoints;
  colours: readonly string[];
  lit: ReadonlySet<number>;
  isLasso: boolean;
  onHover: (point: number | undefined) => void;
  onChosen: (points: readonly number[]) => void;
}) {
  const { t } = useLocale();
  const canvas = useRef<HTMLCanvasElement>(null);
  const grid = useMemo(() => new PointGrid(map.x, map.y), [map]);
  const byColour = useMemo(() => Map.groupBy(colours.keys(), (n) => colours[n] ?? ''), [colours]);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [view, setView] = useState<View>();
  const [line, setLine] = useState<readonly Place[]>([]);
  const [raster] = useState(() => new PointRaster());
  const dragged = useRef<Place | undefined>(undefined);

  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const sizes = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    sizes.observe(element);
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const at = placeOf(event);
      setView((before) => before && zoomed(before, event.deltaY < 0 ? ZOOM : 1 / ZOOM, at));
    };
    // Not as a property: a passive listener could not stop the page from scrolling.
    element.addEventListener('wheel', turn, { passive: false });
    return () => {
      sizes.disconnect();
      element.removeEventListener('wheel', turn);
    };
  }, []);
  useEffect(() => {
    if (size.width > 0) setView(fitted(map.x, map.y, size.width, size.height));
  }, [map, size.width, size.height]);
  useEffect(() => {
    const element = canvas.current;
    if (element === null || view === undefined) return;
    const frame = requestAnimationFrame(() =>
      draw(element, raster, { map, colours, byColour, lit, line, view, ...size }),
    );
    return () => cancelAnimationFrame(frame);
  }, [map, colours, byColour, lit, line, view, size, raster]);

  const move = (event: PointerEvent) => {
    const at = placeOf(event);
    const from = dragged.current;
    if (view === undefined) return;
    if (from === undefined) return onHover(grid.nearest(toMap(view, at), NEAR / view.scale));
    if (isLasso) return setLine([...line, toMap(view, at)]);
    setView(panned(view, at.x - from.x, at.y - from.y));
    dragged.current = at;
  };
  const release = () => {
    if (isLasso && line.length > 2) onChosen(grid.inside(line));
    dragged.current = undefined;
    setLine([]);
  };
  const zoom = (by: number) =>
    setView((before) => before && zoomed(before, by, { x: size.width / 2, y: size.height / 2 }));
  return (
    <>
      <canvas
        ref={canvas}
        class="map-canvas"
        tabIndex={0}
        role="img"
        aria-label={t('map.label')}
        data-lasso={isLasso}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          dragged.current = placeOf(event);
        }}
        onPointerMove={move}
        onPointerUp={release}
        onPointerCancel={release}
        onPointerLeave={() => onHover(undefined)}
        onKeyDown={(event) => {
          const next = view && byKey(event.key, view, size);
          if (next === undefined) return;
          event.preventDefault();
          setView(next);
        }}
      />
      <div class="map-zoom">
        <Button icon="plus" label={t('map.larger')} onClick={() => zoom(BUTTON_ZOOM)} />
        <Button icon="minus" label={t('map.smaller')} onClick={() => zoom(1 / BUTTON_ZOOM)} />
        <Button
          icon="whole"
          label={t('map.whole')}
          onClick={() => setView(fitted(map.x, map.y, size.width, size.height))}
        />
      </div>
    </>
  );
}

function byKey(
  key: string,
  view: View,
  { width, height }: { width: number; height: number },
): View | undefined {
  const middle = { x: width / 2, y: height / 2 };
  switch (key) {
    case 'ArrowLeft':
      return panned(view, STEP, 0);
    case 'ArrowRight':
      return panned(view, -STEP, 0);
    case 'ArrowUp':
      return panned(view, 0, STEP);
    case 'ArrowDown':
      return panned(view, 0, -STEP);
    case '+':
    case '=':
      return zoomed(view, ZOOM, middle);
    case '-':
      return zoomed(view, 1 / ZOOM, middle);
    default:
      return undefined;
  }
}

const placeOf = ({ offsetX, offsetY }: MouseEvent): Place => ({ x: offsetX, y: offsetY });
