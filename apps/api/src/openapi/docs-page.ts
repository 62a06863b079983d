import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { staticFile, type StaticFile } from '../http/static-file.ts';

/** Swagger UI's own files: those of its package where this runs from source, else what the build copied. */
const SWAGGER_UI = ['swagger-ui.css', 'swagger-ui-bundle.js'] as const;
type SwaggerFile = (typeof SWAGGER_UI)[number];
const isSource = import.meta.url.endsWith('.ts');

/** The page has no inline script, and all URLs are relative and stay on this server, so it works under any path. */
const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>embedmill’s API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="swagger-ui.css" />
    <script src="swagger-ui-bundle.js" defer></script>
    <script src="start.js" defer></script>
  </head>
  <body>
    <div id="api"></div>
  </body>
</html>
`;

/** `validatorUrl`: else Swagger UI sends the document's address to a server of its makers. */
const START = `SwaggerUIBundle({
  url: '../openapi.json',
  dom_id: '#api',
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
});
`;

/** The files of the page, by name; the page itself is the empty one. */
export async function readDocsPage(): Promise<ReadonlyMap<string, StaticFile>> {
  const read = SWAGGER_UI.map(
    async (name) => [name, await staticFile(name, await readFile(pathOf(name)))] as const,
  );
  return new Map([
    ['', await staticFile('index.html', Buffer.from(PAGE))],
    ['start.js', await staticFile('start.js', Buffer.from(START))],
    ...(await Promise.all(read)),
  ]);
}

function pathOf(name: SwaggerFile): string {
  if (isSource) return createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
  return fileURLToPath(new URL(`swagger-ui-dist/${name}`, import.meta.url));
}
