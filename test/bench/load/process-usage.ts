/** CPU time, memory and run-queue wait of a process and its descendants, from Linux /proc (proc(5)). */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** User and system time, microseconds (resolution: one clock tick, 10 ms on most kernels). */
  readonly cpuUs: number;
  readonly rssMb: number;
  /** Milliseconds during which a main thread was runnable but not running. */
  readonly waitMs: number;
}

const TICKS_PER_SECOND = sysconf('CLK_TCK', 100);
const PAGE_BYTES = sysconf('PAGESIZE', 4096);

/** The process and all its descendants, parents first; processes that have gone are left out. */
export function processTree(pid: number): number[] {
  const found = [pid];
  for (const parent of found) {
    for (const thread of list(`/proc/${parent}/task`)) {
      for (const child of read(`/proc/${parent}/task/${thread}/children`).split(' ')) {
        if (child.trim() !== '' && !found.includes(Number(child))) found.push(Number(child));
      }
    }
  }
  return found;
}

export function usage(pid: number): Usage {
  let cpuUs = 0;
  let rssMb = 0;
  let waitMs = 0;
  for (const process of processTree(pid)) {
    const stat = read(`/proc/${process}/stat`);
    // The command's name in parentheses may itself hold blanks; what follows it starts with field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (number: number): number => Number(fields[number - 3] ?? 0);
    cpuUs += ((field(14) + field(15)) * 1e6) / TICKS_PER_SECOND;
    rssMb += (field(24) * PAGE_BYTES) / 2 ** 20;
    waitMs += Number(read(`/proc/${process}/schedstat`).split(' ')[1] ?? 0) / 1e6;
  }
  return { cpuUs, rssMb, waitMs };
}

/** Milliseconds that a core has been busy since boot; 0 where the kernel does not say. */
export function coreBusyMs(core: number): number {
  const line = read('/proc/stat')
    .split('\n')
    .find((l) => l.startsWith(`cpu${core} `));
  if (line === undefined) return 0;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').slice(1).map(Number);
  return ((user + nice + system + irq + softirq + steal) * 1000) / TICKS_PER_SECOND;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function sysconf(name: string, otherwise: number): number {
  try {
    return Number(execFileSync('getconf', [name], { encoding: 'utf8' }));
  } catch {
    return otherwise;
  }
}
