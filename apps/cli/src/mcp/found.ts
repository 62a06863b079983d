import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { EmbedmillError } from '@embedmill/client';

/** The result of a tool, as JSON and in words. */
export type Found = readonly [structured: Record<string, unknown>, text: string];

/** Errors are results that the agent can read and act on: the code and the message of the API. */
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
