import { Code, ConnectError } from '@connectrpc/connect';

/** The command cannot be understood; nothing was asked of anybody. */
export class WrongCommand extends Error {
  override readonly name = 'WrongCommand';
}

/** What could not be done, in words for whoever typed the command. */
export class Failed extends Error {
  override readonly name = 'Failed';
}

/** In words for whoever typed the command. */
export function explain(error: unknown, url: string): string {
  if (!(error instanceof ConnectError)) return error instanceof Error ? error.message : String(error);
  const { code, rawMessage } = error;
  switch (code) {
    case Code.Unauthenticated:
      return 'the admin API does not take this token: set HEADGATE_ADMIN_TOKEN to the one that control runs with';
    case Code.Unavailable:
      if (!isOfNetwork(error)) return rawMessage;
      return (
        `nothing answers at ${url} (${rawMessage}): the admin API runs where control has a HEADGATE_ADMIN_TOKEN; ` +
        'say where in HEADGATE_ADMIN_URL'
      );
    case Code.DeadlineExceeded:
      return `${url} has not answered in time; what was asked for may have been done`;
    case Code.Unimplemented:
      return `what answers at ${url} is no admin API, or one of another version (${rawMessage})`;
    default:
      return rawMessage;
  }
}

function isOfNetwork({ cause }: ConnectError): boolean {
  return cause instanceof Error && 'code' in cause;
}
