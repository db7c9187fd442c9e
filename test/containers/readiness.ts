import { get } from 'node:http';

const LONGEST_ANSWER_MS = 1_000;

/**
 * Whether a port of 127.0.0.1 answers with 200. Asked on a connection of its own with a time limit: Docker accepts connections
 * for a container that does not listen yet, and what then becomes of them is not certain.
 */
export function isReady(port: number, path = '/health/ready'): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path, agent: false, timeout: LONGEST_ANSWER_MS };
    const request = get(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
  });
}
