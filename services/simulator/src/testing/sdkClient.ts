import OpenAI from 'openai';
import { type Simulator, startSimulator } from '../server.ts';

/** A simulator of its own and the official SDK as its client, without the SDK's retries. */
export async function startWithClient(): Promise<{ simulator: Simulator; client: OpenAI }> {
  const simulator = await startSimulator();
  return { simulator, client: clientOf(simulator) };
}

export function clientOf(simulator: Simulator, apiKey = 'sk-test-1234'): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${simulator.url}/v1`, maxRetries: 0 });
}

/** Reads a stream to its end. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
