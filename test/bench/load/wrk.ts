import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClosedLoop } from './closed-loop.ts';
import { cpuPer, type Measurement, startMeter } from './meter.ts';
import { CHAT_PATH, chatBody, type Endpoint, requestHeaders } from './request.ts';

const run = promisify(execFile);
const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 6e7 };

/** Whether wrk is on the PATH. It costs the core of the load less than our own closed loop does. */
export async function wrkIsThere(): Promise<boolean> {
  try {
    await run('wrk', ['-v']);
    return true;
  } catch (error) {
    // `wrk -v` prints its version and exits with 1.
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
  }
}

/** The closed loop, driven by wrk with one thread. */
export async function closedLoopByWrk(endpoint: Endpoint, load: ClosedLoop): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-wrk-'));
  try {
    const script = join(folder, 'request.lua');
    writeFileSync(join(folder, 'body.json'), chatBody(endpoint, load));
    writeFileSync(script, luaScript(join(folder, 'body.json'), requestHeaders(endpoint)), { mode: 0o600 });
    const url = `http://127.0.0.1:${endpoint.port}${CHAT_PATH}`;
    const options = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--latency', '-s', script, url];
    const read = startMeter(endpoint.pid, endpoint.loadCore);
    const { stdout } = await run('wrk', options, { timeout: load.seconds * 1000 + 30_000 });
    const { cpuUs, values } = read();
    const found = parse(stdout);
    return { ...found, ...cpuPer('cpu_us_req', cpuUs, found.requests), ...values };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function luaScript(bodyFile: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`);
  return [
    'wrk.method = "POST"',
    ...lines,
    `local file = io.open(${lua(bodyFile)}, "rb")`,
    'wrk.body = file:read("*a")',
    'file:close()',
    '',
  ].join('\n');
}

/** A Lua string; anything but the plainest characters as a decimal escape. */
function lua(text: string): string {
  const escaped = text.replaceAll(/[^\w ./:-]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`);
  return `"${escaped}"`;
}

/** Reads wrk's report; throws when it is not one. */
export function parse(report: string): Measurement & { requests: number } {
  const [, requests] = /(\d+) requests in/.exec(report) ?? [];
  const [, rps] = /Requests\/sec:\s+([\d.]+)/.exec(report) ?? [];
  if (requests === undefined || rps === undefined) throw new Error(`wrk printed no report: ${report.slice(0, 200)}`);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report)?.slice(1) ?? [];
  const bad = errors.reduce((sum, count) => sum + Number(count), refused);
  const found: Measurement & { requests: number } = { rps: Math.round(Number(rps)), requests: Number(requests), bad };
  for (const percent of [50, 90, 99]) {
    const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)`, 'm').exec(report) ?? [];
    const factor = UNIT_US[unit ?? ''];
    if (value !== undefined && factor !== undefined) found[`p${percent}_us`] = Math.round(Number(value) * factor);
  }
  return found;
}
