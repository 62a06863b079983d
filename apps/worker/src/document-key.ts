/** A document's identity, as a map's key. */
export function keyOf(tenant: string, id: string): string {
  return JSON.stringify([tenant, id]);
}
