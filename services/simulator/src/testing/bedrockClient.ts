import { BedrockRuntimeClient, type BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Simulator } from '../server.ts';

/** The access key whose signatures the simulator checks. */
export const knownCredentials = { accessKeyId: 'AKIDSIMULATOR', secretAccessKey: 'simulator-secret' };

/** The official SDK, without its retries. It speaks HTTP/2 to Bedrock by default, the simulator HTTP/1.1 only. */
export function bedrockClientOf(
  simulator: Simulator,
  config: Partial<BedrockRuntimeClientConfig> = {},
): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    endpoint: simulator.url,
    region: 'us-east-1',
    credentials: knownCredentials,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
    ...config,
  });
}
