import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import type { Logger } from '@headgate/core/telemetry';
import { peerOf } from './peer.ts';

/** Errors of the program itself; whatever else a handler throws was thrown by Redis or on the way to it. */
const OWN_FAULTS = [TypeError, RangeError, SyntaxError, ReferenceError];

/** Gives every failure a code and words for the client, and tells the log of it. */
export function failures(log: Logger): Interceptor {
  return (next) => async (request) => {
    const rpc = `${request.service.typeName}/${request.method.name}`;
    const peer = peerOf(request.contextValues);
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof ConnectError) {
        // Without the message, for what the client has sent stands in it.
        log.info('admin request refused', { audit: true, rpc, code: Code[error.code], peer });
        throw error;
      }
      log.error('admin request failed', { audit: true, rpc, peer, error });
      if (OWN_FAULTS.some((kind) => error instanceof kind)) throw new ConnectError('internal error', Code.Internal);
      throw new ConnectError(
        'Redis does not answer as it should. What was asked for may have been done: look before you try again',
        Code.Unavailable,
      );
    }
  };
}
