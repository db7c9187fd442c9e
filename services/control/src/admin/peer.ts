import { type ContextValues, createContextKey, createContextValues } from '@connectrpc/connect';

const PEER = createContextKey('', { description: 'address of the client' });

/** Address of whoever asks, for the lines of the audit. */
export const peerOf = (values: ContextValues): string => values.get(PEER);

export function withPeer(address: string | undefined): ContextValues {
  return createContextValues().set(PEER, address ?? '');
}
