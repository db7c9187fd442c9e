import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export type Line = Readonly<Record<string, unknown>> & { readonly msg: string };

/** A control process and what it logs. */
export class ControlProcess {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  stderr = '';
  #onLine: (() => void) | null = null;

  /** Started in `cwd`, where its configuration lies; of the own environment it has nothing but `PATH`. */
  constructor(cwd: string, env: Record<string, string>, stdio: 'plain' | 'ipc' = 'plain') {
    this.child = spawn(process.execPath, ['--conditions=source', MAIN], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(stdio === 'ipc' ? (['ipc'] as const) : [])],
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk;
    });
    if (this.child.stdout === null) throw new Error('no standard output');
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
      this.#onLine?.();
    });
  }

  /** The first line from `from` on that has this message. */
  async line(msg: string, from = 0): Promise<Line> {
    for (;;) {
      const found = this.lines.slice(from).find((line) => line.msg === msg);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }

  async exit(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}
