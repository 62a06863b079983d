import type { StackEvent } from './stack-parts.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { oneLine } from '../terminal/text.ts';

/** Tells on the terminal what the processes do: their warnings always, every line they log with `verbose`. */
export function stackDisplay(terminal: Terminal, verbose: boolean): (event: StackEvent) => void {
  const startedAt = new Map<string, number>();
  return (event) => {
    switch (event.kind) {
      case 'note':
        return terminal.note(event.text);
      case 'line':
        if (event.warning) return terminal.warn(`${event.part}: ${oneLine(event.text)}`);
        if (verbose) terminal.note(`${event.part}: ${oneLine(event.text)}`);
        return;
      case 'starting':
        startedAt.set(event.part, performance.now());
        return;
      case 'ready': {
        const seconds = (performance.now() - (startedAt.get(event.part) ?? performance.now())) / 1000;
        return terminal.note(`${event.part} is ready (${seconds.toFixed(1)} s)`);
      }
      case 'stopping':
        return terminal.note(`stopping ${event.part}`);
      case 'ended':
        return terminal.warn(
          `${event.part} exited (${event.how}); restarting it in ${event.againInMs / 1000} s`,
        );
      case 'failed':
        return terminal.warn(
          `${event.error.message}\nstarting ${event.part} again in ${event.againInMs / 1000} s`,
        );
    }
  };
}
