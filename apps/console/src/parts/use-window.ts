import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** Rows beyond the visible ones that are also drawn, so that scrolling shows no gaps. */
const MARGIN = 8;

export interface RowWindow {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** The rows to draw for a scroll position; all rows have the same height. */
export function windowOf(top: number, height: number, rowHeight: number, count: number): RowWindow {
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + MARGIN);
  return { first: Math.min(first, Math.max(0, count - 1)), end };
}

/** Virtualizes a long list: the rows to draw at the current scroll position. Put `box` on the scrolling element. */
export function useWindow<Box extends HTMLElement>(
  count: number,
  rowHeight: number,
): RowWindow & { box: RefObject<Box | null> } {
  const box = useRef<Box>(null);
  const [place, setPlace] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const follow = () => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const sizes = new ResizeObserver(follow);
    sizes.observe(element);
    element.addEventListener('scroll', follow, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', follow);
    };
  }, [count > 0]);
  return { box, ...windowOf(place.top, place.height, rowHeight, count) };
}
