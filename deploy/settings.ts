/** The apps' settings, against which tests check the variables of manifests and compose.yaml. */

/** Variables that Node and the AWS SDK read themselves. */
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

/** The faults of an app's environment by its schema of settings: unknown names and invalid values. */
export async function faultsOfEnvironment(
  app: 'api' | 'worker',
  environment: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  // The path is computed, because this project's sources must not depend on an app.
  const module = new URL(`../apps/${app}/src/config.ts`, import.meta.url).href;
  const { settingsSchema } = (await import(module)) as { settingsSchema: SettingsSchema };
  const given = Object.entries(environment).filter(([name]) => !OF_LIBRARIES.includes(name));
  return settingsSchema.safeParse(Object.fromEntries(given)).error?.issues ?? [];
}
