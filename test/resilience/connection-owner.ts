import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { RawRequest } from './raw-http.ts';

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/**
 * Which of these processes serves a connection to 127.0.0.1: looked up in /proc, as `ss -tnp` does. Undefined while none
 * has accepted it.
 */
export function ownerOf(request: RawRequest, pids: readonly number[]): number | undefined {
  const { localPort, remotePort } = request.socket;
  if (localPort === undefined || remotePort === undefined) return undefined;
  const ends = `:${hex(remotePort)} 0100007F:${hex(localPort)} `;
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((candidate) => candidate.includes(ends));
  const inode = line?.trim().split(/\s+/)[9];
  if (inode === undefined || inode === '0') return undefined;
  return pids.find((pid) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    }),
  );
}
