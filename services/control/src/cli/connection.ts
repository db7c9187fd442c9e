import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { KeyService, UsageService } from '@headgate/proto/admin';
import { WrongCommand } from './failure.ts';

const USUAL_URL = 'http://127.0.0.1:8081';
const TIMEOUT_MS = 15_000;

export interface AdminApi {
  readonly keys: Client<typeof KeyService>;
  readonly usage: Client<typeof UsageService>;
}

export interface Place {
  readonly url: string;
  readonly token: string;
}

/** Where the admin API is, as the environment says. */
export function readPlace(env: Readonly<Record<string, string | undefined>>): Place {
  const url = env.HEADGATE_ADMIN_URL || USUAL_URL;
  if (!URL.canParse(url) || !/^https?:\/\/[^/]/.test(url)) {
    throw new WrongCommand(`HEADGATE_ADMIN_URL: found ${JSON.stringify(url)}, expected a URL such as ${USUAL_URL}`);
  }
  const token = env.HEADGATE_ADMIN_TOKEN ?? '';
  if (token === '') {
    throw new WrongCommand(
      'HEADGATE_ADMIN_TOKEN is not set: set it to the one that control runs with (with npm start, none is needed while it runs)',
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new WrongCommand('HEADGATE_ADMIN_TOKEN holds a space or something else that no token holds');
  }
  return { url, token };
}

export function connectTo({ url, token }: Place): AdminApi {
  const withToken: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: '1.1',
    interceptors: [withToken],
    defaultTimeoutMs: TIMEOUT_MS,
  });
  return { keys: createClient(KeyService, transport), usage: createClient(UsageService, transport) };
}
