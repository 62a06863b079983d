/**
 * Prints the bill of materials of what is shipped, as CycloneDX (https://cyclonedx.org): npm's own, without what is
 * only for builds and tests, plus the files of the bundled models. npm's `--omit dev` does not work here: it also omits
 * packages that one workspace needs only for its tests but another one needs to run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const MODELS = join(ROOT, 'models');

const npm = ['sbom', '--sbom-format', 'cyclonedx'];
const bill = JSON.parse(
  execFileSync('npm', npm, { cwd: ROOT, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] }),
);

/** Build tools whose files are copied into what is shipped. */
const COPIED = new Set(['swagger-ui-dist']);
const isShipped = ({ name, properties = [] }) =>
  COPIED.has(name) ||
  !properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
/**
 * Licences by their LICENSE files: the packages' package.json has no SPDX identifier, so npm leaves the licence out.
 */
const LICENSES = { duck: 'BSD-2-Clause' };
const packages = bill.components
  .filter(isShipped)
  .map((component) =>
    component.licenses === undefined && LICENSES[component.name] !== undefined
      ? { ...component, licenses: [{ license: { id: LICENSES[component.name] } }] }
      : component,
  );
const shipped = new Set([bill.metadata.component, ...packages].map((component) => component['bom-ref']));
const dependencies = bill.dependencies
  .filter(({ ref }) => shipped.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((on) => shipped.has(on)) }));

const models = readdirSync(MODELS, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(onnx|json)$/.test(entry.name))
  .map(({ parentPath, name }) => {
    const path = join(parentPath, name);
    const content = createHash('sha256').update(readFileSync(path)).digest('hex');
    const file = path.slice(ROOT.length + 1);
    return { type: 'file', 'bom-ref': file, name: file, hashes: [{ alg: 'SHA-256', content }] };
  });

process.stdout.write(
  JSON.stringify({ ...bill, components: [...packages, ...models], dependencies }, null, 2) + '\n',
);
