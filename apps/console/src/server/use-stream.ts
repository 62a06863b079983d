import { useEffect, useRef, useState } from 'preact/hooks';
import { EmbedmillError, type Call } from '@embedmill/client';
import { problemOf, type Problem } from './problem.ts';
import { useServer, useSession } from './use-server.ts';

/** `lost`: the connection broke and is being retried. `ended`: nothing more will come. */
export type StreamState = 'connecting' | 'live' | 'lost' | 'ended';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

/**
 * Follows an event stream while the component is mounted. `data` is the latest event; a broken stream is reopened.
 * `end` is the name of the last event. `name` must identify everything that `call` depends on.
 */
export function useStream<T>(
  name: string,
  call: Call<unknown>,
  end?: string,
): { data: T | undefined; state: StreamState; problem: Problem | undefined } {
  const { client } = useServer();
  const latest = useRef(call);
  latest.current = call;
  const { version } = useSession();
  const [kept, setKept] = useState<{
    of: string;
    data?: T | undefined;
    state: StreamState;
    problem?: Problem;
  }>({ of: name, state: 'connecting' });

  useEffect(() => {
    const gone = new AbortController();
    const { signal } = gone;
    const update = (state: StreamState, more: { data?: T; problem?: Problem } = {}) => {
      if (signal.aborted) return;
      setKept((before) => ({ of: name, data: before.of === name ? before.data : undefined, state, ...more }));
    };
    const follow = async (): Promise<void> => {
      let pause = FIRST_PAUSE_MS;
      while (!signal.aborted) {
        try {
          for await (const event of client.events(latest.current, { signal })) {
            pause = FIRST_PAUSE_MS;
            const isLast = event.event === end;
            update(isLast ? 'ended' : 'live', { data: JSON.parse(event.data) as T });
            if (isLast) return;
          }
          update('lost');
        } catch (error) {
          // A refusal would be repeated; a broken connection is retried.
          if (isRefusal(error)) return update('ended', { problem: problemOf(error) });
          update('lost');
        }
        await paused(pause, signal);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    };
    void follow();
    return () => gone.abort();
  }, [client, name, end, version]);

  const isOther = kept.of !== name;
  return {
    data: isOther ? undefined : kept.data,
    state: isOther ? 'connecting' : kept.state,
    problem: isOther ? undefined : kept.problem,
  };
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof EmbedmillError) || error.status === undefined) return false;
  return error.status >= 400 && error.status < 500 && error.status !== 429;
}

function paused(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
