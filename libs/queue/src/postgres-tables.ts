import type { Count } from './broker.ts';

/** The broker's own tables, in the same schema as BullMQ's. Messages need not survive a crash. */
export const TABLES = `
  CREATE TABLE IF NOT EXISTS embedmill_value (
    key text PRIMARY KEY, value text NOT NULL, expires_at timestamptz NOT NULL);
  CREATE TABLE IF NOT EXISTS embedmill_count (
    name text NOT NULL, field text NOT NULL, value bigint NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (name, field));
  CREATE TABLE IF NOT EXISTS embedmill_member (
    set_name text NOT NULL, member text NOT NULL, PRIMARY KEY (set_name, member));
  CREATE TABLE IF NOT EXISTS embedmill_sequence (
    only_row boolean PRIMARY KEY, last bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS embedmill_ranked (
    set_name text NOT NULL, member text NOT NULL, rank bigint NOT NULL, PRIMARY KEY (set_name, member));
  CREATE INDEX IF NOT EXISTS embedmill_ranked_rank ON embedmill_ranked (set_name, rank);
  CREATE TABLE IF NOT EXISTS embedmill_listed (
    list text NOT NULL, place text COLLATE "C" NOT NULL, PRIMARY KEY (list, place));
  CREATE UNLOGGED TABLE IF NOT EXISTS embedmill_message (
    channel text NOT NULL, body bytea NOT NULL, expires_at timestamptz NOT NULL);
  CREATE INDEX IF NOT EXISTS embedmill_message_channel ON embedmill_message (channel);
  CREATE INDEX IF NOT EXISTS embedmill_message_expiry ON embedmill_message (expires_at);`;

/** Adds to the counts for each row of `changed`, which has one row or none. */
export const ADD_COUNTS = `
  INSERT INTO embedmill_count
    SELECT name, field, sum(value), now() + make_interval(secs => $4)
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS added (name, field, value), changed
      GROUP BY name, field
    ON CONFLICT (name, field) DO UPDATE
      SET value = embedmill_count.value + excluded.value, expires_at = excluded.expires_at`;

/** Its values. */
export function countValues(added: readonly Count[], seconds: number): unknown[] {
  return [
    added.map(({ counts }) => counts),
    added.map(({ field }) => field),
    added.map(({ by }) => by),
    seconds,
  ];
}

/**
 * Removes a place ($1) from lists ($2) and adds it to others ($3), for each row of `changed`, which has one row or
 * none.
 */
export const CHANGE_LISTS = `
  left_lists AS (
    DELETE FROM embedmill_listed USING changed WHERE place = $1 AND list = ANY($2::text[])),
  new_lists AS (
    INSERT INTO embedmill_listed SELECT name, $1 FROM unnest($3::text[]) AS added (name), changed
      ON CONFLICT DO NOTHING)`;
