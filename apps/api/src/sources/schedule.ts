import { CronExpressionParser } from 'cron-parser';
import { EmbedmillError, type Schedule } from '@embedmill/jobs';

const UNIT_MS = { m: 60_000, h: 3600_000, d: 24 * 3600_000 };
/** Minute, hour, day, month, weekday. A field for seconds could make a source due all the time. */
const CRON_FIELDS = 5;

/**
 * The schedule's latest time between `since` and `now`, in epoch milliseconds; undefined if there is none. An interval
 * begins with `since` itself. Pure, so that all processes agree on the result.
 */
export function latestTime(schedule: Schedule, since: number, now: number): number | undefined {
  if (now < since) return undefined;
  if ('every' in schedule) {
    const every = intervalOf(schedule.every);
    return since + Math.floor((now - since) / every) * every;
  }
  const latest = cronAt(schedule, now + 1)
    .prev()
    .getTime();
  return latest < since ? undefined : latest;
}

/** The next time after `now`; undefined if there is none. */
export function nextTime(schedule: Schedule, since: number, now: number): number | undefined {
  if ('every' in schedule)
    return now < since ? since : (latestTime(schedule, since, now) ?? since) + intervalOf(schedule.every);
  try {
    return cronAt(schedule, Math.max(now, since)).next().getTime();
  } catch {
    return undefined;
  }
}

/** Errors: `invalid_request` for an invalid cron expression or an unknown time zone. */
export function assertSchedule(schedule: Schedule): void {
  if ('every' in schedule) return;
  const { cron, timezone } = schedule;
  const refuse = (why: string, cause?: unknown): never => {
    const message = `schedule/cron: ${JSON.stringify(cron)} cannot be used: ${why}`;
    throw new EmbedmillError('invalid_request', message, {
      cause,
      details: [{ path: 'schedule/cron', message }],
    });
  };
  if (timezone !== undefined && !isTimezone(timezone)) refuse(`there is no time zone ${timezone}`);
  if (cron.trim().split(/\s+/).length !== CRON_FIELDS)
    refuse('write minute, hour, day, month and weekday, such as "0 3 * * *"');
  try {
    cronAt(schedule, Date.now()).next();
  } catch (error) {
    refuse((error as Error).message, error);
  }
}

function cronAt({ cron, timezone = 'UTC' }: Extract<Schedule, { cron: string }>, at: number) {
  return CronExpressionParser.parse(cron, { currentDate: new Date(at), tz: timezone });
}

function intervalOf(every: string): number {
  return Number(every.slice(0, -1)) * UNIT_MS[every.slice(-1) as keyof typeof UNIT_MS];
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
