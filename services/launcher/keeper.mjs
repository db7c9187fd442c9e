/**
 * Runs a program that cannot watch for its launcher's end, and ends it with the launcher: the launcher's end, also by
 * SIGKILL, closes the channel to this process.
 *
 *   node keeper.mjs PID_FILE PROGRAM [ARGUMENT...]
 *
 * PID_FILE names the program's process, so that the next start finds one that was left over all the same. Where
 * HEADGATE_REDIS_LIBRARY_PATH is set, the program looks for its libraries there.
 */
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { identify } from './lock.mjs';

/** How long the program may take to save its data. */
const GRACE_MS = 10_000;

const [pidFile = '', program = '', ...args] = process.argv.slice(2);
const { HEADGATE_REDIS_LIBRARY_PATH: libraryPath, ...env } = process.env;
if (libraryPath) env.LD_LIBRARY_PATH = libraryPath; // not for this process, whose libraries are the system's
const child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });

const stop = () => {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
};
process.on('disconnect', stop);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (process.send !== undefined && !process.connected) stop();

child.on('spawn', () => writeFileSync(pidFile, JSON.stringify(identify(child.pid ?? 0))));
child.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  rmSync(pidFile, { force: true });
  process.exit(code ?? (signal === 'SIGTERM' ? 0 : 1));
});
