import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { consoleText } from './log-echo.mjs';

/** So many of a service's last lines are kept for showing when it fails. */
const KEPT_LINES = 30;

/**
 * @typedef {object} ServiceSpec
 * @property {string} name
 * @property {string} program
 * @property {string[]} args
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {string} logs                          folder of its log file
 * @property {boolean} verbose                      whether all it logs goes to the console
 * @property {(line: string) => string | undefined} [echo]  what of a line goes to the console; default: warnings, errors
 * @property {(line: string) => void} [onLine]      sees each line it prints
 * @property {(service: Service) => void} onUnexpectedExit
 */

/**
 * A child process of the launcher. It is the head of a process group of its own, so that Ctrl-C reaches the launcher
 * alone, which then stops the services in order; and it has a channel to the launcher, whose closing tells it that the
 * launcher is gone.
 */
export class Service {
  /** @param {ServiceSpec} spec */
  constructor(spec) {
    this.name = spec.name;
    this.logFile = path.join(spec.logs, `${spec.name}.log`);
    /** @type {string[]} */
    this.lastLines = [];
    this.stopping = false;
    this.exited = false;
    this.exitText = '';

    const echo = spec.verbose ? (/** @type {string} */ line) => line : (spec.echo ?? consoleText);
    mkdirSync(spec.logs, { recursive: true });
    const log = createWriteStream(this.logFile);
    log.on('error', (error) => process.stderr.write(`headgate: ${this.logFile} cannot be written: ${error.message}\n`));
    this.child = spawn(spec.program, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        if (!log.writableEnded) log.write(`${line}\n`);
        this.lastLines.push(line);
        if (this.lastLines.length > KEPT_LINES) this.lastLines.shift();
        const text = this.stopping && !spec.verbose ? undefined : echo(line);
        if (text !== undefined) process.stderr.write(`${spec.name} ${text}\n`);
        spec.onLine?.(line);
      });
    }

    /** @type {Promise<void>} resolves when it has ended and its log is written */
    this.ended = new Promise((resolve) => {
      /** @param {string} text */
      const end = (text) => {
        if (this.exited) return;
        this.exited = true;
        this.exitText = text;
        log.end(() => resolve());
        if (!this.stopping) spec.onUnexpectedExit(this);
      };
      this.child.on('error', (error) => end(`could not be started: ${error.message}`));
      this.child.on('exit', (code, signal) => {
        const text = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
        this.child.on('close', () => end(text));
        // 'close' also waits for processes that inherited its output, which may outlive it.
        setTimeout(() => end(text), 1000).unref();
      });
    });
  }

  /**
   * Asks it to end, waits, and after the grace ends it by force.
   *
   * @param {number} graceMs
   */
  async stop(graceMs) {
    this.stopping = true;
    if (this.exited) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends it and the processes it has started, at once. */
  kill() {
    this.stopping = true;
    const { pid } = this.child;
    if (this.exited || pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.child.kill('SIGKILL');
    }
  }
}
