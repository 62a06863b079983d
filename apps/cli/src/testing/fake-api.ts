/**
 * A fake of the API for tests of the command line: no queue, no store, no model. What it takes and answers is
 * held to the schemas of libs/jobs. Jobs advance by one step whenever somebody looks.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { z } from 'zod';
import type { RetrySelection } from '@embedmill/client';
import {
  collectionNameSchema,
  columnsSchema,
  ERRORS,
  isFinished,
  MEDIA_TYPES,
  prioritySchema,
  profileSchema,
  searchRequestSchema,
  searchResponseSchema,
  usageReportSchema,
  watchedSourceSchema,
  watchedSourceViewSchema,
  type Columns,
  type ErrorCode,
  type Job,
  type Profile,
  type UsageReport,
  type WatchedSourceView,
} from '@embedmill/jobs';
import { FakeJobs, NOW } from './fake-jobs.ts';

export class FakeApi {
  readonly url: string;
  /** Idempotency-Key of each upload that began, in order. */
  readonly keys: string[] = [];
  readonly collections = new Map<string, Profile>();
  readonly #jobs = new FakeJobs();
  readonly jobs = this.#jobs.all;
  /** Lines of each job. */
  readonly uploads = this.#jobs.uploads;
  /** What submissions were said to be, in order. */
  readonly submissions: {
    type: string | undefined;
    encoding: string | undefined;
    columns: Columns | undefined;
    /** What else the address says of it. */
    reading: Record<string, string>;
    source?: unknown;
    /** Of many files. */
    form?: { files: Record<string, string>; places: string[] };
  }[] = [];
  /** How many uploads are still to be broken off in the middle. */
  breakUploads = 0;
  /** `stream`: events as they should be. `cut`: the connection breaks after one. `none`: they do not get through. */
  events: 'stream' | 'cut' | 'none' = 'stream';
  eventRequests = 0;
  /** What becomes of the next searches, one after another, in place of an answer. */
  searchTroubles: ('silent' | 'reset' | 'no_worker' | 'refused')[] = [];
  /** Watched sources, by their names; each look at one finds something new. */
  readonly sources = new Map<string, WatchedSourceView>();
  /** The file that failures are said to be in. */
  failuresFile: string | undefined;
  /** Whether failures may pass by themselves. */
  failuresMayPass = false;
  /** Failures that are counted and not named. */
  unnamedFailures = 0;
  /** What jobs were asked for by, without limits and places. */
  readonly jobFilters: Record<string, string>[] = [];
  /** What requests carried, each once. */
  readonly authorizations = new Set<string | undefined>();
  /** Searches as they were asked, in order. */
  readonly searches: unknown[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FakeApi> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeApi(server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #search(body: string, response: ServerResponse): void {
    const asked: unknown = JSON.parse(body);
    this.searches.push(asked);
    switch (this.searchTroubles.shift()) {
      case 'silent':
        return;
      case 'reset':
        return void response.destroy();
      case 'no_worker':
        return problem(response, 'no_worker', 'no worker answered');
      case 'refused':
        return problem(response, 'invalid_request', 'the query is not to our taste');
      case undefined:
        break;
    }
    const { query, limit } = searchRequestSchema.parse(asked);
    const hits = Array.from({ length: Math.min(limit, 3) }, (_, at) => ({
      id: `d${at}`,
      score: 0.9 - at / 10,
      text: `about ${query}, number ${at}\nwith a second line`,
      title: at === 0 ? 'A title' : null,
      metadata: { at },
      chunk: { index: 0, count: 1, start: 0, end: 10 },
    }));
    json(response, 200, searchResponseSchema.parse({ hits }));
  }

  /** Two jobs at most, as a server's page may have fewer than are asked for; a job's number is its place. */
  #page(query: URLSearchParams): { jobs: Job[]; next: string | null } {
    const { limit = '50', after, ...filters } = Object.fromEntries(query);
    this.jobFilters.push(filters);
    const all = [...this.jobs.values()].toReversed();
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const jobs = all.slice(from, from + Math.min(2, Number(limit)));
    return { jobs, next: from + jobs.length < all.length ? (jobs.at(-1)?.id ?? null) : null };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.authorizations.add(request.headers.authorization);
    const route = `${request.method} ${url.pathname.replace(/^\/api\/v1/, '')}`;
    const [, kind = '', name = '', action = ''] = url.pathname.replace(/^\/api\/v1/, '').split('/');
    if (kind === 'collections' && name !== '' && !this.collections.has(name)) {
      return problem(response, 'collection_not_found', `there is no collection "${name}"; create it first`);
    }
    if (kind === 'jobs' && name !== '' && !this.jobs.has(name)) {
      return problem(response, 'job_not_found', `there is no job ${name}`);
    }
    if (route === 'POST /collections') return this.#create(await text(request), response);
    if (route === 'GET /collections') {
      return json(response, 200, { collections: [...this.collections.keys()].map((one) => this.#view(one)) });
    }
    if (kind === 'collections' && action === '') {
      if (request.method === 'GET') return json(response, 200, this.#view(name));
      this.collections.delete(name);
      return void response.writeHead(204).end();
    }
    if (kind === 'collections' && action === 'sources') return this.#source(request, response, url.pathname);
    if (kind === 'collections' && action === 'jobs') return this.#submit(request, response, name);
    if (kind === 'collections' && action === 'documents' && url.pathname.endsWith('/delete')) {
      const { ids = [], dryRun = false } = JSON.parse(await text(request)) as {
        ids?: string[];
        dryRun?: boolean;
      };
      if (dryRun) return json(response, 200, { documents: ids.length });
      const lines = ids.map((id) => JSON.stringify({ id, deleted: true }));
      return json(response, 202, this.#jobs.create(name, lines, null));
    }
    if (kind === 'collections' && action === 'search') return this.#search(await text(request), response);
    if (route === 'GET /usage') return this.#usage(request, response);
    if (route === 'GET /jobs') return json(response, 200, this.#page(url.searchParams));
    if (kind === 'jobs' && action === '' && request.method === 'DELETE') {
      const { state } = this.#jobs.require(name);
      if (!isFinished(state)) return problem(response, 'job_not_finished', `job ${name} is ${state}`);
      this.jobs.delete(name);
      return void response.writeHead(204).end();
    }
    if (kind === 'jobs' && action === '' && request.method === 'PATCH') {
      const job = this.#jobs.require(name);
      if (isFinished(job.state))
        return problem(response, 'job_finished', `job ${name} is ${job.state} already`);
      const { priority } = JSON.parse(await text(request)) as Pick<Job, 'priority'>;
      return json(response, 200, this.#jobs.put({ ...job, priority }));
    }
    if (kind === 'jobs' && action === '') return json(response, 200, this.#jobs.step(name));
    if (kind === 'jobs' && action === 'events') return this.#stream(response, name);
    if (kind === 'jobs' && action === 'failures') return this.#failures(response, name);
    if (kind === 'jobs' && action === 'cancel') {
      const job = this.#jobs.require(name);
      if (isFinished(job.state))
        return problem(response, 'job_finished', `job ${name} is ${job.state} already`);
      return json(response, 202, this.#jobs.put({ ...job, state: 'cancelled', finishedAt: NOW }));
    }
    if (kind === 'jobs' && action === 'verify') return json(response, 200, this.#jobs.verify(name));
    if (kind === 'jobs' && action === 'retry') {
      const { codes, lines } = JSON.parse((await text(request)) || '{}') as RetrySelection;
      const failed = this.#jobs
        .failed(name)
        .filter(({ code, at }) => (codes?.includes(code) ?? true) && (lines?.includes(at) ?? true));
      if (failed.length === 0) return problem(response, 'nothing_to_retry', `job ${name} has no failures`);
      return json(
        response,
        202,
        this.#jobs.create(
          this.#jobs.require(name).collection,
          failed.map(({ line }) => line),
          name,
        ),
      );
    }
    if (route === 'POST /queue/pause' || route === 'POST /queue/resume')
      return json(response, 200, { paused: name === 'pause' });
    return problem(response, 'not_found', `there is nothing at ${route}`);
  }

  async #source(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const [collection = '', , id = '', action] = path.split('/').slice(4).map(decodeURIComponent);
    if (id === '') return json(response, 200, { sources: [...this.sources.values()] });
    const known = this.sources.get(id);
    const put = (source: WatchedSourceView, status: number): void => {
      this.sources.set(id, watchedSourceViewSchema.parse(source));
      json(response, status, source);
    };
    if (request.method === 'PUT') {
      const source = watchedSourceSchema.parse(JSON.parse(await text(request)));
      const of = { name: id, collection, tenant: null, addedBy: 'me', createdAt: NOW, nextAt: NOW };
      return put({ ...source, ...of, runs: [] }, 200);
    }
    if (known === undefined) return problem(response, 'source_not_found', `there is no source "${id}"`);
    if (action === 'run') {
      const run = { at: NOW, files: 2, added: 1, changed: 0, removed: 1, error: null };
      return put({ ...known, runs: [{ ...run, outcome: 'submitted', job: 'job_1' }, ...known.runs] }, 202);
    }
    if (request.method === 'GET') return json(response, 200, known);
    this.sources.delete(id);
    response.writeHead(204).end();
  }

  #create(body: string, response: ServerResponse): void {
    const { name, profile } = z
      .strictObject({ name: collectionNameSchema, profile: profileSchema.prefault({}) })
      .parse(JSON.parse(body));
    this.collections.set(name, profile);
    json(response, 201, this.#view(name));
  }

  #view(name: string) {
    const profile = this.collections.get(name) ?? profileSchema.parse({});
    return { name, profile, dims: 384, createdAt: NOW, points: 7, documents: 5 };
  }

  async #submit(request: IncomingMessage, response: ServerResponse, collection: string): Promise<void> {
    this.keys.push(String(request.headers['idempotency-key']));
    if (this.breakUploads > 0) {
      this.breakUploads--;
      request.once('data', () => request.socket.destroy());
      return;
    }
    const { 'content-type': type, 'content-encoding': encoding } = request.headers;
    const {
      columns: given,
      priority: wanted,
      ...reading
    } = Object.fromEntries(new URL(request.url ?? '/', this.url).searchParams);
    const columns = given === undefined ? undefined : columnsSchema.parse(JSON.parse(given));
    const whole = await buffer(request);
    const form = type?.startsWith('multipart/') === true ? await formIn(whole, type) : undefined;
    const body = whole.toString('utf8');
    const isSource = type === 'application/json';
    this.submissions.push({
      type,
      encoding,
      columns,
      reading,
      ...(form !== undefined && { form }),
      ...(isSource && { source: (JSON.parse(body) as { source: unknown }).source }),
    });
    // What is in other formats only the real one reads.
    const isRead = type === MEDIA_TYPES.ndjson && encoding === undefined;
    const lines = isRead ? body.split('\n').filter((line) => line !== '') : [];
    const priority = prioritySchema.optional().parse(wanted) ?? 'normal';
    json(response, 202, this.#jobs.put({ ...this.#jobs.create(collection, lines), priority }));
  }

  #usage(request: IncomingMessage, response: ServerResponse): void {
    const asked = new URL(request.url ?? '/', this.url).searchParams;
    if (asked.get('format') === 'csv') return void response.end('tenant,documents\r\nacme,3\r\n');
    const amounts = { documents: 3, tokens: 1234, engineSeconds: 1.5, cost: 0.25 };
    const none = { day: null, key: null, collection: null, model: null };
    const groupBy = usageReportSchema.shape.groupBy.parse((asked.get('groupBy') ?? 'tenant').split(','));
    json(response, 200, {
      from: asked.get('from') ?? '2026-11-01',
      to: '2026-11-29',
      groupBy,
      rows: [{ ...none, tenant: 'acme', ...amounts }],
      total: amounts,
    } satisfies UsageReport);
  }

  #failures(response: ServerResponse, id: string): void {
    const reports = this.#jobs.failed(id).map(({ at, code, message }) => {
      const of = this.failuresFile === undefined ? {} : { file: this.failuresFile };
      return {
        ...of,
        line: at,
        id: null,
        code,
        message,
        retryable: this.failuresMayPass,
        offset: 0,
        length: 1,
      };
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const more = this.unnamedFailures > 0 ? [{ more: this.unnamedFailures }] : [];
    response.end([...reports, ...more].map((report) => `${JSON.stringify(report)}\n`).join(''));
  }

  #stream(response: ServerResponse, id: string): void {
    this.eventRequests++;
    if (this.events === 'none')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('no');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (;;) {
      const job = this.#jobs.step(id);
      const finished = isFinished(job.state);
      const event = `event: ${finished ? 'end' : 'progress'}\ndata: ${JSON.stringify(job)}\n\n: a comment\n\n`;
      if (this.events === 'cut') return void response.write(event, () => response.destroy());
      response.write(event);
      if (finished) return void response.end();
    }
  }
}

async function formIn(body: Buffer, type: string) {
  const headers = { 'content-type': type };
  const form = await new Response(new Uint8Array(body), { headers }).formData();
  const files: Record<string, string> = {};
  for (const file of form.getAll('file')) {
    if (typeof file !== 'string') files[file.name] = Buffer.from(await file.arrayBuffer()).toString('latin1');
  }
  return { files, places: form.getAll('place').map(String) };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function problem(response: ServerResponse, code: ErrorCode, detail: string): void {
  const { status, title, retryable } = ERRORS[code];
  const body = { type: `urn:embedmill:error:${code}`, title, status, detail, code, retryable };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
}
