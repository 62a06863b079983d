import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { CallOptions, Client } from '@embedmill/client';
import { problemOf, type Problem } from './problem.ts';
import type { Server } from './server.ts';
import type { SessionState } from './session.ts';

export const ServerContext = createContext<Server | undefined>(undefined);

export function useServer(): Server {
  const server = useContext(ServerContext);
  if (server === undefined) throw new Error('useServer needs a ServerContext');
  return server;
}

/** Renders again when the session changes. */
export function useSession(): SessionState {
  const { session } = useServer();
  const [state, setState] = useState(session.state);
  useEffect(() => session.listen(() => setState(session.state)), [session]);
  return state;
}

export interface Loaded<T> {
  /** The latest data, kept while newer data is loading or cannot be loaded. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface Kept<T> {
  readonly of: string;
  readonly data?: T;
  readonly problem?: Problem | undefined;
  readonly isLoading: boolean;
}

/**
 * Loads data from the server. Loads it again when `name` or the principal changes, and every `everyMs` while the page
 * is visible. Aborts when the component unmounts. `name` must identify everything that `load` depends on.
 */
export function useLoaded<T>(
  name: string,
  load: (client: Client, options: CallOptions) => Promise<T>,
  everyMs?: number,
): Loaded<T> {
  const server = useServer();
  const { version } = useSession();
  const of = `${version} ${name}`;
  const [kept, setKept] = useState<Kept<T>>({ of, isLoading: true });
  const [again, setAgain] = useState(0);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = () => {
      if (everyMs !== undefined && !ended.signal.aborted) timer = setTimeout(askIfSeen, everyMs);
    };
    const askIfSeen = () => (document.hidden ? next() : ask());
    function ask(): void {
      latest
        .current(server.client, { signal: ended.signal })
        .then(
          (data) => setIfHere({ of, data, isLoading: false }),
          (error: unknown) =>
            setIfHere((before) => ({
              of,
              ...(before.of === of && before.data !== undefined && { data: before.data }),
              problem: problemOf(error),
              isLoading: false,
            })),
        )
        .finally(next);
    }
    const setIfHere: typeof setKept = (value) => {
      if (!ended.signal.aborted) setKept(value);
    };
    setKept((before) => (before.of === of ? { ...before, isLoading: true } : { of, isLoading: true }));
    ask();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [server, of, again, everyMs]);

  const reload = useCallback(() => setAgain((count) => count + 1), []);
  const isOther = kept.of !== of;
  return {
    data: isOther ? undefined : kept.data,
    problem: isOther ? undefined : kept.problem,
    isLoading: isOther || kept.isLoading,
    reload,
  };
}

export interface Action<Args extends unknown[]> {
  readonly run: (...args: Args) => Promise<void>;
  readonly isRunning: boolean;
  readonly problem: Problem | undefined;
}

/** An action that runs on request, one at a time. Its problem is kept until the next run. */
export function useAction<Args extends unknown[]>(
  act: (client: Client, ...args: Args) => Promise<void>,
): Action<Args> {
  const { client } = useServer();
  const [state, setState] = useState<{ isRunning: boolean; problem: Problem | undefined }>({
    isRunning: false,
    problem: undefined,
  });
  const run = async (...args: Args): Promise<void> => {
    if (state.isRunning) return;
    setState({ isRunning: true, problem: undefined });
    try {
      await act(client, ...args);
      setState({ isRunning: false, problem: undefined });
    } catch (error) {
      setState({ isRunning: false, problem: problemOf(error) });
    }
  };
  return { run, ...state };
}
