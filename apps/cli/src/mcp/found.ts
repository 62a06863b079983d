import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { EmbedmillError } from '@embedmill/client';

/** What a tool found: as JSON, and in words. */
export type Found = readonly [structured: Record<string, unknown>, text: string];

/** Errors are answers, which the agent can read and act on: the catalogue's code and what the API said. */
export async function answered(work: () => Promise<Found>): Promise<CallToolResult> {
  try {
    const [structuredContent, text] = await work();
    return { structuredContent, content: [{ type: 'text', text }] };
  } catch (error) {
    if (!(error instanceof EmbedmillError)) throw error;
    const { code, message, details } = error;
    const several = details.length > 1 ? details.map((one) => `\n${one.path}: ${one.message}`).join('') : '';
    return { isError: true, content: [{ type: 'text', text: `${code}: ${message}${several}` }] };
  }
}
