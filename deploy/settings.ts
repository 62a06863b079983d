/** The apps' settings, against which the tests hold what manifests and compose.yaml set. */

/** What Node and the AWS SDK read themselves. */
const OF_LIBRARIES = [
  'NODE_EXTRA_CA_CERTS',
  'AWS_ENDPOINT_URL_S3',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
];

interface SettingsSchema {
  safeParse(environment: object): { error?: { issues: unknown[] } };
}

/** What is wrong with an app's environment by its schema of settings: unknown names, and values that it refuses. */
export async function faultsOfEnvironment(
  app: 'api' | 'worker',
  environment: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  // By a computed path, since this project's sources depend on no app.
  const module = new URL(`../apps/${app}/src/config.ts`, import.meta.url).href;
  const { settingsSchema } = (await import(module)) as { settingsSchema: SettingsSchema };
  const given = Object.entries(environment).filter(([name]) => !OF_LIBRARIES.includes(name));
  return settingsSchema.safeParse(Object.fromEntries(given)).error?.issues ?? [];
}
